"""The holdfast command line and the examples against a real server: what they print, their exit
codes, and what they say of wrong input."""

import argparse
import json
import os
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

import xxhash

from harness import SKIPPED, Checks, Server

APPLIED, USAGE, REFUSED, NOT_SENT, UNKNOWN, BAD_INPUT, DAMAGED = range(7)
TIMEOUT_S = 120


class Cli:
    def __init__(self, program, address, checks):
        self.program, self.address, self.checks = program, address, checks

    def run(self, *arguments, environment=None):
        """Exit code, stdout, stderr."""
        environment = dict(os.environ, HOLDFAST_SERVER=self.address, **(environment or {}))
        done = subprocess.run([self.program, *arguments], env=environment, capture_output=True,
                              timeout=TIMEOUT_S, check=False)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def expect(self, name, exit_code, *arguments, stderr=None):
        """Runs, checks the exit code and that stderr matches; returns stdout."""
        code, out, err = self.run(*arguments)
        good = code == exit_code and (stderr is None or re.search(stderr, err))
        self.checks.check(name, good, "exit code %d, stderr %r, stdout %r" % (code, err, out))
        return out

    def expect_json(self, name, exit_code, *arguments):
        out = self.expect(name, exit_code, "--json", *arguments)
        try:
            return json.loads(out)
        except ValueError as error:
            self.checks.check(name + " (JSON)", False, "%s: %r" % (error, out))
            return {}


class DeafProxy:
    """Lets greetings through to the server, and swallows everything after them."""

    def __init__(self, port):
        self.upstream = ("127.0.0.1", port)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.greet, args=(connection,), daemon=True).start()

    def greet(self, connection):
        with connection, socket.create_connection(self.upstream) as upstream:
            upstream.sendall(connection.recv(4096))
            connection.sendall(upstream.recv(4096))
            while connection.recv(4096):
                pass

    def close(self):
        self.listener.close()


class Relay(DeafProxy):
    """Lets everything through that passes() finds good. The client waits for each answer that is
    looked at here: one read, one frame."""

    TYPE_AT = 13

    def greet(self, connection):
        upstream = socket.create_connection(self.upstream)
        threading.Thread(target=self.relay, args=(upstream, connection), daemon=True).start()
        self.relay(connection, upstream)

    def relay(self, source, target):
        with source, target:
            while True:
                try:
                    data = source.recv(65536)
                    if not data:
                        return
                    data = self.passes(data)
                    if data:
                        target.sendall(data)
                except OSError:
                    return


class ForgetfulProxy(Relay):
    """Lets everything through but the server's first answer to a confirm."""

    ANSWERS_TO_CONFIRM = (128 + 17, 128 + 33)

    def __init__(self, port):
        self.forgot = False
        super().__init__(port)

    def passes(self, data):
        if not self.forgot and data[self.TYPE_AT] in self.ANSWERS_TO_CONFIRM:
            self.forgot = True
            return b""
        return data


class SnapshotProxy(Relay):
    """Keeps back the pieces of snapshots, or spoils them."""

    SNAPSHOT_READ = 54

    def __init__(self, port, spoils=False):
        self.spoils = spoils
        self.was_asked = threading.Event()
        super().__init__(port)

    def passes(self, data):
        if data[self.TYPE_AT] != self.SNAPSHOT_READ:
            return data
        self.was_asked.set()
        if not self.spoils:
            return b""
        # an LSN that there is none of is asked for: field 2, behind the core if that is not 0
        covered = bytearray(data[8:])
        lsn_at = 24 + (2 if covered[24] == 0x08 else 0)
        covered[lsn_at + 8] ^= 0x40
        return struct.pack("<Q", xxhash.xxh3_64_intdigest(bytes(covered))) + covered


