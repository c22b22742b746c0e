"""What the Python end-to-end tests share: the server as a child process, and counted checks."""

import argparse
import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import holdfast_client

READY = "holdfastd ready on 127.0.0.1:"
START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 60
SKIPPED = 77
PR_SET_PDEATHSIG = 1


class Checks:
    """Prints one line per check and counts."""

    def __init__(self):
        self.passed = self.failed = 0

    def check(self, name, condition, detail=""):
        if condition:
            self.passed += 1
            print("ok    " + name, flush=True)
        else:
            self.failed += 1
            print("FAIL  %s: %s" % (name, detail), flush=True)

    def equal(self, name, got, expected):
        self.check(name, got == expected, "got %r, expected %r" % (got, expected))

    def finish(self):
        """The closing line; returns the exit code."""
        print("%d passed, %d failed" % (self.passed, self.failed), flush=True)
        return 1 if self.failed or not self.passed else 0


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Server:
    """holdfastd on a data directory of its own, or the one named, and a port that the system
    chose, or the one named."""

    def __init__(self, program, cores, scratch, more=(), data=None, port=0):
        self.folder = tempfile.mkdtemp(prefix="python-", dir=scratch)
        self.is_asked_to_stop = False
        self.stderr_path = os.path.join(self.folder, "stderr")
        self.data = data or os.path.join(self.folder, "data")
        command = [program, "--data", self.data, "--listen", "127.0.0.1:%d" % port,
                   "--cores", str(cores), "--max-items", "1000", "--max-reservations", "50000",
                   "--max-buyers", "50000", "--segment-size", "8MiB", *more]
        with open(self.stderr_path, "wb") as stderr:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr,
                                            preexec_fn=die_with_parent)
        try:
            self.port = self.wait_ready()
        except BaseException:
            self.kill()
            raise

    def wait_ready(self):
        line, deadline = b"", time.monotonic() + START_TIMEOUT_S
        stdout = self.process.stdout.fileno()
        while not line.endswith(b"\n"):
            if not select.select([stdout], [], [], max(0, deadline - time.monotonic()))[0]:
                raise SystemExit("the server is not ready after %d s" % START_TIMEOUT_S)
            more = os.read(stdout, 4096)
            if not more:
                raise SystemExit("the server ended at once:\n" + self.stderr())
            line += more
        text = line.decode()
        if not text.startswith(READY):
            raise SystemExit("the server's first line is %r" % text)
        return int(text[len(READY):])

    def stderr(self):
        with open(self.stderr_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def is_alive(self):
        return self.process.poll() is None

    def ask_to_stop(self):
        """SIGTERM, once."""
        if not self.is_asked_to_stop:
            self.is_asked_to_stop = True
            self.process.terminate()

    def stop(self):
        """Returns the exit code, or None when it had to be killed."""
        self.ask_to_stop()
        try:
            return self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            return None

    def kill(self):
        if self.is_alive():
            self.process.kill()
            self.process.wait()

    def clean(self):
        self.kill()
        self.process.stdout.close()
        shutil.rmtree(self.folder)


def run(about, test):
    """main() of a test: reads the command line, starts the server, calls test(checks, messages,
    server), stops the server. Exits with 0, 1, or 77 when the program is not built."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("holdfastd")
    parser.add_argument("--cores", type=int, default=1)
    parser.add_argument("--scratch", help="folder for data and generated code")
    parser.add_argument("--protoc", default="protoc")
    options = parser.parse_args()
    if not os.path.exists(options.holdfastd):
        print("skipped: %s is not built" % options.holdfastd)
        sys.exit(SKIPPED)
    messages = holdfast_client.load_messages(options.protoc, options.scratch)
    checks = Checks()
    server = Server(options.holdfastd, options.cores, options.scratch)
    try:
        test(checks, messages, server)
        checks.equal("server stops with exit code 0", server.stop(), 0)
    except BaseException:
        print("the server said:\n" + server.stderr()[-4000:], flush=True)
        server.kill()
        raise
    if checks.failed:
        print("the server said:\n" + server.stderr()[-4000:], flush=True)
    server.clean()
    sys.exit(checks.finish())
