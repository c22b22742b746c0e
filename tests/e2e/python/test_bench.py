"""holdfast-bench against a server that goes away: whatever happens to the server, the load ends,
within its --timeout, with exit code 2, and claims nothing that it did not see. And its open loop:
it keeps to its plan, and a server that stalls can't hide it. And series of runs."""

import argparse
import collections
import contextlib
import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree

from harness import SKIPPED, Checks, Server
from holdfast_client import Client, load_messages

TROUBLE = 2
TIMEOUT_S = 3          # the load's own
MARGIN_S = 30          # a sanitized program on a busy machine
LOAD_BEGINS_S = 60
TABLES = ["--max-reservations", "1M", "--max-buyers", "1M"]


class Bench:
    """The load as a child process; it has had answers when __init__ returns."""

    def __init__(self, program, server, *more, env=None):
        self.progress_path = os.path.join(server.folder, "progress")
        self.report_path = os.path.join(server.folder, "report.json")
        with open(self.progress_path, "wb") as stderr, open(self.report_path, "wb") as stdout:
            self.process = subprocess.Popen(
                [program, "--server", "127.0.0.1:%d" % server.port, "--connections", "8",
                 "--timeout", "%ds" % TIMEOUT_S, "--progress", "20ms", "--json",
                 *([] if "storm" in more else ["--items", "20"]),
                 *([] if "--duration" in more or "storm" in more else ["--requests", "20M"]),
                 *more],
                stdout=stdout, stderr=stderr, env=env)
        deadline = time.monotonic() + LOAD_BEGINS_S
        while (not re.search("[1-9][0-9]* answered", self.stderr()) and
               self.process.poll() is None and time.monotonic() < deadline):
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
    timeline = Timeline(server)
    bench = Bench(options.bench, server, *timeline.options)
    checks.equal("server stops under load with exit code 0", server.stop(), 0)
    report = check_end(checks, "server stopped", bench)
    check_timeline(checks, "server stopped", timeline, report, 100)
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


class Timeline:
    """Both files of a run's timeline, in the server's folder."""

    def __init__(self, server):
        self.lines_path = os.path.join(server.folder, "timeline.csv")
        self.histograms_path = os.path.join(server.folder, "histograms.csv")
        self.options = ["--timeline", self.lines_path, "--histograms", self.histograms_path]

    @staticmethod
    def rows(path):
        with open(path, encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def lines(self):
        return self.rows(self.lines_path)

    def merged(self):
        """All intervals' latencies: count by upper end, in microseconds."""
        counts = collections.Counter()
        for row in self.rows(self.histograms_path):
            buckets = [bucket.split(":") for bucket in row["buckets"].split()]
            assert sum(int(count) for _, count in buckets) == int(row["count"])
            for end, count in buckets:
                counts[float(end)] += int(count)
        return counts


def quantile(counts, share):
    """As the help says: up from the lowest end until the share is counted."""
    wanted, seen = share * sum(counts.values()), 0
    for end in sorted(counts):
        seen += counts[end]
        if seen >= wanted:
            return end
    return 0


def check_timeline(checks, name, timeline, report, interval_ms):
    """Its sums are the report's, and so are the percentiles of its merged histograms."""
    lines = timeline.lines()
    reserve = report["results"]["reserve"]
    accepted = reserve.get("OK", 0) + reserve.get("DUPLICATE", 0)
    checks.equal("%s: the timeline's sums are the report's" % name,
                 [sum(int(line[column]) for line in lines)
                  for column in ("accepted", "refused", "lost")],
                 [accepted, report["reserve_answered"] - accepted, reserve["lost"]])
    checks.equal("%s: a line per interval" % name, [int(line["start_ms"]) for line in lines],
                 [interval_ms * i for i in range(len(lines))])
    began_ms = {int(line["unix_ms"]) - int(line["start_ms"]) for line in lines}
    checks.check("%s: its time is the clock's" % name,
                 len(began_ms) == 1 and 0 < time.time() * 1000 - min(began_ms) < 600e3, began_ms)
    counts = timeline.merged()
    checks.equal("%s: every answer is in the histograms" % name, sum(counts.values()),
                 report["reserve_answered"])
    latency = report["latency_us"]
    slowest = max(float(line["max_us"]) for line in lines if line["max_us"])
    checks.check("%s: the slowest answer is the report's" % name,
                 abs(slowest - max(latency[kind]["max"]
                                   for kind in ("accepted", "repeated", "refused"))) < 0.01,
                 (slowest, latency))
    if reserve.get("OK", 0) == report["reserve_answered"]:
        for text, share in (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)):
            got, expected = quantile(counts, share), latency["accepted"][text]
            checks.check("%s: %s of the merged histograms" % (name, text),
                         0.99 * expected <= got <= 1.01 * expected + 0.001, (got, expected))


