"""null-server, the limit that bench/limit and bench/targets measure against: it stands a load of
holdfast-bench in both forms of a request, answers each row as held or as sold out, and refuses what it
can't know."""

import argparse
import json
import os
import subprocess
import sys

from harness import SKIPPED, Checks, die_with_parent

TROUBLE, USAGE = 2, 1
TIMEOUT_S = 60


def load(options, address, *more):
    return subprocess.run([options.bench, "--server", address, "--connections", "4", "--json",
                           "--no-progress", *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=TIMEOUT_S, text=True, check=False)


def every_row_is_held(checks, options, address):
    for name, rows in (("single", 1), ("in columns", 256)):
        done = load(options, address, "--items", "10", "--pipeline", "4", "--batch", str(rows),
                    "--requests", "20k")
        checks.equal("%s: exit code 0" % name, done.returncode, 0)
        results = json.loads(done.stdout)["results"]["reserve"]
        checks.equal("%s: each is held" % name, results, {"OK": 20000, "lost": 0})


def nothing_is_left_of_no_stock(checks, options, address):
    for name, rows in (("single", 1), ("in columns", 256)):
        done = load(options, address, "--scenario", "soldout", "--items", "10", "--pipeline", "4",
                    "--batch", str(rows), "--requests", "20k")
        checks.equal("sold out, %s: exit code 0" % name, done.returncode, 0)
        results = json.loads(done.stdout)["results"]["reserve"]
        checks.equal("sold out, %s: each is refused" % name, results, {"SOLD_OUT": 20000, "lost": 0})


def what_it_cannot_know_is_refused(checks, options, address):
    done = load(options, address, "--requests", "1k")  # lists the server's items
    checks.equal("a list of items: exit code 2", done.returncode, TROUBLE)
    checks.check("a list of items: told why", "null server answers" in done.stderr, done.stderr)


def a_wrong_port_is_refused(checks, options):
    for port in ("", "x", "65536"):
        done = subprocess.run([options.null_server, port], stderr=subprocess.PIPE, check=False,
                              timeout=TIMEOUT_S, text=True)
        checks.equal("port '%s': exit code" % port, done.returncode, USAGE)
        checks.check("port '%s': usage" % port, done.stderr.startswith("Usage: "), done.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("null_server")
    parser.add_argument("bench")
    options = parser.parse_args()
    for program in (options.null_server, options.bench):
        if not os.path.exists(program):
            print("skipped: %s is not built" % program)
            sys.exit(SKIPPED)
    checks = Checks()
    with subprocess.Popen([options.null_server, "0"], stdout=subprocess.PIPE, text=True,
                          preexec_fn=die_with_parent) as server:
        try:
            address = server.stdout.readline().split()[-1]
            every_row_is_held(checks, options, address)
            nothing_is_left_of_no_stock(checks, options, address)
            what_it_cannot_know_is_refused(checks, options, address)
        finally:
            server.kill()
    a_wrong_port_is_refused(checks, options)
    sys.exit(checks.finish())


if __name__ == "__main__":
    main()
