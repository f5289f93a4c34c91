#!/usr/bin/env python3
"""Signs a run as a person would on the review page, through its protocol: every claim is seen and
accepted, then the report is approved.

usage: sign_off.py NAME COMMAND [ARGUMENTS…]        e.g. sign_off.py "A. Reviewer" narrowroom review RUN --json
"""

import json
import re
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request


def main():
    name, command = sys.argv[1], sys.argv[2:]
    review = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        sign(name, review)
        code = review.wait(timeout=30)
    finally:
        # Not signed, for whatever reason: the page would wait for a person.
        review.kill()
    if code != 0:
        sys.exit(f"the review ended with {code}")


def sign(name, review):
    said = ""
    while (found := re.search(r'"url": "([^"]+)"', said)) is None:
        line = review.stdout.readline()
        if not line:
            sys.exit(f"the review did not start: {said}")
        said += line
    url = found.group(1)
    origin = "{0.scheme}://{0.netloc}".format(urllib.parse.urlsplit(url))
    page = urllib.request.urlopen(url, timeout=30).read().decode()
    sitting = re.search(r'name="sitting" content="([^"]+)"', page).group(1)

    def ask(path, act=None):
        headers = {"X-Sitting": sitting, "Origin": origin, "Content-Type": "application/json"}
        body = None if act is None else json.dumps(act).encode()
        request = urllib.request.Request(url + path, body, headers)
        try:
            return json.load(urllib.request.urlopen(request, timeout=60))
        except urllib.error.HTTPError as refused:
            sys.exit(f"refused: {refused.read().decode()}")

    for claim in ask("state")["claims"]:
        about = {"claim": claim["id"], "version": claim["version"]}
        ask("act", {"act": "seen", "shown": claim["shown"], **about})
        ask("act", {"act": "accept", **about})
    ask("act", {"act": "approve", "name": name, "note": "", "agreement": None})


main()