def load_is_stopped(checks, options, server):
    """As by ctrl-Z, or with its whole machine, for longer than the timeout: the server did answer."""
    bench = Bench(options.bench, server, "--scenario", "reserve", "--duration", "1s")
    bench.process.send_signal(signal.SIGSTOP)
    time.sleep(TIMEOUT_S + 0.5)
    bench.process.send_signal(signal.SIGCONT)
    checks.equal("load is stopped: exit code 0", bench.exit_code(), 0)
    checks.equal("load is stopped: no answer is lost",
                 bench.report()["results"]["reserve"]["lost"], 0)


def open_loop(checks, options, server):
    """Every click is sent, not before its time, and the books balance."""
    for arrival, batch in (("constant", 1), ("poisson", 8)):
        name = "open loop, %s, frames of %d" % (arrival, batch)
        rate, requests = 4000, 6000
        first_item = 1000 + batch * 100
        timeline = Timeline(server)
        bench = Bench(options.bench, server, "--first-item", str(first_item), "--rate", str(rate),
                      "--arrival", arrival, "--batch", str(batch), "--requests", str(requests),
                      "--verify", "--interval", "50ms", *timeline.options)
        checks.equal("%s: exit code 0" % name, bench.exit_code(), 0)
        report = bench.report()
        checks.equal("%s: all clicks are answered" % name, report["reserve_answered"], requests)
        checks.check("%s: it took its time" % name,
                     report["reserve_elapsed_s"] > 0.7 * requests / rate,
                     report["reserve_elapsed_s"])
        plan = report["open_loop"]
        checks.equal("%s: rate and arrival are told" % name, (plan["rate"], plan["arrival"]),
                     (rate, arrival))
        checks.check("%s: every frame's delay is known" % name,
                     plan["own_delay_us"]["count"] == report["frames"], plan)
        checks.equal("%s: nothing is left behind" % name, plan["behind_s"], 0)
        for kind in ("accepted", "repeated", "refused", "confirm", "cancel"):
            latency, service = report["latency_us"][kind], plan["service_us"][kind]
            checks.check("%s: service is a part of latency, %s" % (name, kind), all(
                service[column] <= latency[column] for column in latency), (latency, service))
        still, outside = report["standstills"], plan["outside_standstills_us"]
        checks.check("%s: what standstills do not touch is a part of all" % name, still is None or all(
            outside[kind]["count"] <= times["count"] and
            (still["count"] > 0 or outside[kind] == times)
            for kind, times in report["latency_us"].items()), (still, outside))
        check_timeline(checks, name, timeline, report, 50)


