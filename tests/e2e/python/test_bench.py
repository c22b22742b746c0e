"""holdfast-bench against a server that goes away: whatever happens to the server, the load ends,
within its --timeout, with exit code 2, and claims nothing that it did not see."""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time

from harness import SKIPPED, Checks, Server

TROUBLE = 2
TIMEOUT_S = 3          # the load's own
MARGIN_S = 30          # a sanitized program on a busy machine
LOAD_BEGINS_S = 60


class Bench:
    """The load as a child process; it runs when __init__ returns."""

    def __init__(self, program, server, *more):
        self.progress_path = os.path.join(server.folder, "progress")
        self.report_path = os.path.join(server.folder, "report.json")
        with open(self.progress_path, "wb") as stderr, open(self.report_path, "wb") as stdout:
            self.process = subprocess.Popen(
                [program, "--server", "127.0.0.1:%d" % server.port, "--items", "20", "--requests",
                 "20M", "--connections", "8", "--timeout", "%ds" % TIMEOUT_S, "--progress", "20ms",
                 "--json", *more], stdout=stdout, stderr=stderr)
        deadline = time.monotonic() + LOAD_BEGINS_S
        while " answered" not in self.stderr() and time.monotonic() < deadline:
            time.sleep(0.02)

    def stderr(self):
        with open(self.progress_path, encoding="utf-8") as file:
            return file.read()

    def exit_code(self):
        """None when it did not end."""
        try:
            return self.process.wait(TIMEOUT_S + MARGIN_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None

    def report_text(self):
        with open(self.report_path, encoding="utf-8") as file:
            return file.read()

    def report(self):
        return json.loads(self.report_text())


def check_end(checks, situation, bench):
    checks.equal("%s: exit code 2" % situation, bench.exit_code(), TROUBLE)
    report = bench.report()
    checks.check("%s: it ran into the load" % situation, report["answered"] > 0)
    checks.check("%s: the report names the trouble" % situation, report["trouble"] != "")
    return report


def server_stops(checks, options, server):
    bench = Bench(options.bench, server)
    checks.equal("server stops under load with exit code 0", server.stop(), 0)
    report = check_end(checks, "server stopped", bench)
    numbers = re.findall(r"[0-9.]+", bench.report_text())
    checks.check("the report has no number of seventeen digits",
                 "0.6" in numbers and max(map(len, numbers)) <= 15, numbers)
    checks.equal("server stopped: nobody came back",
                 [at["lasted_s"] for at in report["interruptions"]], [None])


def server_stops_for_good(checks, options, server):
    bench = Bench(options.bench, server, "--reconnect", "1s")
    server.stop()
    check_end(checks, "server stopped and --reconnect", bench)


def server_hangs(checks, options, server):
    bench = Bench(options.bench, server)
    server.process.send_signal(signal.SIGSTOP)
    report = check_end(checks, "server hangs", bench)
    checks.equal("server hangs: no interruption is told", report["interruptions"], [])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("holdfastd")
    parser.add_argument("bench")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--scratch", help="folder for data")
    options = parser.parse_args()
    for program in (options.holdfastd, options.bench):
        if not os.path.exists(program):
            print("skipped: %s is not built" % program)
            sys.exit(SKIPPED)
    if options.scratch:
        os.makedirs(options.scratch, exist_ok=True)
    checks = Checks()
    for test in (server_stops, server_stops_for_good, server_hangs):
        server = Server(options.holdfastd, options.cores, options.scratch,
                        more=["--max-reservations", "1M", "--max-buyers", "1M"])
        try:
            test(checks, options, server)
        finally:
            server.clean()
    sys.exit(checks.finish())


if __name__ == "__main__":
    main()
