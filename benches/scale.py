#!/usr/bin/env python3
"""The unpacker at scale beside GNU tar, and the start of a seal beside bubblewrap.

    benches/scale.py target/release/narrowroom [--gib N] [--dir DIR] [--only WORD]

Makes its archives (logs that compress like logs, names that differ), unpacks each with
`narrowroom unpack` and with `tar -xzf`, in turns, and prints the median times, their ratio, the same for
the processor's time (on a busy machine the better figure), and the peak of resident memory of each
zone's processes. Cold means that the archive was dropped from the
page cache first. Everything is made in a folder below DIR and removed again. Needs Python 3 alone,
and bwrap (package bubblewrap) for the last table.
"""
import argparse, gzip, json, os, shutil, statistics, subprocess, sys, tempfile, threading, time, zlib

BLOCK = 8 << 20
LIMITS = ["--json", "--max-seconds", "7200", "--max-files", "1100000", "--max-file-bytes", str(5 << 30)]


def header(name, size, kind=b"0"):
    """A ustar header (POSIX.1-1988); sizes over 8 GiB in GNU's binary form."""
    field = b"%011o\0" % size if size < 8 << 30 else b"\x80" + size.to_bytes(11, "big")
    head = bytearray(512)
    head[0 : len(name)] = name
    head[100:108], head[108:116], head[116:124] = b"0000644\0", b"0000000\0", b"0000000\0"
    head[124:136], head[136:148], head[148:156] = field, b"00000000000\0", b" " * 8
    head[156:157], head[257:265] = kind, b"ustar\00000"
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head)


def log_block(seed):
    """Lines that compress about eight times, as logs do."""
    state, out = seed, []
    while sum(map(len, out[-1:])) == 0 or len(out) * 84 < BLOCK:
        state = (state * 6364136223846793005 + 1442695040888963407) & (1 << 64) - 1
        out.append(b"2026-01-01T%02d:%02d:00Z level=info request=%016x path=/api/v1/items status=200 ok\n"
                   % (state >> 59, (state >> 53) % 60, state))
    return b"".join(out)[:BLOCK]


def member(data):
    return gzip.compress(data, 6, mtime=0)


