#!/usr/bin/python3
"""Builds the presets, runs what ctest lists in each, and counts single tests.

ctest knows the tests; it is not used to run them, because it counts programs and because a Criterion
program that says "passed" may not have: Criterion swallows the exit code of LeakSanitizer and is
content with no test at all. So here a test program passes only when

  - its exit code is 0,
  - no sanitizer wrote a report (they write to files, which are looked at after each program), and
  - a Criterion program ran at least as many tests as its source declares.

Exit code 77 means skipped. The last line is "N passed, N failed[, N skipped]".
"""
import argparse
import concurrent.futures
import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SKIPPED = 77
TIMEOUT_S = 600  # of a test that sets none
FAILURE_LINES = 80  # of a failed test's output, from its end

# Preset, and which of its tests to run: all, or those with a label.
RUNS = (("release", None), ("sanitize", None), ("tsan", "threads"))

# Labels of tests that take long: they begin first.
LONG_LABELS = {"lint", "canary", "sweep", "sim", "model"}

SYNTHESIS = re.compile(
    r"\[====\] Synthesis: Tested: (\d+) \| Passing: (\d+) \| Failing: (\d+) \| Crashing: (\d+)")
DECLARATION = re.compile(r"^\s*(?:Test|ParameterizedTest|Theory)\s*\(", re.MULTILINE)


class Test:
    """One entry of ctest's list."""

    def __init__(self, preset, entry):
        self.preset = preset
        self.name = entry["name"]
        self.command = entry.get("command")
        properties = {item["name"]: item["value"] for item in entry.get("properties", [])}
        self.labels = properties.get("LABELS", [])
        self.is_serial = bool(properties.get("RUN_SERIAL", False))
        self.timeout_s = float(properties.get("TIMEOUT", TIMEOUT_S))
        self.folder = properties.get("WORKING_DIRECTORY", ROOT)
        self.environment = dict(item.split("=", 1) for item in properties.get("ENVIRONMENT", []))
        self.source = unit_sources().get(self.name)


class Result:
    def __init__(self, passed=0, failed=0, skipped=0, reason="", output="", name=""):
        self.name = name
        self.passed = passed
        self.failed = failed
        self.skipped = skipped
        self.reason = reason
        self.output = output


# ---- what ought to be there ------------------------------------------------------------------

@functools.cache
def unit_sources():
    """The Criterion sources by the name of their program, as CMakeLists.txt names them."""
    sources = {}
    unit = os.path.join(ROOT, "tests", "unit")
    for folder in sorted(os.listdir(unit)):
        for name in sorted(os.listdir(os.path.join(unit, folder))):
            if name.startswith("test_") and name.endswith(".c"):
                sources[f"unit_{folder}_{name[:-2]}"] = os.path.join(unit, folder, name)
    return sources


def fuzz_corpora():
    """The runs of the fuzz targets over their corpora, as CMakeLists.txt names them."""
    folder = os.path.join(ROOT, "tests", "fuzz")
    return ["fuzz_corpus_" + name[len("fuzz_"):-len(".c")] for name in sorted(os.listdir(folder))
            if name.startswith("fuzz_") and name.endswith(".c")]


# Programs that make up their tests themselves, and so leave no source to be missed.
RANDOM = ("model_short", "sim_short", "sim_trace_hash", "sweep_all")


# Tests of what a sanitizer would make too slow.
RELEASE_ONLY = ("e2e_compare",)


def declared_count(source):
    with open(source, encoding="utf-8") as file:
        return len(DECLARATION.findall(file.read()))


def missing_tests(preset, tests):
    """Test sources in the tree that ctest does not know: they would be skipped in silence."""
    names = {test.name for test in tests}
    missing = [name for name in unit_sources() if name not in names]
    missing += [name for name in (*fuzz_corpora(), *RANDOM) if name not in names]
    for kind in ("e2e", "crash", "threads") + (("build",) if preset == "release" else ()):
        folder = os.path.join(ROOT, "tests", kind)
        for path, _, files in os.walk(folder):
            for name in files:
                stem, suffix = os.path.splitext(name)
                if not stem.startswith("test_") or suffix not in (".c", ".py"):
                    continue
                start = f"{kind}_{stem[len('test_'):]}"
                if preset != "release" and start in RELEASE_ONLY:
                    continue
                if not any(known.startswith(start) for known in names):
                    missing.append(os.path.relpath(os.path.join(path, name), ROOT))
    return missing


