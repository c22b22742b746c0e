"""What the scripts below bench/ have in common: servers on a CPU of their own, loads on another, the
device's flush, the programs of bench/micro, and figures of several runs.

`options` are those of parser(), checked by check()."""

import argparse
import glob
import json
import mmap
import os
import platform
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SERVER_CPU, LOAD_CPU = "0", "1"
TABLE = "12M"  # reservations, and buyers: more than a run makes
SEGMENT = "512MiB"  # the one in use and the next one hold what a run writes
REQUESTS_MAX = 11_000_000  # of a run
READY_SECONDS = 120
ITEMS = 100
MILLION = 1_000_000

# The loads that targets and limits are about: connections, frames in flight on each, rows of a frame.
LOADS = {
    "batch": (16, 4, 256),
    "pipelined": (50, 16, 1),
    "unpipelined": (50, 1, 1),
}


def load_name(connections, pipeline, batch):
    frames = "single frames" if batch == 1 else f"frames of {batch} rows"
    return f"{connections} x {pipeline} {frames}"


# ---- the script itself ----

NAME = os.path.relpath(os.path.abspath(sys.argv[0]), ROOT)


def fail(text):
    print(f"{NAME}: {text}", file=sys.stderr)
    sys.exit(2)


class Stopped(BaseException):
    """By a signal; whatever was begun is ended on its way up."""


def descendants(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            children = [int(child) for child in file.read().split()]
    except OSError:
        return []
    return [*children, *(grandchild for child in children for grandchild in descendants(child))]


def stop(number, _):
    """All that was started is killed here, as one that is just being started is in no variable yet."""
    for other in STOPPING:
        signal.signal(other, signal.SIG_IGN)
    for pid in descendants(os.getpid()):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    raise Stopped(number)


STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def script(main):
    """Ends with what main() returns as exit code, None being 0. A signal that ends the script ends its
    servers and loads before, and removes its directories; what the system refuses is told in a line,
    with exit code 2, as 1 says something of the figures."""
    for number in STOPPING:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, stop)
    try:
        code = main()
        sys.stdout.flush()
    except Stopped as stopped:
        number = stopped.args[0]
        print(f"{NAME}: stopped by {signal.Signals(number).name}", file=sys.stderr)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    except subprocess.CalledProcessError as error:
        fail(f"{error.cmd[0]} ended with exit code {error.returncode}")
    except OSError as error:
        fail(f"{error.filename or 'standard output'}: {error.strerror}")
    sys.exit(code)


# ---- options ----

def parser(description, runs=None):
    """With --runs, unless a script makes one and no more."""
    made = argparse.ArgumentParser(prog=NAME, description=description,
                                   formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--build", default=os.path.join(ROOT, "build", "release"),
                      help="the built tree (build/release)")
    if runs is None:
        made.set_defaults(runs=1)
    else:
        made.add_argument("--runs", type=int, default=runs, help="the median is told (%(default)s)")
    made.add_argument("--scratch", default=os.path.join(ROOT, "build"),
                      help="where data directories are made (build)")
    made.add_argument("--json", action="store_true", help="the report as one JSON object")
    return made


def check(options, programs):
    """Ends the script when something is missing that it needs."""
    options.bin = os.path.join(os.path.abspath(options.build), "bin")
    for name in programs:
        if not os.path.exists(os.path.join(options.bin, name)):
            fail(f"{options.bin}/{name} is not built: build the tree first")
    if options.runs < 1:
        fail("--runs must be at least 1")
    if not os.path.isdir(options.scratch):
        fail(f"--scratch: {options.scratch} is no directory")
    options.load_average = os.getloadavg()[0]


def check_loads(options):
    if os.cpu_count() < 2:
        fail("two CPUs are needed: one for the server, one for the load")
    if options.seconds < 1:
        fail("--seconds must be at least 1")


def chosen(given, known, one, several):
    """The names that the command line gave, all if it gave none; ends the script at a wrong one."""
    unknown = [name for name in given if name not in known]
    if unknown:
        fail(f"there is no {one} {unknown[0]}; {several} are {' '.join(known)}")
    return given or list(known)