def server_pauses(checks, options, server):
    """For one second of four nothing is answered, and one frame at a time is in flight: those that
    wait for room are served quickly later, but they were planned long before."""
    timeline = Timeline(server)
    bench = Bench(options.bench, server, "--scenario", "reserve", "--rate", "1000", "--requests",
                  "4000", "--connections", "2", "--pipeline", "1", *timeline.options)
    server.process.send_signal(signal.SIGSTOP)
    time.sleep(1)
    server.process.send_signal(signal.SIGCONT)
    checks.equal("server pauses: exit code 0", bench.exit_code(), 0)
    report = bench.report()
    checks.equal("server pauses: all clicks are answered", report["reserve_answered"], 4000)
    latency = report["latency_us"]["accepted"]
    service = report["open_loop"]["service_us"]["accepted"]
    checks.check("server pauses: the longest latency is the pause", latency["max"] > 900e3, latency)
    checks.check("server pauses: each click that it delayed counts", latency["p90"] > 300e3, latency)
    checks.check("server pauses: which service times hide", service["p90"] < latency["p90"] / 2,
                 (latency, service))
    still = report["standstills"]
    checks.check("server pauses: that is no standstill of the machine",
                 still is None or still["max_ms"] < 900, still)
    check_timeline(checks, "server pauses", timeline, report, 100)
    checks.check("server pauses: each interval in it shows it", 5 <= sum(
        line["p50_us"] != "" and float(line["p50_us"]) > 200e3 for line in timeline.lines()),
        timeline.lines())
    checks.check("server pauses: that is told as waiting for room",
                 report["open_loop"]["waited_frames"] > 500, report["open_loop"])


def stopped_behind_its_plan(checks, options, server):
    """A server that hangs and a load that is told to stop: what was planned meanwhile was never
    sent, and the report says so."""
    bench = Bench(options.bench, server, "--scenario", "reserve", "--rate", "1000", "--connections",
                  "2", "--pipeline", "1")
    server.process.send_signal(signal.SIGSTOP)
    time.sleep(1)
    bench.process.send_signal(signal.SIGINT)
    report = check_end(checks, "stopped behind its plan", bench)
    checks.check("stopped behind its plan: the report tells how far",
                 0.9 < report["open_loop"]["behind_s"] < 10, report["open_loop"]["behind_s"])
    checks.check("stopped behind its plan: with a warning",
                 any("behind its plan" in warning for warning in report["warnings"]),
                 report["warnings"])


def series(checks, options, server):
    """Three runs, each on items and under ids of its own, each with a warm-up that does not count,
    and the median of what they found."""
    bench = Bench(options.bench, server, "--requests", "4000", "--rate", "8000", "--warmup",
                  "200ms", "--runs", "3", "--verify", "--cpus", "0")
    checks.equal("series: exit code 0", bench.exit_code(), 0)
    report = bench.report()
    checks.equal("series: it names what it is made of",
                 [report["settings"][name] for name in ("runs", "warmup_s", "cpus")], [3, 0.2, "0"])
    runs = report["runs"]
    checks.equal("series: every run is told", len(runs), 3)
    for run in runs:
        checks.check("series: the warm-up does not count", 0 < run["warmup_answered"] and
                     run["answered"] == sum(sum(op.values()) for op in run["results"].values()) and
                     run["reserve_answered"] < 4000, run)
        checks.check("series: what counts are the seconds behind it",
                     0.2 < run["reserve_elapsed_s"] and
                     sum(run["latency_us"][kind]["count"] for kind in run["latency_us"]) ==
                     run["answered"], run)
        checks.equal("series: each finds what the others found, and its books balance",
                     (run["verify"]["good"], run["verify"]["failures"], run["trouble"]),
                     (True, [], ""))
        checks.equal("series: each has items of its own", run["verify"]["units_stock"], 10000)
    for name, value in report["median"]["latency_us"]["accepted"].items():
        checks.equal("series: median of %s" % name, value,
                     sorted(run["latency_us"]["accepted"][name] for run in runs)[1])
    checks.equal("series: median of the rate", report["median"]["reserve_per_second"],
                 sorted(run["reserve_per_second"] for run in runs)[1])


def series_breaks_off(checks, options, server):
    """A server that stops in a series: no further run is begun, and what there is is told."""
    bench = Bench(options.bench, server, "--runs", "5", "--rate", "1000", "--requests", "200M",
                  "--scenario", "reserve")
    server.stop()
    checks.equal("series broken off: exit code 2", bench.exit_code(), TROUBLE)
    checks.equal("series broken off: one run was begun", len(bench.report()["runs"]), 1)


def ends_in_its_warmup(checks, options, server):
    bench = Bench(options.bench, server, "--scenario", "reserve", "--requests", "1000", "--warmup",
                  "1h")
    checks.equal("ends in its warm-up: exit code 2", bench.exit_code(), TROUBLE)
    report = bench.report()
    checks.check("ends in its warm-up: it says so", "--warmup" in report["trouble"], report)
    checks.equal("ends in its warm-up: all of it was warm-up",
                 (report["warmup_answered"], report["answered"]), (1000, 0))