# ---- building --------------------------------------------------------------------------------

def build(preset, targets):
    """Configures and builds; on failure shows the end of the output and returns False."""
    begin = time.monotonic()
    command = ["cmake", "--build", "--preset", preset]
    steps = [["cmake", "--preset", preset],
             command + (["--target", *targets] if targets else [])]
    for step in steps:
        print(f"{preset}: {' '.join(step)}", flush=True)
        done = subprocess.run(step, cwd=ROOT, capture_output=True, text=True, errors="replace",
                              check=False)
        if done.returncode != 0:
            print("\n".join((done.stdout + done.stderr).splitlines()[-60:]))
            return False
    print(f"{preset}: built in {time.monotonic() - begin:.0f} s", flush=True)
    return True


def list_tests(preset):
    listed = subprocess.run(
        ["ctest", "--test-dir", os.path.join("build", preset), "--show-only=json-v1"],
        cwd=ROOT, capture_output=True, text=True, check=True)
    return [Test(preset, entry) for entry in json.loads(listed.stdout)["tests"]]


# ---- running ---------------------------------------------------------------------------------

def sanitizer_environment(folder):
    """Every finding ends the program with 99 and is written to a file in `folder`."""
    log = os.path.join(folder, "report")
    common = f"log_path={log}:exitcode=99"
    return {
        "ASAN_OPTIONS": common + ":detect_leaks=1:detect_stack_use_after_return=1"
                                 ":strict_string_checks=1:check_initialization_order=1",
        "LSAN_OPTIONS": common,
        "UBSAN_OPTIONS": common + ":print_stacktrace=1",
        "TSAN_OPTIONS": common + ":second_deadlock_stack=1:suppressions="
                        + os.path.join(ROOT, "tests", "threads", "tsan.supp"),
    }


def read_reports(folder):
    reports = []
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
            reports.append(file.read())
    return "\n".join(report for report in reports if report.strip())


def end_session(session):
    """Kills all processes of a session."""
    for name in os.listdir("/proc"):
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                fields = file.read().rpartition(")")[2].split()  # the name before may have blanks
            if int(fields[3]) == session:
                os.kill(int(name), 9)
        except (OSError, ValueError, IndexError):
            continue  # no process, or gone by now


def execute(test, folder):
    """Exit code (None: out of time) and output. Whatever the test has started ends with it, also what
    is in a process group of its own, as Criterion's workers are."""
    environment = dict(os.environ, **sanitizer_environment(folder), **test.environment)
    # Programs run side by side already; Criterion 2.4.1 leaks of its own when it runs two tests at once.
    environment.setdefault("CRITERION_JOBS", "1")
    with tempfile.TemporaryFile(mode="w+", errors="replace") as output:
        process = subprocess.Popen(test.command, cwd=test.folder, env=environment,
                                   stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=subprocess.STDOUT, start_new_session=True)
        try:
            exit_code = process.wait(timeout=test.timeout_s)
        except subprocess.TimeoutExpired:
            exit_code = None
        end_session(process.pid)
        process.wait()
        output.seek(0)
        return exit_code, output.read()


def count_criterion(test, output):
    """Result of a Criterion program by its closing line, exit code and reports left aside."""
    lines = SYNTHESIS.findall(output)
    if len(lines) != 1:
        return Result(failed=1, reason=f"{len(lines)} closing lines of Criterion instead of one")
    tested, passing, failing, crashing = (int(count) for count in lines[0])
    declared = declared_count(test.source)
    result = Result(passed=passing, failed=failing + crashing)
    if result.failed:
        result.reason = f"{result.failed} of {tested} tests failed"
    elif tested < declared or declared == 0:
        result = Result(passed=passing, failed=max(declared - tested, 1),
                        reason=f"{tested} tests ran, {declared} are declared")
    return result


