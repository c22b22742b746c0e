"""The scripts below bench/ when something goes wrong: whatever ends them leaves no server, no load and no
directory behind, and what they can't do is told in a line before anything is measured."""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time

from harness import SKIPPED, Checks

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
BENCH = os.path.join(ROOT, "bench")
SCRIPTS = ("targets", "limit", "compare", "growth", "micro", "profile")
TROUBLE = 2
DEADLINE_S = 200

# A minute's load on null-server, as the scripts put one on.
LONG_LOAD = f"""import sys
sys.dont_write_bytecode = True
sys.path.insert(0, {BENCH!r})
import measure
def main():
    options = measure.parser("", 1).parse_args()
    measure.check(options, ("null-server", "holdfast-bench"))
    options.seconds = 60
    measure.reserve(measure.null_server(options), 1, 1, 1)
measure.script(main)
"""


def run(options, name, *more, path=None):
    return subprocess.run([os.path.join(BENCH, name, "run"), "--build", options.build, *more],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
                          timeout=DEADLINE_S, env={"PATH": path or os.environ["PATH"]})


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return file.read().split()


def is_alive(pid):
    """One that waits for its parent's or init's look is not."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def ended_by(checks, options, number):
    """Server and load run when the signal comes, to the script alone, as from kill."""
    name = f"ended by {number.name}"
    with tempfile.TemporaryDirectory(dir=options.scratch) as folder:
        process = subprocess.Popen(
            [sys.executable, "-c", LONG_LOAD, "--build", options.build, "--scratch", folder],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + DEADLINE_S
        while len(children(process.pid)) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        begun = children(process.pid)
        checks.equal(f"{name}: server and load were there", len(begun), 2)
        process.send_signal(number)
        _, errors = process.communicate(timeout=DEADLINE_S)
        checks.equal(f"{name}: it tells its shell so", process.returncode, -number)
        checks.check(f"{name}: in one line", errors.strip().endswith(f"stopped by {number.name}") and
                     "Traceback" not in errors, errors)
        while any(map(is_alive, begun)) and time.monotonic() < deadline:
            time.sleep(0.02)
        checks.equal(f"{name}: server and load are gone", list(filter(is_alive, begun)), [])
        checks.equal(f"{name}: no directory is left", os.listdir(folder), [])


def refused(checks, name, done, *words):
    checks.equal(f"{name}: exit code 2", done.returncode, TROUBLE)
    checks.check(f"{name}: told in one line", done.stderr.count("\n") == 1 and
                 all(word in done.stderr for word in words), done.stderr)
    checks.equal(f"{name}: nothing was measured", done.stdout, "")


def wrong_places(checks, options):
    missing = os.path.join(options.scratch, "missing")
    for name in SCRIPTS:
        done = run(options, name, "--scratch", missing)
        refused(checks, f"{name} without a directory for data", done, f"bench/{name}/run:", missing)
        done = subprocess.run([os.path.join(BENCH, name, "run"), "--build", missing], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        refused(checks, f"{name} without a build", done, "is not built")


def drawing_without_a_place(checks, options):
    done = run(options, "compare", "--plot", os.path.join(options.scratch, "missing", "a.svg"))
    refused(checks, "compare, a drawing that can't be written", done, "--plot", "No such file")
    done = run(options, "growth", "--plot", "/dev/null")
    refused(checks, "growth, a drawing that can't be written", done, "/dev/null")


def missing_programs(checks, options):
    with tempfile.TemporaryDirectory(dir=options.scratch) as empty:
        for name, more, package in (("growth", ["--plot", empty], "gnuplot-nox"),
                                    ("micro", [], "valgrind"), ("profile", [], "linux-perf")):
            refused(checks, f"{name} without {package}", run(options, name, *more, path=empty),
                    package)
        done = run(options, "micro", "--no-instructions", path=empty)
        refused(checks, "micro without taskset", done, "taskset")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build")
    parser.add_argument("--scratch", required=True, help="folder for data")
    options = parser.parse_args()
    if not os.path.exists(os.path.join(options.build, "bin", "holdfast-bench")):
        print("skipped: holdfast-bench is not built")
        sys.exit(SKIPPED)
    if os.cpu_count() < 2:
        print("skipped: there is one CPU")
        sys.exit(SKIPPED)
    os.makedirs(options.scratch, exist_ok=True)
    checks = Checks()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        ended_by(checks, options, number)
    wrong_places(checks, options)
    if os.path.exists("/usr/bin/gnuplot") and os.path.exists("/usr/bin/tarantool"):
        drawing_without_a_place(checks, options)
    missing_programs(checks, options)
    sys.exit(checks.finish())


if __name__ == "__main__":
    main()
