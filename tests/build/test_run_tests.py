#!/usr/bin/python3
"""scripts/run-tests.py and tests that do not end: a program that is out of time ends with everything that
it has started, also what has a process group of its own and keeps the output open, as Criterion's
workers do; and what it printed is there. And what has failed is told once more at the end, by name.
"""
import contextlib
import importlib.util
import io
import os
import sys
import tempfile
import time
import types

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HANGING = "set -m; sleep 600 & echo $!; exec sleep 600"  # -m: in a process group of its own
ENDING = "set -m; sleep 600 & echo $!; exit 3"
PATIENCE_S = 30

faults = []


def check(is_so, text):
    if not is_so:
        faults.append(text)
        print(f"wrong: {text}")


def run_tests():
    """The script as a module; its name is none that can be imported."""
    path = os.path.join(ROOT, "scripts", "run-tests.py")
    spec = importlib.util.spec_from_file_location("run_tests", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def execute(runner, script, timeout_s):
    """Exit code, and the process that was left behind."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        test = types.SimpleNamespace(command=["/bin/bash", "-c", script], folder=folder, environment={},
                                     timeout_s=timeout_s)
        exit_code, output = runner.execute(test, folder)
    check(time.monotonic() - began < PATIENCE_S, "the run ended in time")
    check(output.strip().isdigit(), f"what was printed is there: {output!r}")
    return exit_code, int(output) if output.strip().isdigit() else 0


def failures_told(runner):
    """What the end of a run says of one test that passed and of one that failed."""
    results = [runner.Result(passed=3, name="release unit_a", output="fine"),
               runner.Result(failed=1, name="sanitize unit_b", reason="exit code 3", output="first\nlast")]
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        runner.print_failures(results)
    return text.getvalue()


def main():
    sys.dont_write_bytecode = True
    runner = run_tests()
    for name, script, timeout_s, expected in (("hangs", HANGING, 1, None), ("ends", ENDING, 20, 3)):
        exit_code, left = execute(runner, script, timeout_s)
        check(exit_code == expected, f"a program that {name}: exit code {exit_code}")
        deadline = time.monotonic() + PATIENCE_S
        while is_alive(left) and time.monotonic() < deadline:
            time.sleep(0.01)
        check(not is_alive(left), f"a program that {name} leaves nothing behind")
    told = failures_told(runner)
    check(told == "FAIL sanitize unit_b: exit code 3\n    | first\n    | last\n", f"failures: {told!r}")
    print(f"2 programs, {len(faults)} faults")
    return len(faults) > 0


if __name__ == "__main__":
    sys.exit(main())