def test_usage(cli, checks):
    out = cli.expect("help is printed", APPLIED, "--help")
    for word in ("item import", "--hold-time", "exit codes"):
        checks.check("help names " + word, word in out, out)
    out = cli.expect("version is printed", APPLIED, "--version")
    checks.check("version is one line", re.fullmatch(r"holdfast \d+\.\d+\.\d+\n", out), out)
    out = cli.expect("a command's help is printed", APPLIED, "extend", "--help")
    checks.check("it tells what is needed", out.startswith(
        "usage: holdfast extend --sku TEXT|--item ID --id HEX --until MOMENT [OPTIONS]"), out)
    checks.check("and nothing of other commands", "--json" in out and "--stock" not in out, out)
    wrong = [
        ([], "a command is needed"),
        (["frobnicate"], "no command 'frobnicate'"),
        (["item"], "no command 'item'"),
        (["item", "sell"], "no command 'item sell'"),
        (["ping", "now"], "'now' is not expected"),
        (["item", "import"], "FILE.csv is missing"),
        (["item", "show"], "--item or --sku is needed"),
        (["item", "create", "--sku", "A"], "--stock is needed"),
        (["item", "update", "--sku", "A"], "nothing to change"),
        (["cancel", "--sku", "A"], "--id is needed"),
        (["extend", "--sku", "A", "--id", "1" * 32], "--until is needed"),
        (["extend", "--sku", "A", "--id", "1" * 32, "--until", "none"],
         "--until: 'none' is not a time such as .* from now\n"),
        (["reserve", "--sku", "A", "--quantity", "1", "--quantity", "2"],
         "--quantity is given twice"),
        (["ping", "--json", "--json"], "--json is given twice"),
        (["item", "show", "--sku", "A", "--item", "5"], "--item and --sku both name the item"),
        (["ping", "--stock", "5"], "--stock does not go with this command"),
        (["ping", "--nonsense"], "nonsense"),
        (["ping", "--timeout", "fast"], "--timeout: 'fast' is not a time span"),
        (["ping", "--timeout", "0"], "--timeout: '0' is not"),
        (["ping", "--server", "host:99999"], "--server: 'host:99999' is not an address"),
        (["reserve", "--sku", "A", "--id", "12"], "--id: '12' is not 32 hex digits"),
        (["reserve", "--sku", "A", "--id", "0" * 32], "--id: '0+' is not 32 hex digits, not all 0"),
        (["reserve", "--sku", "A", "--quantity", "0"], "--quantity: '0' is not"),
        (["reserve", "--item", "-5"], "--item: '-5' is not"),
        (["backup"], "DIR is missing"),
        (["backup", "/a", "/b"], "'/b' is not expected"),
        (["backup", "/a", "--core", "0"], "--core does not go with this command"),
        (["snapshot", "--core", "64"], "--core: '64' is not the number of a core"),
        (["item", "create", "--sku", "A", "--stock", "lots"], "--stock: 'lots' is not a count"),
        (["item", "create", "--sku", "A", "--stock", "1", "--opens-at", "soon"],
         "--opens-at: 'soon' is not a time"),
    ]
    for arguments, said in wrong:
        cli.expect("usage: " + " ".join(arguments), USAGE, *arguments, stderr=said)


def test_connecting(cli):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = "127.0.0.1:%d" % free.getsockname()[1]
        cli.expect("nobody listens: not sent, at once", NOT_SENT, "ping", "--server", nobody,
                   "--timeout", "60s", stderr="not sent: .*" + nobody + ".*refused")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = "127.0.0.1:%d" % silent.getsockname()[1]
        cli.expect("nobody answers: not sent, at the timeout", NOT_SENT, "ping", "--server",
                   address, "--timeout", "300ms", stderr="not sent")