def one_log(path, gib):
    """Files of at most 4 GiB, made of the same block: a stream of gzip members."""
    block = member(log_block(1))
    left, number = int(gib * (1 << 30)) // BLOCK, 0
    with open(path, "wb") as out:
        while left:
            blocks = min(left, (4 << 30) // BLOCK)
            out.write(member(header(b"bundle/%d.log" % number, blocks * BLOCK)))
            for _ in range(blocks):
                out.write(block)
            left, number = left - blocks, number + 1
        out.write(member(bytes(1024)))
    return gib


def many(path, count, size):
    """`count` files of `size` bytes in folders of 500."""
    content = log_block(7)[:size]
    padded = content + bytes(-len(content) % 512)
    with gzip.open(path, "wb", 6) as out:
        for number in range(count):
            out.write(header(b"bundle/%04d/%07d.txt" % (number // 500, number), size) + padded)
        out.write(bytes(1024))
    return count * size / (1 << 30)


class Peaks(threading.Thread):
    """Watches the resident memory of a program and its workers, by zone."""

    def __init__(self, root):
        super().__init__(daemon=True)
        self.root, self.peak, self.over = root, {}, False

    def run(self):
        while not self.over:
            for pid in self.family():
                try:
                    words = open(f"/proc/{pid}/cmdline", "rb").read().split(b"\0")
                    zone = words[2].decode() if len(words) > 2 and words[1] == b"__worker" else "coordinator"
                    for line in open(f"/proc/{pid}/status"):
                        if line.startswith("VmHWM:"):
                            self.peak[zone] = max(self.peak.get(zone, 0), int(line.split()[1]) / 1024)
                except (OSError, IndexError):
                    pass
            time.sleep(0.05)

    def family(self):
        found, todo = [], [self.root]
        while todo:
            pid = todo.pop()
            found.append(pid)
            try:
                todo += map(int, open(f"/proc/{pid}/task/{pid}/children").read().split())
            except OSError:
                pass
        return found


def drop(path):
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def timed(command, out):
    # A file, not a pipe: nobody has to read while it runs.
    with tempfile.TemporaryFile() as told:
        start = time.monotonic()
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=told)
        peaks = Peaks(child.pid)
        peaks.start()
        # What its own children used comes with it, once they are waited for.
        _, status, used = os.wait4(child.pid, 0)
        took = time.monotonic() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        peaks.over = True
        told.seek(0)
        if status:
            sys.exit(f"{command}: status {status}\n{told.read().decode()}")
    shutil.rmtree(out)
    return took, used.ru_utime + used.ru_stime, peaks.peak


def compare(program, folder, name, archive, gib, rounds, cold):
    ours, theirs, our_work, their_work, peak = [], [], [], [], {}
    for _ in range(rounds):
        out = os.path.join(folder, "out")
        if cold:
            drop(archive)
        took, work, seen = timed([program, "unpack", archive, "--out", out, *LIMITS], out)
        ours.append(took)
        our_work.append(work)
        for zone, mib in seen.items():
            peak[zone] = max(peak.get(zone, 0), mib)
        os.mkdir(out)
        if cold:
            drop(archive)
        took, work, _ = timed(["tar", "-xzf", archive, "-C", out], out)
        theirs.append(took)
        their_work.append(work)
    mine, tar = statistics.median(ours), statistics.median(theirs)
    worked, tarred = statistics.median(our_work), statistics.median(their_work)
    memory = ", ".join(f"{zone} {mib:.0f}" for zone, mib in sorted(peak.items()))
    print(f"{name:<34} {gib:7.2f} {mine:10.2f} {tar:8.2f} {mine / tar:6.2f}x "
          f"{worked:9.2f} {tarred:8.2f} {worked / tarred:6.2f}x   {memory}", flush=True)


def starts(program, folder, count):
    """A worker that seals itself, proves it and ends; and an empty program in bubblewrap's sandbox."""
    limits = {"max_bytes": 1 << 30, "max_files": 1000, "max_file_bytes": 1 << 30, "max_seconds": 60,
              "max_tokens": 1, "max_memory": 1 << 34, "context": 1}
    rows = {}
    for zone in ["unpack", "room", "verify"]:
        for turn in range(count):
            scratch = tempfile.mkdtemp(dir=folder)
            boot = {"tree": scratch, "model": None, "library": None, "limits": limits, "allow_weaker": []}
            start = time.monotonic()
            subprocess.run([program, "__worker", f"trial-{zone}"], env={"NARROWROOM_WORKER": json.dumps(boot)},
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True)
            rows.setdefault(f"narrowroom {zone}: seal and proof", []).append(time.monotonic() - start)
    for turn in range(count):
        start = time.monotonic()
        subprocess.run([program, "--version"], stdout=subprocess.DEVNULL, check=True)
        rows.setdefault("narrowroom --version: no seal", []).append(time.monotonic() - start)
    if shutil.which("bwrap"):
        for turn in range(count):
            start = time.monotonic()
            subprocess.run(["bwrap", "--unshare-all", "--ro-bind", "/", "/", "true"], check=True)
            rows.setdefault("bwrap --unshare-all … true", []).append(time.monotonic() - start)
    print(f"\n{'start':<42} {'median':>9} {'p95':>9}   of {count}")
    for name, times in rows.items():
        times.sort()
        print(f"{name:<42} {statistics.median(times) * 1e3:6.1f} ms {times[int(len(times) * 0.95)] * 1e3:6.1f} ms")


def main():
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("program")
    parse.add_argument("--gib", type=float, default=4, help="size of the stream of logs")
    parse.add_argument("--dir", default=None, help="where there is room for twice that")
    parse.add_argument("--only", default="", help="only the lines whose name holds this")
    parse.add_argument("--rounds", type=int, default=3)
    options = parse.parse_args()
    folder = tempfile.mkdtemp(dir=options.dir)
    program = os.path.abspath(options.program)
    os.environ["HOME"] = folder
    cases = [
        ("one log of 200 MB", lambda path: one_log(path, 0.195), options.rounds),
        ("one log of 4 GB", lambda path: one_log(path, 4), 1),
        ("stream of logs", lambda path: one_log(path, options.gib), 1),
        ("20,000 empty files", lambda path: many(path, 20_000, 0), options.rounds),
        ("135,000 files of 2 kB", lambda path: many(path, 135_000, 2048), 1),
        ("1,000,000 names", lambda path: many(path, 1_000_000, 0), 1),
    ]
    try:
        print(f"{'':<34} {'':7} {'seconds passed':>26} {'seconds of processor':>27}")
        print(f"{'archive':<34} {'GiB':>7} {'narrowroom':>10} {'tar':>8} {'ratio':>7} "
              f"{'narrowroom':>9} {'tar':>7} {'ratio':>7}   peak MiB by process")
        for name, make, rounds in cases:
            if options.only not in name:
                continue
            archive = os.path.join(folder, "a.tar.gz")
            gib = make(archive)
            compare(program, folder, name + ", warm", archive, gib, rounds, False)
            if rounds > 1:
                compare(program, folder, name + ", cold", archive, gib, rounds, True)
            os.remove(archive)
        if options.only in "start":
            starts(program, folder, 100)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