def run(test):
    if not test.command or not os.path.exists(test.command[0]):
        return Result(failed=1, reason="its program was not built")
    folder = os.path.join(ROOT, "build", test.preset, "reports", test.name)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    code, output = execute(test, folder)
    reports = read_reports(folder)

    if code == SKIPPED and not reports:
        return Result(skipped=1, reason="skipped: " + (output.strip().splitlines() or ["?"])[-1],
                      output=output)
    result = count_criterion(test, output) if test.source else Result(passed=1)
    result.output = output
    if reports:
        result.output += "\n" + reports
        result.reason = "a sanitizer reported"
    elif code is None:
        result.reason = f"not done after {test.timeout_s:.0f} s"
    elif code != 0 and not result.failed:
        result.reason = f"exit code {code}"
    if result.reason and not result.failed:
        result.passed = max(result.passed - 1, 0)
        result.failed = 1
    return result


class Progress:
    """One line per program that did not pass; on a terminal, one changing line for the rest."""

    def __init__(self, total):
        self.total = total
        self.done = 0
        self.lock = threading.Lock()
        self.is_terminal = sys.stdout.isatty()

    def note(self, test, result, seconds):
        with self.lock:
            self.done += 1
            state = "FAIL" if result.failed else "skip" if result.skipped else "ok"
            line = (f"[{self.done}/{self.total}] {state} {test.preset} {test.name}"
                    f" ({result.passed + result.failed + result.skipped}, {seconds:.1f} s)")
            if self.is_terminal and state == "ok":
                print(f"\r\033[K{line}", end="", flush=True)
                return
            print(("\r\033[K" if self.is_terminal else "") + line, flush=True)
            if result.failed or result.skipped:
                print(f"    {result.reason}", flush=True)
            if result.failed:
                print("\n".join("    | " + text for text in result.output.splitlines()[-FAILURE_LINES:]),
                      flush=True)

    def end(self):
        if self.is_terminal:
            print("\r\033[K", end="", flush=True)


def run_all(tests):
    progress = Progress(len(tests))
    results = []

    def run_one(test):
        begin = time.monotonic()
        result = run(test)
        result.name = f"{test.preset} {test.name}"
        progress.note(test, result, time.monotonic() - begin)
        return result

    # The longest first; and more at once than there are cores, because most wait most of the time.
    together = sorted((test for test in tests if not test.is_serial),
                      key=lambda test: not LONG_LABELS.intersection(test.labels))
    with concurrent.futures.ThreadPoolExecutor(2 * (os.cpu_count() or 1)) as pool:
        results += pool.map(run_one, together)
    results += [run_one(test) for test in tests if test.is_serial]
    progress.end()
    return results


# ---- all of it -------------------------------------------------------------------------------

def parse_arguments():
    parser = argparse.ArgumentParser(description="Builds and runs the tests.")
    parser.add_argument("--preset", action="append", choices=[preset for preset, _ in RUNS],
                        help="only this build; may be repeated (default: all)")
    parser.add_argument("--match", metavar="REGEX", help="only tests whose name matches")
    parser.add_argument("--no-build", action="store_true", help="run what is built already")
    return parser.parse_args()


def tests_of(preset, label, arguments):
    """Builds a preset and lists its tests; None when it can't be built."""
    if not arguments.no_build and not label and not build(preset, []):
        return None
    if label:
        if not arguments.no_build and not build(preset, ["threads"]):
            return None
    tests = list_tests(preset)
    problems = [] if label else missing_tests(preset, tests)
    for problem in problems:
        print(f"{preset}: no test was made of {problem}")
    if problems:
        return None
    return [test for test in tests if (not label or label in test.labels)
            and (not arguments.match or re.search(arguments.match, test.name))]


def print_failures(results):
    """The failures once more, where whoever sees only the end of a long output finds them."""
    for result in results:
        if result.failed:
            print(f"FAIL {result.name}: {result.reason}")
            print("\n".join("    | " + text for text in result.output.splitlines()[-FAILURE_LINES:]))


def main():
    arguments = parse_arguments()
    begin = time.monotonic()
    results = []
    for preset, label in RUNS:
        if arguments.preset and preset not in arguments.preset:
            continue
        tests = tests_of(preset, label, arguments)
        if tests is None:
            results.append(Result(failed=1, reason="could not be built, see above", name=preset))
        else:
            results += run_all(tests)

    print_failures(results)
    passed = sum(result.passed for result in results)
    failed = sum(result.failed for result in results)
    skipped = sum(result.skipped for result in results)
    if passed + failed == 0:
        print("no test ran")
        failed = 1
    print(f"{time.monotonic() - begin:.0f} s in all")
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