def environment(checks, options, server):
    """A report names the machine; with --server-pid the server's settings and its disk too. The
    measurement leaves nothing behind."""
    before = sorted(os.listdir(server.folder))
    bench = Bench(options.bench, server, "--requests", "1000", "--server-pid",
                  str(server.process.pid))
    checks.equal("environment: exit code 0", bench.exit_code(), 0)
    place = bench.report()["environment"]
    checks.check("environment: the machine is named", place["cpu"] != "" and
                 place["cpus"] == os.sysconf("SC_NPROCESSORS_ONLN") and place["memory_bytes"] > 2**20
                 and os.uname().release in place["kernel"], place)
    checks.equal("environment: the server's data directory", place["data_directory"],
                 os.path.realpath(server.data))
    checks.check("environment: the server's settings",
                 place["server_command"].endswith("--max-buyers 1M"), place)
    checks.check("environment: the file system", place["file_system"] and place["device"], place)
    checks.check("environment: the flush time, or why it is not known",
                 (place["flush_us"] or 0) > 0 or place["not_known"], place)
    checks.equal("environment: nothing is left beside the data", sorted(os.listdir(server.folder)),
                 sorted({*before, "progress", "report.json"}))

    bench = Bench(options.bench, server, "--first-item", "500", "--requests", "1000",
                  "--timeout", "30s")
    checks.equal("environment, server unknown: exit code 0", bench.exit_code(), 0)
    place = bench.report()["environment"]
    checks.check("environment, server unknown: it says why the disk is not known",
                 "--server-pid" in place["not_known"] and place["flush_us"] is None, place)
    bench = Bench(options.bench, server, "--first-item", "600", "--requests", "1000",
                  "--timeout", "30s", "--server-pid", str(os.getpid()))
    checks.equal("environment, another process: exit code 0", bench.exit_code(), 0)
    checks.check("environment, another process: it has no --data",
                 "no --data" in bench.report()["environment"]["not_known"])


def storm(checks, options, server):
    """Holds of three items on two cores end in the same millisecond, and all units come back; the
    others' latencies are those of every click, in the phase in which each was planned."""
    bench = Bench(options.bench, server, "--scenario", "storm", "--items", "3", "--units", "20k",
                  "--hold-time", "4s", "--duration", "1s", "--rate", "500", "--runs", "2")
    checks.equal("storm: exit code 0", bench.exit_code(), 0)
    report = bench.report()
    for run in report["runs"]:
        seen = run["storm"]
        checks.equal("storm: all holds have the same deadline",
                     (seen["holds"], seen["deadline_spread_ms"]), (20000, 0))
        # the clocks are compared to within a round trip, which a busy machine makes long
        checks.check("storm: units come back, not before", -20 < seen["first_back_ms"] <=
                     seen["all_back_ms"] < 20e3, seen)
        phases = [seen["latency_%s_us" % name]["count"] for name in ("before", "during", "after")]
        checks.equal("storm: every click is in a phase", sum(phases), run["reserve_answered"])
        checks.check("storm: clicks are planned before the deadline and behind it",
                     phases[0] > 400 and phases[1] + phases[2] > 400, phases)


