"""bench/compare/run in its shortest form: what is installed of Redis and Tarantool does the load, all of
it is accepted, and the report has its rows, its ratios and its drawing. And it says what is missing."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

from harness import SKIPPED, Checks

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
RUN = os.path.join(ROOT, "bench", "compare", "run")
PROGRAMS = {"redis": "/usr/bin/redis-check-rdb", "tarantool": "/usr/bin/tarantool"}
SYSTEMS = {"holdfast": ["Holdfast, durability sync"], "tarantool": ["Tarantool, wal_mode fsync"],
           "redis": ["Redis, appendfsync always", "Redis, appendfsync everysec"]}
LOADS_OF_HOLDFAST, LOADS_OF_OTHERS = 3, 4
COMPARISONS = 3
GOOD, FALLS_SHORT, TROUBLE = 0, 1, 2


def compare(*more):
    return subprocess.run([RUN, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          check=False)


def whole_run(checks, options, found):
    without = [name for name in PROGRAMS if name not in found]
    with tempfile.TemporaryDirectory(dir=options.scratch) as folder:
        drawing = os.path.join(folder, "rates.svg")
        done = compare("--build", options.build, "--scratch", folder, "--runs", "1", "--seconds",
                       "1", "--json", "--plot", drawing,
                       *[word for name in without for word in ("--without", name)])
        checks.check("it ends well, whatever the ratios are here",
                     done.returncode in (GOOD, FALLS_SHORT), (done.returncode, done.stderr[-500:]))
        if done.returncode not in (GOOD, FALLS_SHORT):
            return
        report = json.loads(done.stdout)
        texts = "".join(xml.etree.ElementTree.parse(drawing).getroot().itertext())
    systems = [system for name in ("holdfast", *found) for system in SYSTEMS[name]]
    others = len(systems) - 1
    checks.equal("each system has its rows", len(report["rows"]),
                 LOADS_OF_HOLDFAST + others * LOADS_OF_OTHERS)
    checks.equal("nothing else has", {row["system"] for row in report["rows"]}, set(systems))
    checks.check("each row has a rate and a latency",
                 all(row["median"]["per_second"] > 0 and row["median"]["p50_us"] > 0
                     for row in report["rows"]), report["rows"])
    checks.equal("each other system is compared", len(report["ratios"]), others * COMPARISONS)
    checks.equal("what falls short is told by the exit code", done.returncode, FALLS_SHORT if any(
        ratio["verdict"] == "FALLS SHORT" for ratio in report["ratios"]) else GOOD)
    checks.check("the drawing names each system", all(system in texts for system in systems), texts)


def wrong_usage(checks, options):
    done = compare("--build", os.path.join(options.scratch, "nothing"))
    checks.equal("without a build: exit code", done.returncode, TROUBLE)
    checks.check("without a build: says so", "is not built" in done.stderr, done.stderr)
    done = compare("--build", options.build, "--runs", "0")
    checks.equal("without runs: exit code", done.returncode, TROUBLE)
    checks.check("without runs: says so", "at least 1" in done.stderr, done.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build")
    parser.add_argument("--scratch", required=True, help="folder for data")
    options = parser.parse_args()
    found = [name for name, program in PROGRAMS.items() if os.path.exists(program)]
    if not found:
        print("skipped: neither Redis nor Tarantool is installed: apt-get install redis-tools tarantool")
        sys.exit(SKIPPED)
    if os.cpu_count() < 2:
        print("skipped: there is one CPU")
        sys.exit(SKIPPED)
    os.makedirs(options.scratch, exist_ok=True)
    checks = Checks()
    wrong_usage(checks, options)
    whole_run(checks, options, found)
    sys.exit(checks.finish())


if __name__ == "__main__":
    main()