def test_items(cli, checks, cores):
    pong = cli.expect_json("ping", APPLIED, "ping")
    checks.equal("ping tells the cores", pong.get("cores"), cores)
    checks.check("ping tells the server's id", re.fullmatch("[0-9a-f]{32}", pong["server_id"]))
    create = ["item", "create", "--sku", "LAMP", "--stock", "10", "--buyer-limit", "4",
              "--hold-time", "1h30m", "--closes-at", "2099-01-01T00:00:00Z"]
    checked = cli.expect_json("create, validating only", APPLIED, *create, "--validate-only")
    checks.equal("validating only is OK", checked.get("result"), "OK")
    cli.expect("and creates nothing", REFUSED, "item", "show", "--sku", "LAMP",
               stderr="no such item")
    item = cli.expect_json("create", APPLIED, *create)
    checks.equal("created as told", [item.get(key) for key in
                                     ("sku", "stock", "available", "buyer_limit", "hold_time_ms",
                                      "closes_at_ms", "paused")],
                 ["LAMP", 10, 10, 4, 5400000, 4070908800000, False])
    again = cli.expect_json("create again is harmless", APPLIED, *create)
    checks.equal("create again is a duplicate", again.get("result"), "DUPLICATE")
    cli.expect("create otherwise is refused", REFUSED, *create[:5], "11",
               stderr="exists with other settings: --hold-time, --stock, --buyer-limit, --closes-at\n")
    lamp = ["--sku", "LAMP"]
    for option, arguments in (
            ("--hold-time must be at most 30d\n",
             ["item", "update", *lamp, "--hold-time", "31d"]),
            ("--stock must be at most 281,474,976,710,656",
             ["item", "update", *lamp, "--stock", "1000000G"]),
            ("--closes-at must be after the sale opens",
             ["item", "create", "--sku", "X", "--stock", "1", "--opens-at", "+2h", "--closes-at",
              "+1h"]),
            ("--quantity must be 1 to 1,000,000", ["reserve", *lamp, "--quantity", "2M"])):
        cli.expect(arguments[0] + " out of range", REFUSED, *arguments, stderr="refused: " + option)
    answer = cli.expect_json("reserve out of range", REFUSED, "reserve", *lamp, "--hold-time",
                             "31d")
    checks.check("it tells nothing that the server did not say", "available" not in answer and
                 answer["invalid_field"] == "hold_ms", answer)
    item = cli.expect_json("update", APPLIED, "item", "update", "--sku", "LAMP", "--stock",
                           "unlimited", "--paused", "yes")
    checks.equal("updated as told", (item.get("stock"), item.get("paused"),
                                     item.get("buyer_limit")), (-1, True, 4))
    cli.expect("update back", APPLIED, "item", "update", "--item", item["item_id"], "--stock",
               "10", "--paused", "no")
    out = cli.expect("list", APPLIED, "item", "list")
    checks.check("list has a head and the item", out.count("\n") == 2 and "LAMP" in out, out)
    checks.equal("list in JSON", [i["sku"] for i in
                                  cli.expect_json("list", APPLIED, "item", "list")], ["LAMP"])


def test_holds(cli, checks):
    out = cli.expect("reserve", APPLIED, "reserve", "--sku", "LAMP", "--buyer", "7",
                     "--quantity", "3", "--user-data", "42")
    checks.check("the new id comes first", re.match("id  [0-9a-f]{32}\n", out), out)
    reservation = ["--sku", "LAMP", "--id", out[4:36]]
    shown = cli.expect_json("show", APPLIED, "show", *reservation)
    checks.equal("show tells all", [shown.get(key) for key in
                                    ("id", "state", "quantity", "sequence", "available",
                                     "buyer_id", "user_data")],
                 [out[4:36], "HELD", 3, 1, 7, "7", "42"])
    again = cli.expect_json("reserve again under the same id", APPLIED, "reserve", *reservation,
                            "--buyer", "7", "--quantity", "3", "--user-data", "42")
    checks.equal("is a duplicate", again.get("result"), "DUPLICATE")
    longer = cli.expect_json("extend", APPLIED, "extend", *reservation, "--until", "+2h")
    checks.check("extended", longer["expires_ms"] > shown["expires_ms"], longer)
    cli.expect("extend too far", REFUSED, "extend", *reservation, "--until", "+31d",
               stderr="--until must be at most 30d from now")
    out = cli.expect("confirm more than is held", REFUSED, "confirm", *reservation, "--quantity",
                     "4", stderr="--quantity must be at most what is held")
    checks.check("which tells what is available", re.search("available +7\n", out), out)
    cli.expect("less stock than is held", REFUSED, "item", "update", "--sku", "LAMP", "--stock",
               "1", stderr="--stock is below what is held and sold")
    sold = cli.expect_json("confirm in part", APPLIED, "confirm", *reservation, "--quantity", "2")
    checks.equal("confirmed", (sold.get("state"), sold.get("quantity_confirmed"),
                               sold.get("available")), ("CONFIRMED", 2, 8))
    cli.expect("cancel what is sold", REFUSED, "cancel", *reservation, stderr="confirmed already")
    refused = cli.expect_json("over the buyer's limit", REFUSED, "reserve", "--sku", "LAMP",
                              "--buyer", "7", "--quantity", "3")
    checks.equal("says so", (refused.get("outcome"), refused.get("result")),
                 ("REFUSED", "BUYER_LIMIT"))
    held = cli.expect_json("reserve in JSON", APPLIED, "reserve", "--sku", "LAMP")
    told = re.search(r"expires +(\S+)", cli.expect("show the hold", APPLIED, "show", "--sku",
                                                   "LAMP", "--id", held["id"]))
    checks.check("times are RFC 3339", re.fullmatch(r"[-0-9]{10}T[:0-9]{8}\.\d{3}Z", told[1]), told)
    again = cli.expect_json("a time that was printed is good input", APPLIED, "extend", "--sku",
                            "LAMP", "--id", held["id"], "--until", told[1])
    checks.equal("and means the same", again.get("expires_ms"), held["expires_ms"])
    cancelled = cli.expect_json("cancel", APPLIED, "cancel", "--sku", "LAMP", "--id", held["id"])
    checks.equal("cancelled", cancelled.get("state"), "CANCELLED")
    cli.expect("an unknown hold", REFUSED, "show", "--sku", "LAMP", "--id", "1" * 32,
               stderr="no such reservation")