def rows_are_handed_over(checks, options, server):
    """The load asks each core for the items of the other one."""
    arguments = ("--items", "20", "--requests", "4000", "--batch", "8", "--verify")
    client = Client(load_messages(scratch=options.scratch), "127.0.0.1", server.port, timeout_s=30)
    with contextlib.closing(client):
        for more, expected in ((), 0), (("--hand-over", "--first-item", "100"), 4000):
            before = sum(client.stat(core).rows_forwarded for core in range(2))
            bench = Bench(options.bench, server, *arguments, *more)
            checks.equal("hand-over: exit code 0, books balance %s" % (more,), bench.exit_code(), 0)
            checks.equal("hand-over: the settings tell it %s" % (more,),
                         bench.report()["settings"]["hand_over"], bool(more))
            after = sum(client.stat(core).rows_forwarded for core in range(2))
            checks.check("hand-over: rows handed over %s, those read back too" % (more,),
                         after - before >= expected if more else after == before, (before, after))
    lone = Server(options.holdfastd, 1, options.scratch, more=TABLES)
    try:
        bench = Bench(options.bench, lone, "--hand-over", "--items", "1")
        checks.equal("hand-over, one core: exit code 2", bench.exit_code(), TROUBLE)
        checks.check("hand-over, one core: it says so", "--hand-over" in bench.stderr(), bench.stderr())
    finally:
        lone.clean()


def more_items_than_fit(checks, options, server):
    """The server holds a thousand."""
    bench = Bench(options.bench, server, "--items", "5k", "--progress", "10ms")
    checks.equal("more items than fit: exit code 2", bench.exit_code(), TROUBLE)
    checks.check("more items than fit: it says what the server needs",
                 "--max-items" in bench.stderr(), bench.stderr())


def items_read_back(checks, options, server):
    """All of them, so many that requests go out and answers come in while others are made."""
    bench = Bench(options.bench, server, "--items", "1000", "--requests", "5000", "--units",
                  "unlimited", "--verify")
    checks.equal("items read back: exit code 0", bench.exit_code(), 0)
    bench = Bench(options.bench, server, "--first-item", "1", "--items", "500", "--units",
                  "unlimited", "--requests", "1000", "--verify")
    checks.equal("items that exist as asked for are used: exit code 0", bench.exit_code(), 0)
    bench = Bench(options.bench, server, "--items", "500", "--units", "1000", "--requests", "1000")
    checks.equal("items with other settings: exit code 2", bench.exit_code(), TROUBLE)
    checks.check("items with other settings: it says what to do",
                 "--first-item" in bench.stderr(), bench.stderr())


def storm_without_room(checks, options, server):
    bench = Bench(options.bench, server, "--scenario", "storm", "--units", "1100k",
                  "--hold-time", "10m")
    checks.equal("storm without room: exit code 2", bench.exit_code(), TROUBLE)
    checks.check("storm without room: it says what the server needs",
                 "--max-reservations" in bench.stderr(), bench.stderr())
    bench = Bench(options.bench, server, "--scenario", "storm", "--first-item", "100",
                  "--hold-time", "500ms")
    checks.equal("storm without time: exit code 2", bench.exit_code(), TROUBLE)
    checks.check("storm without time: it says so", "--hold-time" in bench.stderr(), bench.stderr())


def storm_without_end(checks, options, server):
    """The server goes away long before the holds end: nobody waits for their deadline."""
    bench = Bench(options.bench, server, "--scenario", "storm", "--units", "1000", "--hold-time", "1h")
    server.kill()
    report = check_end(checks, "storm, server gone", bench)
    checks.equal("storm, server gone: it is not told when all was back",
                 report["storm"]["all_back_ms"], None)


def told_to_end(checks, options, server):
    """By whoever stops services: what there is until then is told, as after ctrl-C."""
    timeline = Timeline(server)
    bench = Bench(options.bench, server, *timeline.options)
    bench.process.send_signal(signal.SIGTERM)
    report = check_end(checks, "told to end", bench)
    checks.check("told to end: the trouble is the signal", "signal" in report["trouble"], report)
    check_timeline(checks, "told to end", timeline, report, 100)


def full_disk(checks, options, server):
    """A report that could not be written is never a success, and which one it was is told."""
    load = [options.bench, "--server", "127.0.0.1:%d" % server.port, "--scenario", "reserve",
            "--items", "20", "--requests", "1000"]
    outputs = {"--csv": "/dev/full", "--hgrm": "/dev/full", "--timeline": "the timeline",
               "--histograms": "the histograms"}
    if shutil.which("gnuplot") is not None:
        outputs["--plot"] = "/dev/full"
    for option, name in outputs.items():
        done = subprocess.run([*load, option, "/dev/full"], stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, check=False, text=True)
        checks.equal("full disk, %s: exit code 2" % option, done.returncode, TROUBLE)
        checks.check("full disk, %s: it says so and nothing else" % option, re.fullmatch(
            "holdfast-bench: cannot write '?%s'?: No space left on device\n" % name, done.stderr),
            done.stderr)
    for more in ([], ["--json"]):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([*load, *more], stdout=full, stderr=subprocess.PIPE, check=False,
                                  text=True)
        checks.equal("full disk, report %s: exit code 2" % more, done.returncode, TROUBLE)
        checks.check("full disk, report %s: it says so" % more, "standard output" in done.stderr,
                     done.stderr)


