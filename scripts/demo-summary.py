#!/usr/bin/python3
"""The last page of scripts/demo: what the load tool, the server and the log say, side by side.

Usage: demo-summary.py DIRECTORY RESTART_MS LOG_VERIFY_EXIT_CODE
Exit code 0 only if the books balance, every check of the load tool was good, the log verifies, and
the log replays to the state that the server had when it stopped.
"""

import json
import re
import sys


def line(name, text):
    print(f"{name:<16}{text}")


def main():
    directory, restart_ms, log_code = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    with open(f"{directory}/report.json") as file:
        report = json.load(file)
    with open(f"{directory}/items.json") as file:
        items = json.load(file)
    with open(f"{directory}/log.json") as file:
        log = file.read()
    with open(f"{directory}/server.log") as file:
        server_log = file.read()

    reserve = report["results"]["reserve"]
    verify = report["verify"]
    line("offered", f"{report['reserve_answered']:,} clicks in {report['reserve_elapsed_s']:.1f} s, "
         f"crash and restart included: {report['reserve_per_second']:,.0f} a second")
    line("", f"under {verify['reservations_read']:,} reservation ids: a second click repeats the id "
         "of the first")
    line("accepted", f"{report['accepted_reservations']:,} reservations, told "
         f"{reserve.get('OK', 0) + reserve.get('DUPLICATE', 0):,} times "
         "(second clicks get the first answer again)")
    refused = {k: v for k, v in reserve.items() if k not in ("OK", "DUPLICATE", "lost")}
    line("refused", ", ".join(f"{k} {v:,}" for k, v in sorted(refused.items(), key=lambda i: -i[1])))
    if "SOLD_OUT" in refused:
        line("", "sold out at that moment; the units available below came back later, when holds "
             "were cancelled or expired")
    line("then", f"{verify['confirmed']:,} paid, {verify['cancelled']:,} cancelled, "
         f"{verify['expired']:,} expired and came back")
    for name in ("accepted", "refused"):
        latency = report["latency_us"][name]
        line(f"{name}, us", f"p50 {latency['p50']:,.0f}   p99 {latency['p99']:,.0f}   "
             f"max {latency['max']:,.0f}, crash included")

    crash = report["interruptions"][0] if report["interruptions"] else None
    if crash:
        line("killed", f"after {crash['began_s']:.2f} s and {crash['answered_rows']:,} answers; "
             f"serving again after {restart_ms} ms; {report['resent']:,} unanswered rows "
             "sent again under the same ids")

    starts = [(int(entries), int(records)) for entries, records in re.findall(
        r"(\d+) entries of snapshots loaded, (\d+) records replayed", server_log)]
    entries_loaded, records_replayed = starts[1] if len(starts) > 1 else (0, 0)
    line("snapshots", f"{server_log.split('entries of snapshots')[1].count(': snapshot at LSN')} "
         f"before the crash; the restart loaded {entries_loaded:,} entries of them and replayed "
         f"the {records_replayed:,} records behind them")

    balanced = [i for i in items if i["available"] + i["held"] + i["sold"] == i["stock"]
                and min(i["available"], i["held"], i["sold"]) >= 0]
    total = {k: sum(i[k] for i in items) for k in ("stock", "available", "held", "sold")}
    print("\nbooks                              stock   =  available  +    held  +    sold")
    for item in sorted(items, key=lambda i: -i["stock"])[:5]:
        print(f"  {item['sku']:<28}{item['stock']:>10,}{item['available']:>15,}{item['held']:>11,}"
              f"{item['sold']:>11,}")
    print(f"  all {len(items)} items{'':<16}{total['stock']:>12,}{total['available']:>15,}"
          f"{total['held']:>11,}{total['sold']:>11,}")
    print(f"  {len(balanced)} of {len(items)} items balance\n")

    hashes = re.findall(r"state hash ([0-9a-f]{16}) at stop", server_log)
    existing = sum(verify[state] for state in ("confirmed", "held", "cancelled", "expired"))
    checks = [
        (crash is not None, "the server was killed while the sale ran, and came back"),
        (entries_loaded > 0, "it started from snapshots that it had taken during the sale"),
        (bool(items) and len(balanced) == len(items), "stock = available + held + sold, each item"),
        (total["held"] == 0, "every unpaid hold came back"),
        (total["sold"] == verify["confirmed"], "units sold = reservations paid"),
        (existing == report["accepted_reservations"],
         f"of the {verify['reservations_read']:,} reservation ids, all asked for again, "
         f"{existing:,} exist: as many as were accepted"),
        (verify["good"], "each of them is as it was answered, none that was refused exists, nobody "
         "is over the limit, sequence numbers are without a gap"),
        (log_code == 0, "the log verifies"),
        (bool(hashes) and hashes[-1] in log, "the log replays to the server's last state"),
    ]
    for good, text in checks:
        print(f"  {'yes' if good else 'NO '}  {text}")
    for failure in verify["failures"]:
        print(f"       {failure}")
    good = all(good for good, _ in checks)
    print("\n" + ("Everything held." if good else "SOMETHING IS WRONG."))
    return 0 if good else 1


sys.exit(main())