def test_lost_answers(cli, checks, port):
    proxy = DeafProxy(port)
    code, out, err = cli.run("reserve", "--sku", "LAMP", "--server", proxy.address, "--timeout",
                             "500ms")
    checks.check("an answer that is lost: unknown", code == UNKNOWN and "unknown" in err,
                 "%d %r" % (code, err))
    checks.check("and the id to ask with was printed", re.match("id  [0-9a-f]{32}\n", out), out)
    proxy.close()


def test_stat(cli, checks, cores):
    stat = cli.expect_json("stat", APPLIED, "stat", "--state-hash")
    checks.equal("stat counts", (stat["items"], stat["confirmed"], stat["cores"]), (1, 1, cores))
    checks.check("stat hashes", re.fullmatch("[0-9a-f]{16}", stat["state_hash"]), stat)
    parts = [cli.expect_json("stat of core %d" % core, APPLIED, "stat", "--core", str(core),
                             "--state-hash") for core in range(cores)]
    total = sum(int(part["state_hash"], 16) for part in parts) % 2**64
    checks.equal("the cores' hashes add up", "%016x" % total, stat["state_hash"])
    cli.expect("stat of a core that is not there", NOT_SENT, "stat", "--core", "63",
               stderr="no such core")


def test_import(cli, checks, folder):
    path = os.path.join(folder, "catalogue.csv")

    def write(text):
        with open(path, "wb") as file:
            file.write(text.encode() if isinstance(text, str) else text)

    write('sku,stock,hold_time,colour\nA,1,1m,red\n')
    cli.expect("unknown column", BAD_INPUT, "item", "import", path,
               stderr=re.escape(path) + ":1:21: no column is called 'colour'")
    write('sku,stock,hold_time\nGOOD,5,1m\nBAD,x,1m\n"OPEN,1,1m\n')
    code, _, err = cli.run("item", "import", path)
    checks.check("every problem is told", code == BAD_INPUT and ":3:5: stock: 'x'" in err and
                 ":4:1: this quote is never closed" in err, "%d %r" % (code, err))
    cli.expect("nothing was created", REFUSED, "item", "show", "--sku", "GOOD")
    cli.expect("a file that is not there", BAD_INPUT, "item", "import", path + "x",
               stderr="No such file")
    cli.expect("a file that is a folder", BAD_INPUT, "item", "import", folder,
               stderr="directory")

    write("sku,stock\nGOOD,5\nLAMP,99\n")
    cli.expect("an item that is there with other settings", REFUSED, "item", "import", path,
               stderr=":3:1: LAMP: the item exists with other settings: hold_time, stock, .*\n"
               "(.*\n)*.*nothing was created")
    result = cli.expect_json("the same in JSON", REFUSED, "item", "import", path)
    checks.equal("a failure has numbers too", result, {"outcome": "REFUSED", "items": 2,
                                                       "created": 0, "were_there": 0})
    result = cli.expect_json("no file, in JSON", BAD_INPUT, "item", "import", path + "x")
    checks.equal("nor anything created", (result["outcome"], result["created"]), ("NOT_SENT", 0))
    cli.expect("then nothing was created either", REFUSED, "item", "show", "--sku", "GOOD")

    before = len(cli.expect_json("list", APPLIED, "item", "list"))
    rows = "".join('"SKU %d, ""large""",%d,,\r\n' % (i, i + 1) for i in range(500))
    write(b"\xef\xbb\xbf" + ("sku,stock,hold_time,paused\r\n" + rows).encode())
    result = cli.expect_json("validate only", APPLIED, "item", "import", path, "--validate-only")
    checks.equal("it tells what would be", result.get("would_create"), 500)
    cli.expect("and creates nothing", REFUSED, "item", "show", "--sku", 'SKU 41, "large"')
    out = cli.expect("validate only", APPLIED, "item", "import", path, "--validate-only")
    checks.equal("in words", out,
                 "valid: would create 500 of 500 items, 0 are there already\n")
    result = cli.expect_json("import", APPLIED, "item", "import", path)
    checks.equal("all are created", (result["items"], result["created"], result["were_there"]),
                 (500, 500, 0))
    result = cli.expect_json("import again", APPLIED, "item", "import", path)
    checks.equal("all were there", (result["created"], result["were_there"]), (0, 500))
    listed = cli.expect_json("list", APPLIED, "item", "list")
    checks.equal("all are listed", len(listed), before + 500)
    item = cli.expect_json("show one", APPLIED, "item", "show", "--sku", 'SKU 41, "large"')
    checks.equal("with its stock", item.get("stock"), 42)

    write("sku,stock\n" + "".join("TOO-MANY-%d,1\n" % i for i in range(20000)))
    before = len(cli.expect_json("list", APPLIED, "item", "list"))
    code, out, err = cli.run("item", "import", path, "--json")
    created = len(cli.expect_json("list", APPLIED, "item", "list")) - before
    checks.check("more than the server takes is told", code == REFUSED and created > 0 and
                 "%d of 20000 items were created" % created in err and
                 "--max-items was reached: raise it" in err, "%d %d %r" % (code, created, err))
    checks.equal("in JSON too", (json.loads(out)["outcome"], json.loads(out)["created"]),
                 ("REFUSED", created))