def no_standard_output(checks, options, server):
    """When it is closed, no other file takes its place."""
    path = os.path.join(server.folder, "runs.csv")
    done = subprocess.run([options.bench, "--server", "127.0.0.1:%d" % server.port, "--items", "20",
                           "--requests", "1000", "--csv", path], check=False,
                          preexec_fn=lambda: os.close(1))
    checks.equal("no standard output: exit code 0", done.returncode, 0)
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines()
    checks.equal("no standard output: the CSV is a CSV", [line.split(",")[0] for line in lines],
                 ["run", "1"])


def mixed(checks, options, server):
    """Every kind of request at once, for a time and not for a number: each has its latencies and
    comes in its share, and the books balance."""
    bench = Bench(options.bench, server, "--scenario", "mixed", "--duration", "2s", "--rate",
                  "3000", "--warmup", "300ms", "--hold-time", "400ms", "--verify", "--settle")
    checks.equal("mixed: exit code 0", bench.exit_code(), 0)
    report = bench.report()
    counts = {kind: times["count"] for kind, times in report["latency_us"].items()}
    checks.check("mixed: each kind is there but refusals",
                 all(counts[kind] > 0 for kind in counts if kind != "refused"), counts)
    checks.check("mixed: about 6000 clicks in two seconds",
                 5000 < report["reserve_answered"] < 7000, report["reserve_answered"])
    settled = report["verify"]
    made = report["accepted_reservations"]
    if report["results"]["confirm"].get("EXPIRED", 0) == 0:  # else the machine was too slow
        for state, share in (("confirmed", 0.5), ("cancelled", 0.2), ("expired", 0.3)):
            checks.check("mixed: share of %s" % state,
                         abs(settled[state] / made - share) < 0.04, (settled, made))
    checks.check("mixed: holds end while it goes on", report["server_expiries"]["count"] > 100,
                 report["server_expiries"])
    checks.check("mixed: the books balance", settled["good"], settled)


