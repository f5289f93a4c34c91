#!/usr/bin/env python3
"""Checks a run's attestation with implementations that are not ours.

usage: attest_check.py RUN_DIR PROGRAM_PUBLIC.pem [PERSON_PUBLIC.pem]

securesystemslib checks each DSSE envelope; in-toto-attestation parses each statement and its
predicate as the published protobuf types, which refuse unknown fields. An altered envelope and
another key must be refused by the same means.
"""

import hashlib
import json
import pathlib
import sys

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from google.protobuf import json_format
from in_toto_attestation.predicates.test_result.v0 import test_result_pb2
from in_toto_attestation.predicates.vsa.v1 import vsa_pb2
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
VSA = "https://slsa.dev/verification_summary/v1"
SIGN_OFF = "urn:narrowroom:predicate:sign-off:v1"


def key_of(public):
    """The key with the id that narrowroom gives it: SHA-256 of the 32 raw bytes."""
    keyid = hashlib.sha256(public.public_bytes_raw()).hexdigest()
    return SSlibKey.from_crypto(public, keyid=keyid)


def refused(envelope, key):
    try:
        envelope.verify([key], 1)
    except VerificationError:
        return True
    return False


def check_statement(payload, directory):
    parsed = json_format.Parse(payload, statement_pb2.Statement())
    Statement.copy_from_pb(parsed).validate()
    predicate = json.dumps(json.loads(payload)["predicate"])
    kind = parsed.predicate_type
    if kind == TEST_RESULT:
        result = json_format.Parse(predicate, test_result_pb2.TestResult())
        assert result.result in ("PASSED", "WARNED", "FAILED"), result.result
        assert len(result.passed_tests) > 50 and not result.failed_tests
        recorded = result.configuration[0].digest["sha256"]
        assert recorded == digest(directory / "record.json"), "record.json has another digest"
    elif kind == VSA:
        predicate = json.loads(predicate)
        # An array of strings in the specification, a single string in these bindings (0.9.3).
        levels = predicate.pop("verifiedLevels")
        assert levels and all(isinstance(level, str) for level in levels)
        summary = json_format.ParseDict(predicate, vsa_pb2.VerificationSummary())
        assert summary.verification_result in ("PASSED", "FAILED")
        assert summary.verifier.id and summary.resource_uri and summary.policy.digest["sha256"]
        verdict = summary.input_attestations[1].digest["sha256"]
        assert verdict == digest(directory / "verdict.json"), "verdict.json has another digest"
    else:
        assert kind == SIGN_OFF, kind
    subjects = {one.name: one.digest["sha256"] for one in parsed.subject}
    assert subjects["report.json"] == digest(directory / "report.json")
    if kind != SIGN_OFF:
        assert {"bundle", "playbook", "guest", "binary"} <= set(subjects), sorted(subjects)
    return kind


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main():
    directory = pathlib.Path(sys.argv[1])
    keys = [key_of(load_pem_public_key(pathlib.Path(p).read_bytes())) for p in sys.argv[2:]]
    other = key_of(Ed25519PrivateKey.generate().public_key())
    seen = []
    for line in (directory / "attestation.intoto.jsonl").read_text().splitlines():
        envelope = Envelope.from_dict(json.loads(line))
        assert envelope.payload_type == "application/vnd.in-toto+json"
        kind = check_statement(envelope.payload, directory)
        signers = keys[1:] if kind == SIGN_OFF else keys
        accepted = envelope.verify(signers, len(signers))
        assert len(accepted) == len(signers)
        assert refused(envelope, other), "another key was accepted"
        altered = Envelope.from_dict(json.loads(line))
        altered.payload = altered.payload.replace(b"report.json", b"report.jsoN")
        assert all(refused(altered, key) for key in signers), "an altered payload was accepted"
        seen.append(kind)
    assert TEST_RESULT in seen and VSA in seen, seen
    assert len(keys) == 1 or SIGN_OFF in seen, "no sign-off"
    print(f"{len(seen)} envelopes hold for {len(keys)} keys: " + ", ".join(seen))


main()