def test_snapshot(cli, checks, cores):
    stat = cli.expect_json("stat", APPLIED, "stat", "--state-hash")
    taken = cli.expect_json("snapshot", APPLIED, "snapshot")
    checks.equal("snapshot is of everything", [taken[key] for key in
                                               ("items", "reservations", "buyers", "state_hash")],
                 [stat[key] for key in ("items", "reservations", "buyers", "state_hash")])
    checks.equal("snapshot is of each core", [core["core"] for core in taken["cores"]],
                 list(range(cores)))
    checks.equal("their sizes add up", sum(core["bytes"] for core in taken["cores"]),
                 taken["bytes"])
    one = cli.expect_json("snapshot of one core", APPLIED, "snapshot", "--core", str(cores - 1))
    checks.equal("nothing has changed: the same again", one["cores"][0]["lsn"],
                 taken["cores"][-1]["lsn"])
    cli.expect("snapshot of a core that is not there", NOT_SENT, "snapshot", "--core", "63",
               stderr="no such core")
    out = cli.expect("snapshot in words", APPLIED, "snapshot").splitlines()
    checks.check("a line per core, and one for all", len(out) == 1 + cores + (cores > 1) and
                 re.match(r" *CORE +LSN +ITEMS +RES", out[0]) and
                 (cores == 1 or out[-1].split()[0] == "all" and taken["state_hash"] in out[-1]),
                 out)
    stat = cli.expect_json("stat after it", APPLIED, "stat", "--core", "0")
    checks.check("stat tells of it", stat["snapshots"] > 0 and stat["lacks_space"] is False and
                 stat["snapshot_lsn"] == taken["cores"][0]["lsn"] and
                 stat["loading"] is False and stat["log_bytes_behind"] == 0 and
                 abs(stat["now_ms"] - stat["snapshot_taken_ms"]) < 60000, stat)


def test_snapshot_without_disk(checks, options, more):
    """READ_ONLY has several causes: no line may name one that is not so."""
    server = Server(options.holdfastd, options.cores, options.scratch,
                    more=more + ["--durability", "off"])
    cli = Cli(options.holdfast, "127.0.0.1:%d" % server.port, checks)
    code, _, err = cli.run("snapshot")
    lines = err.splitlines()
    checks.check("snapshot of a server that keeps nothing on disk", code == REFUSED and
                 len(lines) == (1 if options.cores == 1 else options.cores + 1) and
                 all("--durability off" in line and "full" not in line for line in lines), err)
    server.stop()
    server.clean()