def check_can_write(option, path):
    """Ends the script now, and not when everything is measured."""
    if os.path.isdir(path):
        fail(f"{option}: {path} is a directory")
    try:
        with tempfile.TemporaryFile(dir=os.path.dirname(os.path.abspath(path))):
            pass
    except OSError as error:
        fail(f"{option}: {path} cannot be written: {error.strerror}")


# ---- servers and loads ----

class Server:
    """A server on a CPU of its own, which says on its standard output where it is ready; ends with
    the block. `folder` is its own directory."""

    def __init__(self, options, program, arguments):
        self.options = options
        self.process = None
        self.folder = tempfile.TemporaryDirectory(dir=options.scratch)
        self.errors = open(os.path.join(self.folder.name, "stderr"), "w+", encoding="utf-8")
        try:
            self.start(program, arguments)
        except BaseException:
            self.end()
            raise

    def start(self, program, arguments):
        self.process = subprocess.Popen(
            ["taskset", "-c", SERVER_CPU, os.path.join(self.options.bin, program),
             *(argument.replace("{folder}", self.folder.name) for argument in arguments)],
            stdout=subprocess.PIPE, stderr=self.errors, text=True)
        ready = re.search(r"ready on (\S+)", self.process.stdout.readline())
        if ready is None:
            fail(f"{program} did not start: {self.said().strip()[-300:]}")
        self.address = ready.group(1)

    def said(self):
        with open(self.errors.name, encoding="utf-8") as file:
            return file.read()

    def memory_bytes(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) * 1024

    def load(self, *arguments):
        """The only run of the report."""
        done = subprocess.run(
            ["taskset", "-c", LOAD_CPU, os.path.join(self.options.bin, "holdfast-bench"), "--server",
             self.address, "--server-pid", str(self.process.pid), "--json", "--no-progress",
             *arguments], stdout=subprocess.PIPE, check=False)
        if done.returncode != 0:
            fail(f"holdfast-bench {' '.join(arguments)} ended with exit code {done.returncode}")
        report = json.loads(done.stdout)
        return report["runs"][0] if "runs" in report else report

    def __enter__(self):
        return self

    def end(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
        self.errors.close()
        self.folder.cleanup()

    def __exit__(self, *_):
        self.end()


def wait_until_taken_ahead(server):
    deadline = time.monotonic() + READY_SECONDS
    while "taken ahead" not in server.said():
        if time.monotonic() > deadline:
            fail(f"the server's memory was not taken ahead within {READY_SECONDS} s")
        time.sleep(0.05)


def wait_until_segment_is_made(server):
    """The one ahead of use; before that it has a name of its own."""
    deadline = time.monotonic() + READY_SECONDS
    while glob.glob(os.path.join(server.folder.name, "data", "*", "*", "segment.new")):
        if time.monotonic() > deadline:
            fail(f"the server's next segment was not made within {READY_SECONDS} s")
        time.sleep(0.05)


def holdfastd(options, *more, touch_ahead="4GiB"):
    """An empty one, as it would be some time before a sale: its memory is taken ahead, and room for a
    gigabyte of log is made, before it is returned."""
    server = Server(options, "holdfastd",
                    ["--data", "{folder}/data", "--listen", "127.0.0.1:0", "--max-reservations",
                     TABLE, "--max-buyers", TABLE, "--snapshot-after", "0", "--segment-size", SEGMENT,
                     "--touch-ahead", touch_ahead, *more])
    try:
        if touch_ahead != "0":
            wait_until_taken_ahead(server)
            wait_until_segment_is_made(server)
    except BaseException:
        server.end()
        raise
    return server


def null_server(options):
    return Server(options, "null-server", ["0"])


def stood_still(run):
    """The share of the time in which the host had stopped a CPU, if that is known."""
    return {"stood_still": run["standstills"]["share"]} if run["standstills"] else {}


def rate_figures(run, kind):
    latency = run["latency_us"][kind]
    return {"rate": run["reserve_per_second"], "server_cpu_us": run["server_cpu_us_per_row"],
            "load_cpu_share": run["own_cpu_share"], "p50_us": latency["p50"],
            "p99_us": latency["p99"], **stood_still(run)}


def shape(connections, pipeline, batch):
    return ["--items", str(ITEMS), "--connections", str(connections), "--pipeline", str(pipeline),
            "--batch", str(batch)]


def reserve(server, connections, pipeline, batch, *more):
    """A closed loop of holds, with a million buyers."""
    with server:
        run = server.load("--scenario", "reserve", *shape(connections, pipeline, batch), "--buyers",
                          "1M", "--duration", f"{server.options.seconds}s", "--requests",
                          str(REQUESTS_MAX), *more)
    return rate_figures(run, "accepted")


# ---- without a server ----

def flush_us(directory, size=4096, writes=100):
    """The median of durable writes of so many bytes, a multiple of 4096: over zeros that were written
    before, as the server's log is, so that the file system's own journal is not timed."""
    with tempfile.NamedTemporaryFile(dir=directory) as file:
        for _ in range(writes):
            file.write(bytes(size))
        file.flush()
        os.fsync(file.fileno())
        page = mmap.mmap(-1, size)
        fd = os.open(file.name, os.O_WRONLY | os.O_DIRECT | os.O_DSYNC)
        times = []
        for number in range(writes):
            before = time.perf_counter()
            os.pwrite(fd, page, number * size)
            times.append(time.perf_counter() - before)
        os.close(fd)
    return statistics.median(times) * 1e6


def program(options, *command):
    """What a program of the build prints, on the server's CPU."""
    name, *arguments = command
    done = subprocess.run(["taskset", "-c", SERVER_CPU, os.path.join(options.bin, name), *arguments],
                          stdout=subprocess.PIPE, check=False, text=True)
    if done.returncode != 0:
        fail(f"{' '.join(command)} ended with exit code {done.returncode}")
    return done.stdout


MICRO_LINE = re.compile(r"^(\S.*?) {2,}(\d+) (\w+) .*?([0-9.]+) ns, ([0-9.]+) ns of processor time$",
                        re.M)


def micro(options, *command):
    """Of each line of micro-stock or micro-row: how many, and processor time of one in ns."""
    return {what: (int(count), float(processor_ns)) for what, count, _, _, processor_ns
            in MICRO_LINE.findall(program(options, *command))}


def gnuplot(text, path):
    """What the script draws, written here: gnuplot itself ends well on a full disk too."""
    drawn = subprocess.run(["gnuplot"], input=text.encode(), stdout=subprocess.PIPE,
                           check=True).stdout
    with open(path, "wb") as file:
        file.write(drawn)


# ---- figures ----

def summary(runs):
    """Of each figure the median, the lowest and the highest."""
    return {name: {"median": statistics.median(run[name] for run in runs),
                   "min": min(run[name] for run in runs), "max": max(run[name] for run in runs)}
            for name in runs[0]}


def number(value):
    if value >= MILLION:
        return f"{value / MILLION:,.2f}M"
    return f"{value / 1000:,.0f}k" if value >= 10_000 else f"{value:,.3g}" if value < 1000 else f"{value:,.0f}"


def machine(options):
    """Where and how it was measured."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = next((row.split(":")[1].strip() for row in file if row.startswith("model name")),
                     "unknown")
    return {"cpu": f"{os.cpu_count()} x {model}", "kernel": platform.release(),
            "load_average_before": options.load_average, "runs": options.runs}


def place_of_loads(options):
    """The same of scripts that put loads on servers."""
    return {**machine(options), "seconds": options.seconds,
            "settings": f"one server core on CPU {SERVER_CPU}, load on CPU {LOAD_CPU}, durability "
                        f"sync, tables of {TABLE}, memory taken ahead, segments of {SEGMENT}"}


def machine_line(about):
    return (f"{about['cpu']}, Linux {about['kernel']}, load average "
            f"{about['load_average_before']:.2f} before")
