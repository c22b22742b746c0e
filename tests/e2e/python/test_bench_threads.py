"""holdfast-bench with several threads: together they make the load that one makes, begin and end
together, and their report is one. Also meant for ThreadSanitizer."""

import signal

from harness import Server
from test_bench import TABLES, TROUBLE, Bench, Timeline, check_end, check_timeline, run_tests

THREADS = 3


def bench(options, server, *more, threads=THREADS):
    """Nothing here is about time-outs, and a busy disk may keep a server for longer than Bench's."""
    return Bench(options.bench, server, "--threads", str(threads), "--timeout", "30s", *more)


def same_load(checks, options, _):
    """As many clicks, and the same reservations, whoever makes them: some are repeated, paid and
    cancelled, and the books balance. On a fresh server each, as the items are the same too."""
    reports = []
    for threads in (1, 2, 4):
        name = "a sale by %d threads" % threads
        server = Server(options.holdfastd, options.cores, options.scratch, more=TABLES)
        load = bench(options, server, "--seed", "5", "--requests", "20k", "--units", "2k",
                     "--verify", threads=threads)
        checks.equal("%s: exit code 0" % name, load.exit_code(), 0)
        report = load.report()
        reports.append(report)
        checks.equal("%s: it names them" % name, report["settings"]["threads"], threads)
        checks.equal("%s: all clicks are answered" % name, report["reserve_answered"], 20000)
        checks.equal("%s: the books balance" % name,
                     (report["verify"]["good"], report["verify"]["failures"]), (True, []))
        checks.check("%s: every answer has a latency" % name, report["answered"] == sum(
            times["count"] for times in report["latency_us"].values()), report["latency_us"])
        checks.check("%s: somebody repeats" % name,
                     report["latency_us"]["repeated"]["count"] > 0, report["latency_us"])
        busiest = report["busiest_thread"]
        watchers_share = 0.05 * (report["standstills"]["cpus"] if report["standstills"] else 0)
        checks.check("%s: the busiest is one of them" % name,
                     0 < busiest["cpu_share"] <= 1.1 and
                     report["own_cpu_share"] <= 1.1 * threads * busiest["cpu_share"] + watchers_share,
                     report)
        server.clean()
    checks.equal("sales by any number of threads: the same reservations were made",
                 len({report["verify"]["reservations_read"] for report in reports}), 1)


def open_loop(checks, options, server):
    """The rate is that of all together, and the timeline has what all did."""
    for arrival in ("constant", "poisson"):
        name = "open loop of threads, %s" % arrival
        timeline = Timeline(server)
        load = bench(options, server, "--first-item", "1" if arrival == "constant" else "101",
                     "--rate", "3000", "--arrival", arrival, "--requests", "4500",
                     "--interval", "50ms", "--connections", "10", *timeline.options)
        checks.equal("%s: exit code 0" % name, load.exit_code(), 0)
        report = load.report()
        checks.equal("%s: all clicks are answered" % name, report["reserve_answered"], 4500)
        checks.check("%s: it took its time" % name, 1.2 < report["reserve_elapsed_s"] < 30,
                     report["reserve_elapsed_s"])
        checks.equal("%s: every frame's delay is known" % name,
                     report["open_loop"]["own_delay_us"]["count"], report["frames"])
        check_timeline(checks, name, timeline, report, 50)


def series(checks, options, server):
    """A disk may stand still for half a second, so a phase is four times as long."""
    load = bench(options, server, "--scenario", "reserve", "--duration", "2s", "--warmup", "2s",
                 "--runs", "2", "--cpus", "0", "--batch", "8")
    checks.equal("series of threads: exit code 0", load.exit_code(), 0)
    for run in load.report()["runs"]:
        checks.check("series of threads: the warm-up does not count",
                     0 < run["warmup_answered"] and run["answered"] ==
                     sum(sum(op.values()) for op in run["results"].values()), run)
        checks.check("series of threads: the duration is that of each",
                     1 < run["reserve_elapsed_s"] < 30, run["reserve_elapsed_s"])


def storm(checks, options, server):
    load = bench(options, server, "--scenario", "storm", "--units", "5k", "--hold-time", "3s",
                 "--duration", "1s", "--rate", "500")
    checks.equal("storm and threads: exit code 0", load.exit_code(), 0)
    report = load.report()
    checks.check("storm and threads: all units come back",
                 report["storm"]["all_back_ms"] is not None, report["storm"])
    phases = [report["storm"]["latency_%s_us" % name]["count"]
              for name in ("before", "during", "after")]
    checks.equal("storm and threads: every click is in a phase", sum(phases),
                 report["reserve_answered"])


def mixed(checks, options, server):
    load = bench(options, server, "--scenario", "mixed", "--duration", "1s", "--rate", "2000",
                 "--hold-time", "400ms", "--verify", "--settle")
    checks.equal("mixed and threads: exit code 0", load.exit_code(), 0)
    checks.check("mixed and threads: the books balance", load.report()["verify"]["good"],
                 load.report()["verify"])


def server_stops(checks, options, server):
    timeline = Timeline(server)
    load = bench(options, server, *timeline.options)
    checks.equal("server stops under load of threads with exit code 0", server.stop(), 0)
    report = check_end(checks, "threads without a server", load)
    checks.equal("threads without a server: one interruption is told, of all",
                 [at["lasted_s"] for at in report["interruptions"]], [None])
    check_timeline(checks, "threads without a server", timeline, report, 100)


def server_comes_back(checks, options, server):
    """All threads lose their connections, find another server of the same name and data, and send
    again what was not answered."""
    load = bench(options, server, "--reconnect", "60s", "--requests", "60k", "--units", "20k",
                 "--verify")
    server.kill()
    again = Server(options.holdfastd, options.cores, options.scratch, more=TABLES,
                   data=server.data, port=server.port)
    try:
        checks.equal("server comes back: exit code 0", load.exit_code(), 0)
        report = load.report()
        checks.equal("server comes back: one interruption of all threads",
                     [at["lasted_s"] is None for at in report["interruptions"]], [False])
        checks.equal("server comes back: all clicks are answered", report["reserve_answered"],
                     60000)
        checks.equal("server comes back: the books balance",
                     (report["verify"]["good"], report["verify"]["failures"]), (True, []))
    finally:
        again.clean()


def told_to_stop(checks, options, server):
    load = bench(options, server, "--scenario", "reserve", "--rate", "1000")
    load.process.send_signal(signal.SIGINT)
    report = check_end(checks, "threads told to stop", load)
    checks.equal("threads told to stop: nothing is lost", report["results"]["reserve"]["lost"], 0)
    checks.check("threads told to stop: that is told", "signal" in report["trouble"],
                 report["trouble"])


def too_few_connections(checks, options, server):
    """Two cores, and each thread needs a connection to each of them."""
    load = bench(options, server, "--connections", "8", threads=5)
    checks.equal("too few connections: exit code 2", load.exit_code(), TROUBLE)
    checks.check("too few connections: it says how many are needed", "10" in load.stderr(),
                 load.stderr())


TESTS = (same_load, open_loop, series, storm, mixed, server_stops, server_comes_back,
         told_to_stop, too_few_connections)

if __name__ == "__main__":
    run_tests(__doc__, TESTS, TABLES)