class Buyers:
    """Threads that reserve until they are stopped. `done` are the ids that were held, in the order
    of the answers."""

    def __init__(self, cli, sku, count):
        self.cli, self.sku, self.done, self.goes_on = cli, sku, [], True
        self.threads = [threading.Thread(target=self.buy) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def buy(self):
        while self.goes_on:
            code, out, _ = self.cli.run("reserve", "--sku", self.sku, "--hold-time", "1h", "--json")
            if code == APPLIED:
                self.done.append(json.loads(out)["id"])

    def wait_for(self, count):
        deadline = time.monotonic() + TIMEOUT_S
        while len(self.done) < count and time.monotonic() < deadline:
            time.sleep(0.01)

    def stop(self):
        self.goes_on = False
        for thread in self.threads:
            thread.join()


def names_in(folder):
    return sorted(os.path.relpath(os.path.join(path, name), folder)
                  for path, _, names in os.walk(folder) for name in names)


def test_backup(cli, checks, options, more, folder):
    """A backup while buyers go on, and the backup as another server's directory."""
    target = os.path.join(folder, "backup")
    cli.expect("an item to sell meanwhile", APPLIED, "item", "update", "--sku", "LAMP", "--stock",
               "unlimited")
    buyers = Buyers(cli, "LAMP", 3)
    buyers.wait_for(20)
    before = list(buyers.done)
    made = cli.expect_json("backup under load", APPLIED, "backup", target)
    after = len(buyers.done)
    buyers.stop()
    checks.check("buyers were served meanwhile", len(buyers.done) > len(before), after)
    base = "era-000002/core-%03d/snapshot-00000000000000000000"
    checks.equal("it is a manifest and a base snapshot per core", names_in(target),
                 ["MANIFEST"] + [base % core for core in range(options.cores)])
    checks.equal("and as long as was said", made["bytes"],
                 sum(os.path.getsize(os.path.join(target, base % core))
                     for core in range(options.cores)))
    ping = cli.expect_json("ping", APPLIED, "ping")
    checks.equal("it is a copy of this server", made["copy_of"], ping["server_id"])

    server = Server(options.holdfastd, options.cores, options.scratch, more=more, data=target)
    other = Cli(options.holdfast, "127.0.0.1:%d" % server.port, checks)
    stat = other.expect_json("stat of the backup", APPLIED, "stat", "--state-hash")
    checks.equal("holdfastd opens it and finds the same", [stat[key] for key in (
        "items", "reservations", "buyers", "state_hash")],
                 [made[key] for key in ("items", "reservations", "buyers", "state_hash")])
    ping = other.expect_json("ping of the backup", APPLIED, "ping")
    checks.equal("it is another server", (ping["server_id"], ping["server_id"] == made["copy_of"]),
                 (made["server_id"], False))
    checks.check("the log begins anew", stat["log_last_lsn"] == stat["snapshot_lsn"] == 0, stat)

    def others(listed):
        return [item for item in listed if item["sku"] != "LAMP"]
    checks.equal("items are the same",
                 others(other.expect_json("list of the backup", APPLIED, "item", "list")),
                 others(cli.expect_json("list", APPLIED, "item", "list")))
    sequences = []
    for id_ in before:
        there = other.expect_json("a hold from before", APPLIED, "show", "--sku", "LAMP", "--id",
                                  id_)
        here = cli.expect_json("and here", APPLIED, "show", "--sku", "LAMP", "--id", id_)
        sequences.append(there["sequence"])
        checks.equal("it is the same", [there[key] for key in ("state", "sequence", "expires_ms")],
                     [here[key] for key in ("state", "sequence", "expires_ms")])
    lamp = other.expect_json("the item of the backup", APPLIED, "item", "show", "--sku", "LAMP")
    checks.check("holds from then on have the next numbers",
                 lamp["next_sequence"] > max(sequences), lamp)
    held = other.expect_json("the backup sells on", APPLIED, "reserve", "--sku", "LAMP")
    checks.equal("where it stood", held["sequence"], lamp["next_sequence"])
    checks.equal("the backup's server stops with exit code 0", server.stop(), 0)
    again = Server(options.holdfastd, options.cores + 1, options.scratch, more=more, data=target)
    cli_again = Cli(options.holdfast, "127.0.0.1:%d" % again.port, checks)
    item = cli_again.expect_json("with another core", APPLIED, "item", "show", "--sku", "LAMP")
    checks.equal("it goes on again", item["next_sequence"], held["sequence"] + 1)
    checks.equal("and stops with exit code 0", again.stop(), 0)
    server.clean()
    again.clean()


def test_backup_trouble(cli, checks, port, folder):
    target = os.path.join(folder, "no-backup")

    def nothing_is_left(name):
        checks.check(name + ": nothing is left behind", not os.path.exists(target) and
                     not os.path.exists(target + ".partial"), os.listdir(folder))

    cli.expect("a directory with something in it", USAGE, "backup", folder,
               stderr="exists and is not empty")
    cli.expect("a parent that is not there", USAGE, "backup", target + "/deeper",
               stderr="no-backup/deeper: .*make the folder above it first")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = "127.0.0.1:%d" % free.getsockname()[1]
        told = cli.expect_json("nobody listens", NOT_SENT, "backup", target, "--server", nobody)
    checks.check("it says why", "can't be reached" in told.get("error", ""), told)
    nothing_is_left("nobody listens")

    def limit_files():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
    done = subprocess.run([cli.program, "backup", target, "--server", cli.address],
                          capture_output=True, timeout=TIMEOUT_S, check=False,
                          preexec_fn=limit_files)
    checks.check("no room", done.returncode == USAGE and b"no backup was made: " in done.stderr and
                 b"make room, or name a directory on another disk" in done.stderr, repr(done))
    nothing_is_left("no room")

    proxy = SnapshotProxy(port, spoils=True)
    cli.expect("a snapshot that is gone", REFUSED, "backup", target, "--server", proxy.address,
               stderr="newer ones have replaced it meanwhile: run the backup again")
    nothing_is_left("a snapshot that is gone")
    proxy.close()

    proxy = SnapshotProxy(port)
    for number in (signal.SIGINT, signal.SIGTERM):
        proxy.was_asked.clear()
        backup = subprocess.Popen([cli.program, "backup", target, "--server", proxy.address],
                                  stderr=subprocess.PIPE)
        checks.check("the backup is under way", proxy.was_asked.wait(TIMEOUT_S) and
                     os.path.exists(target + ".partial"), os.listdir(folder))
        if number == signal.SIGINT:
            cli.expect("two at a time", USAGE, "backup", target,
                       stderr="another backup is being written there")
        backup.send_signal(number)
        stderr = backup.communicate(timeout=TIMEOUT_S)[1]
        checks.check("%s ends it" % number.name, backup.returncode == -number and
                     b"interrupted: no backup was made" in stderr, (backup.returncode, stderr))
        nothing_is_left(number.name)
    backup = subprocess.Popen([cli.program, "backup", target, "--server", proxy.address])
    proxy.was_asked.clear()
    checks.check("the next is under way", proxy.was_asked.wait(TIMEOUT_S))
    backup.kill()
    backup.wait()
    checks.check("SIGKILL leaves what it was writing", os.path.exists(target + ".partial") and
                 not os.path.exists(target))
    proxy.close()
    cli.expect("which the next attempt removes", APPLIED, "backup", target)
    checks.check("and makes a backup", os.path.exists(target + "/MANIFEST") and
                 not os.path.exists(target + ".partial"), os.listdir(folder))


def test_drill(cli, checks, folder):
    """The drill of docs/operations.md, line by line, with other names."""
    document = os.path.join(os.path.dirname(__file__), "../../../docs/operations.md")
    with open(document, encoding="utf-8") as file:
        lines = re.search(r"^```sh\n(.*?)^```", file.read(), re.S | re.M).group(1).splitlines()
    backup = os.path.join(folder, "drill")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        ours = {"export HOLDFAST_SERVER": cli.address, "BACKUP": backup,
                "DRILL": "127.0.0.1:%d" % free.getsockname()[1]}
    checks.equal("it names what is to be changed first", [line.split("=")[0] for line in lines[:3]],
                 list(ours))
    script = ["%s=%s" % (name, value) for name, value in ours.items()] + lines[3:]
    path = os.path.dirname(cli.program) + ":" + os.environ["PATH"]
    done = subprocess.run(["bash", "-e", "-o", "pipefail", "-c", "\n".join(script)],
                          env=dict(os.environ, PATH=path), capture_output=True, timeout=TIMEOUT_S,
                          check=False)
    out = done.stdout.decode()
    checks.check("the drill goes through", done.returncode == 0, repr(done))
    told = re.search("^state hash +([0-9a-f]{16})$", out, re.M)
    checks.check("the copy has the state that the backup told of", told and
                 "state hash %s: " % told[1] in out, out)
    checks.check("it lists the items", "\nLAMP " in out, out)
    checks.equal("and leaves the backup", [name for name in os.listdir(folder)
                                           if name.startswith("drill")], ["drill"])


def test_restart(checks, options, more, server):
    """While the server starts, stat is not sent, or refused as loading, or answered."""
    checks.equal("server stops with exit code 0", server.stop(), 0)
    hash_before = re.search("state hash ([0-9a-f]{16}) at stop", server.stderr())[1]
    address = "127.0.0.1:%d" % server.port
    cli = Cli(options.holdfast, address, checks)
    seen, told = set(), {}

    def ask_until_answered():
        code = NOT_SENT
        while code != APPLIED:
            code, out, _ = cli.run("stat", "--json", "--state-hash")
            told.clear()
            told.update(json.loads(out) if out else {})
            seen.add((code, told.get("loading")))
    asking = threading.Thread(target=ask_until_answered)
    asking.start()
    again = Server(options.holdfastd, options.cores, options.scratch,
                   more=[*more, "--listen", address], data=server.data)
    asking.join(TIMEOUT_S)
    checks.check("stat is refused while the server loads, and then answered",
                 (APPLIED, False) in seen and
                 seen <= {(NOT_SENT, None), (REFUSED, True), (APPLIED, False)}, seen)
    checks.equal("the state is what it was", told["state_hash"], hash_before)
    checks.equal("server stops with exit code 0 again", again.stop(), 0)
    again.clean()


def test_output_errors(cli, checks):
    done = subprocess.run("%s item list --server %s > /dev/full" % (cli.program, cli.address),
                          shell=True, capture_output=True, timeout=TIMEOUT_S, check=False)
    checks.check("output that can't be written", done.returncode == USAGE and
                 b"writing the output" in done.stderr, repr(done))


def test_examples(cli, checks, folder):
    for name in ("buy_sync", "buy_async", "resolve_unknown"):
        done = subprocess.run([os.path.join(folder, "example_" + name), cli.address],
                              capture_output=True, timeout=TIMEOUT_S, check=False)
        checks.check("example " + name, done.returncode == 0, repr(done))


def test_example_after_a_lost_confirm(cli, checks, folder, port):
    proxy = ForgetfulProxy(port)
    done = subprocess.run([os.path.join(folder, "example_buy_sync"), proxy.address],
                          capture_output=True, timeout=TIMEOUT_S, check=False)
    checks.check("the example's confirm was answered, and the answer lost", proxy.forgot)
    checks.check("the example repeats it and learns that it sold", done.returncode == 0 and
                 b"sold" in done.stdout and b"money" not in done.stdout, repr(done))
    proxy.close()


def run_tests(checks, options, more, server):
    cli = Cli(options.holdfast, "127.0.0.1:%d" % server.port, checks)
    test_usage(cli, checks)
    test_connecting(cli)
    test_items(cli, checks, options.cores)
    test_holds(cli, checks)
    test_lost_answers(cli, checks, server.port)
    test_stat(cli, checks, options.cores)
    test_output_errors(cli, checks)
    test_examples(cli, checks, options.examples)
    test_example_after_a_lost_confirm(cli, checks, options.examples, server.port)
    folder = tempfile.mkdtemp(prefix="cli-", dir=options.scratch)
    test_import(cli, checks, folder)
    test_snapshot(cli, checks, options.cores)
    test_snapshot_without_disk(checks, options, more)
    test_backup(cli, checks, options, more, folder)
    test_backup_trouble(cli, checks, server.port, folder)
    test_drill(cli, checks, folder)
    test_restart(checks, options, more, server)
    shutil.rmtree(folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("holdfastd")
    parser.add_argument("holdfast")
    parser.add_argument("--examples", help="folder of the examples' programs")
    parser.add_argument("--cores", type=int, default=1)
    parser.add_argument("--scratch", help="folder for data")
    options = parser.parse_args()
    if not os.path.exists(options.holdfastd):
        print("skipped: %s is not built" % options.holdfastd)
        sys.exit(SKIPPED)
    if options.scratch:
        os.makedirs(options.scratch, exist_ok=True)
    checks = Checks()
    more = ["--max-reservations", "200000", "--max-buyers", "200000"]
    server = Server(options.holdfastd, options.cores, options.scratch, more=more)
    try:
        run_tests(checks, options, more, server)
    except BaseException:
        print("the server said:\n" + server.stderr()[-4000:], flush=True)
        server.kill()
        raise
    server.clean()
    sys.exit(checks.finish())


if __name__ == "__main__":
    main()