def ramp(checks, options, server):
    """Three rates, two runs at each: a line per run in the CSV, and the medians over the rate."""
    csv_path = os.path.join(server.folder, "runs.csv")
    bench = Bench(options.bench, server, "--scenario", "reserve", "--ramp", "1k:3500:1k",
                  "--duration", "300ms", "--runs", "2", "--csv", csv_path)
    checks.equal("ramp: exit code 0", bench.exit_code(), 0)
    report = bench.report()
    rates = [1000, 1000, 2000, 2000, 3000, 3000]
    checks.equal("ramp: two runs at each rate",
                 [run["open_loop"]["rate"] for run in report["runs"]], rates)
    checks.check("ramp: more clicks at a higher rate", all(
        0.5 * rate < run["reserve_answered"] / 0.3 <= 1.1 * rate
        for rate, run in zip(rates, report["runs"])), report["runs"])
    checks.equal("ramp: a median for each rate", [step["rate"] for step in report["ramp"]],
                 [1000, 2000, 3000])
    for i, step in enumerate(report["ramp"]):
        pair = report["runs"][2 * i:2 * i + 2]
        middle = sum(run["latency_us"]["accepted"]["p99"] for run in pair) / 2
        checks.check("ramp: the median is that of its runs",
                     abs(step["clicks_us"]["p99"] - middle) < 0.01, (step, middle))
    with open(csv_path, encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    checks.equal("ramp: a line per run",
                 [(int(line["run"]), int(line["rate"]), int(line["answered"])) for line in lines],
                 [(i + 1, rate, run["reserve_answered"])
                  for i, (rate, run) in enumerate(zip(rates, report["runs"]))])
    checks.check("ramp: with its latencies", all(
        abs(float(line["p99.9_us"]) - run["latency_us"]["accepted"]["p99.9"]) < 0.01
        for line, run in zip(lines, report["runs"])), lines)


def hdr_histogram(checks, options, server):
    """The file is read as plotFiles.html of HdrHistogram does: four columns, others skipped."""
    path = os.path.join(server.folder, "latency.hgrm")
    bench = Bench(options.bench, server, "--requests", "3000", "--runs", "2", "--hgrm", path)
    checks.equal("hgrm: exit code 0", bench.exit_code(), 0)
    report = bench.report()
    with open(path, encoding="utf-8") as file:
        text = file.read()
    rows = [[float(field) for field in line.split()] for line in text.splitlines()
            if re.match(r"^[ 0-9.]+$", line)]
    points = [row for row in rows if len(row) == 4]
    checks.check("hgrm: points in rising order", len(points) > 20 and points == sorted(points) and
                 points[0][1] == 0, points)
    answered = sum(run["reserve_answered"] for run in report["runs"])
    checks.equal("hgrm: all clicks of all runs are in it", (rows[-1][1], int(rows[-1][2])),
                 (1, answered))
    checks.check("hgrm: the largest is that of the runs", abs(rows[-1][0] - max(
        run["latency_us"][kind]["max"] for run in report["runs"]
        for kind in ("accepted", "repeated", "refused"))) < 0.01, rows[-1])


def drawings(checks, options, server):
    """A drawing is an SVG with four lines; without gnuplot it is refused before anything is done."""
    path = os.path.join(server.folder, "it's \"a\" drawing.svg")
    bench = Bench(options.bench, server, "--scenario", "reserve", "--plot", path, "--duration", "1s",
                  env={"PATH": ""})
    checks.equal("no gnuplot: exit code 1", bench.exit_code(), 1)
    checks.check("no gnuplot: it names the package", "gnuplot-nox" in bench.stderr(),
                 bench.stderr())
    checks.check("no gnuplot: nothing is done", not os.path.exists(path) and
                 bench.report_text() == "")
    if shutil.which("gnuplot") is None:
        print("skipped: drawings, gnuplot is not installed")
        return
    timeline = os.path.join(server.folder, "drawn.csv")
    for name, more in (("over time", []),
                       ("over time, with a timeline", ["--timeline", timeline]),
                       ("over load", ["--ramp", "1k:3k:1k"])):
        bench = Bench(options.bench, server, "--scenario", "reserve", "--duration", "500ms",
                      "--plot", path, *([] if "--ramp" in more else ["--rate", "2000"]), *more)
        checks.equal("drawing %s: exit code 0" % name, bench.exit_code(), 0)
        tree = xml.etree.ElementTree.parse(path)
        texts = "".join(tree.getroot().itertext())
        checks.check("drawing %s: it is named and has its lines" % name,
                     all(text in texts for text in ("holdfast-bench: reserve", "p50", "p99.9",
                                                    "max")), texts)
    checks.check("drawing over time: the timeline that was asked for is there",
                 os.path.getsize(timeline) > 100)


def run_tests(description, tests, tables):
    """Each test on a server of its own."""
    parser = argparse.ArgumentParser(description=description)
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
    for test in tests:
        server = Server(options.holdfastd, options.cores, options.scratch, more=tables)
        try:
            test(checks, options, server)
        finally:
            server.clean()
    sys.exit(checks.finish())


TESTS = (server_stops, server_stops_for_good, server_hangs, load_is_stopped, open_loop, server_pauses,
         stopped_behind_its_plan, series, series_breaks_off, ends_in_its_warmup,
         environment, rows_are_handed_over, more_items_than_fit, items_read_back, storm, storm_without_room,
         storm_without_end, told_to_end, full_disk, no_standard_output, mixed, ramp, hdr_histogram, drawings)

if __name__ == "__main__":
    run_tests(__doc__, TESTS, TABLES)
