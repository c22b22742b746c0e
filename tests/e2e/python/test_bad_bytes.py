#!/usr/bin/python3
"""Bytes that no good client sends: each gets the error that docs/protocol.md names or a close, the
server lives on, and no counter of the sale has changed.

    test_bad_bytes.py HOLDFASTD [--cores N] [--scratch DIR] [--protoc PROTOC]
"""

import random
import socket
import struct
import sys
import time

sys.dont_write_bytecode = True  # nothing is written into the source tree

import xxhash

import harness
from holdfast_client import (BODY_BYTES_MAX, CHECKSUM_BYTES, ERROR, HEADER, MAGIC, TYPES, VERSION,
                             Client, Closed, Connection, ServerError, pack_frame, short_name)

TIMEOUT_S = 10  # the server's patience with half a frame
GRACE_S = 10  # how much later than that it may act on a busy machine
GARBAGE_COUNT = 1000
GARBAGE_AT_ONCE = 50
RESET_AT_CLOSE = struct.pack("ii", 1, 0)

ITEM_ID = 1001
HELLO = TYPES["hello"][0]
PING = TYPES["ping"][0]
RESERVE = TYPES["reserve"][0]
RESERVE_BATCH = TYPES["reserve_batch"][0]


def checksummed(covered):
    return struct.pack("<Q", xxhash.xxh3_64_intdigest(covered)) + covered


def header(type_=PING, magic=MAGIC, version=VERSION, flags=0, body_bytes=0, zero=0, request_id=5):
    """A header whose checksum fits an empty body."""
    fields = HEADER.pack(0, magic, version, type_, flags, body_bytes, zero, request_id)
    return checksummed(fields[CHECKSUM_BYTES:])


def wrong_checksum():
    frame = bytearray(pack_frame(PING, 5, b"\x09" + bytes(8)))
    frame[0] ^= 1
    return bytes(frame)


class Attack:
    def __init__(self, checks, messages, server):
        self.checks = checks
        self.messages = messages
        self.server = server
        self.watcher = Client(messages, "127.0.0.1", server.port, timeout_s=30)

    def connect(self, greeted=True):
        connection = Connection(self.messages, "127.0.0.1", self.server.port, timeout_s=30)
        if greeted:
            connection.hello()
        return connection

    def state(self):
        """All that bad input must not change."""
        items = sorted(self.watcher.item_list(), key=lambda item: item.settings.item_id)
        stats = [self.watcher.stat(core, state_hash=True)
                 for core in range(self.watcher.core_count)]
        names = ["items", "reservations", "held", "confirmed", "cancelled", "expired", "buyers",
                 "units_held", "units_sold", "rows_accepted", "log_records", "log_last_lsn",
                 "expiries", "state_hash"]
        return [item.SerializeToString() for item in items], [
            [getattr(stat, name) for name in names] for stat in stats]

    def answer(self, connection):
        """What comes next: an error's name, a reply's type, or "closed"."""
        try:
            type_, _, message = connection.receive()
        except Closed as closed:
            return str(closed).replace("the server closed the connection", "closed")
        except OSError as error:
            return type(error).__name__
        return short_name(self.messages.ErrorCode, message.code) if type_ == ERROR else type_

    def ends_with(self, name, connection, error):
        """The error, then the end of the connection."""
        first = self.answer(connection)
        then = self.answer(connection) if first != "closed" else "closed"
        self.checks.check(name, (first, then) == (error, "closed"),
                          "got %s, then %s; expected %s" % (first, then, error))
        connection.close()

    def goes_on(self, name, connection, error):
        """The error, and the next request on the same connection is answered."""
        first = self.answer(connection)
        try:
            then = connection.request("ping", payload=9).payload
        except (Closed, ServerError, OSError) as failure:
            then = repr(failure)
        self.checks.equal(name, (first, then), (error, 9))
        connection.close()

    def body(self, name, type_, body, error):
        """A sound frame whose body is not."""
        connection = self.connect()
        connection.socket.sendall(pack_frame(type_, 77, body))
        self.goes_on(name, connection, error)


def broken_frames(attack):
    """Before Hello and after it."""
    frames = [
        ("wrong magic", header(magic=MAGIC ^ 1), "BAD_MAGIC"),
        ("not our protocol at all", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "BAD_MAGIC"),
        ("wrong version", header(version=2), "BAD_VERSION"),
        ("version 0", header(version=0), "BAD_VERSION"),
        ("type 0", header(type_=0), "BAD_TYPE"),
        ("type that is none", header(type_=99), "BAD_TYPE"),
        ("type of a reply", header(type_=RESERVE + 128), "BAD_TYPE"),
        ("type of an error", header(type_=ERROR), "BAD_TYPE"),
        ("flags that are not zero", header(flags=1), "BAD_TYPE"),
        ("reserved bytes that are not zero", header(zero=1), "BAD_TYPE"),
        ("length one over the limit", header(body_bytes=BODY_BYTES_MAX + 1), "BAD_LENGTH"),
        ("the largest length", header(body_bytes=0xffffffff), "BAD_LENGTH"),
        ("wrong checksum", wrong_checksum(), "BAD_CHECKSUM"),
        ("length 0 before a body", checksummed(header(HELLO)[CHECKSUM_BYTES:] + b"\x08\x01")[:32] +
         b"\x08\x01", "BAD_CHECKSUM"),
    ]
    for name, frame, error in frames:
        for greeted in (False, True):
            connection = attack.connect(greeted)
            connection.socket.sendall(frame)
            attack.ends_with("%s, %s Hello" % (name, "after" if greeted else "before"), connection,
                             error)


def good_then_bad(attack):
    """What stands before a broken frame is answered, what stands behind it is not."""
    connection = attack.connect()
    ping = pack_frame(PING, 7, b"")
    connection.socket.sendall(ping + header(version=9) + ping)
    attack.checks.equal("a good frame before a broken one is answered", attack.answer(connection),
                        PING + 128)
    attack.ends_with("a good frame behind a broken one is not", connection, "BAD_VERSION")


def before_hello(attack):
    for name, (type_, _, _) in TYPES.items():
        if type_ == HELLO:
            continue
        connection = attack.connect(greeted=False)
        connection.socket.sendall(pack_frame(type_, 5, b""))
        attack.ends_with("%s before Hello" % name, connection, "HELLO_EXPECTED")


def bad_hellos(attack):
    hello = attack.messages.HelloRequest
    for name, body, error in [
            ("empty", b"", "BAD_VERSION"),
            ("of version 2", hello(protocol_version=2).SerializeToString(), "BAD_VERSION"),
            ("that does not parse", b"\xff\xff\xff", "BAD_BODY"),
            ("for another server", hello(protocol_version=1, server_id=bytes(16))
             .SerializeToString(), "WRONG_SERVER"),
            ("for a server with a short id", hello(protocol_version=1, server_id=b"abc")
             .SerializeToString(), "WRONG_SERVER")]:
        connection = attack.connect(greeted=False)
        connection.socket.sendall(pack_frame(HELLO, 5, body))
        attack.ends_with("Hello " + name, connection, error)
    for core in (attack.watcher.core_count, 0xffffffff):
        connection = attack.connect(greeted=False)
        try:
            connection.hello(wants_core=True, core=core)
            attack.checks.check("Hello for core %d" % core, False, "was answered")
        except ServerError as error:
            attack.checks.equal("Hello for core %d" % core, error.code, "NO_SUCH_CORE")
        attack.checks.equal("Hello for core %d, then a good one" % core, connection.hello().result,
                            attack.messages.RESULT_OK)
        connection.close()


def bodies_that_do_not_parse(attack):
    for name, (type_, request, _) in TYPES.items():
        if type_ == HELLO:
            continue
        for what, body in [("of a tag that has no end", b"\xff\xff\xff\xff\xff\xff"),
                           ("that ends inside a field", b"\x09\x01\x02"),
                           ("with a length beyond its end", b"\x7a\x7f\x01"),
                           ("with a group", b"\x7b\x7c"),
                           ("of zeros", bytes(64))]:
            attack.body("%s with a body %s" % (name, what), type_, body, "BAD_BODY")
    one = attack.messages.ReserveRequest(item_id=ITEM_ID, reservation_id_low=1, quantity=1)
    attack.body("reserve that is cut short", RESERVE, one.SerializeToString()[:-1], "BAD_BODY")
    many = b"\x78\x01" * (BODY_BYTES_MAX // 2)  # unknown fields, each dear to decode
    attack.body("a body of half a million unknown fields", PING, many, "BAD_BODY")
    settings = attack.messages.ItemSettings(item_id=5000, sku=b"x" * 2000, stock=1)
    request = attack.messages.ItemCreateRequest(settings=settings)
    attack.body("an item that is longer than any can be", TYPES["item_create"][0],
                request.SerializeToString(), "BAD_BODY")
    attack.body("an item without settings", TYPES["item_create"][0], b"", "BAD_BODY")
    update = attack.messages.ItemUpdateRequest
    plain = attack.messages.ItemSettings(item_id=ITEM_ID, stock=5)
    for what, fields in [("no field", []), ("field 0", [0]), ("an unknown field", [99]),
                         ("a known and an unknown field", [1, 8]), ("field -1", [-1])]:
        attack.body("an update of " + what, TYPES["item_update"][0],
                    update(settings=plain, fields=fields).SerializeToString(), "BAD_BODY")


def bad_columns(attack):
    full = dict(item_id=[ITEM_ID], reservation_id_high=[1], reservation_id_low=[1, 2, 3],
                quantity=[1], row_count=3)
    expires = dict(item_id=[ITEM_ID], reservation_id_low=[1, 2, 3], row_count=3)
    for name, kind, change, error in [
            ("no rows", "reserve_batch", dict(row_count=0), "BAD_COLUMNS"),
            ("a column too short", "reserve_batch", dict(quantity=[1, 1]), "BAD_COLUMNS"),
            ("a column too long", "reserve_batch", dict(quantity=[1] * 4), "BAD_COLUMNS"),
            ("two elements for one row", "reserve_batch",
             dict(row_count=1, reservation_id_low=[1], item_id=[1, 2]), "BAD_COLUMNS"),
            ("a short buyer_id", "reserve_batch", dict(buyer_id=[1, 2]), "BAD_COLUMNS"),
            ("a short hold_ms", "reserve_batch", dict(hold_ms=[1, 2]), "BAD_COLUMNS"),
            ("a short user_data", "reserve_batch", dict(user_data=[1, 2]), "BAD_COLUMNS"),
            ("a row over the limit", "reserve_batch",
             dict(row_count=8193, reservation_id_low=range(8193)), "TOO_MANY_ROWS"),
            ("four billion rows", "reserve_batch",
             dict(row_count=0xffffffff, reservation_id_low=[1]), "TOO_MANY_ROWS"),
            ("a short quantity", "confirm_batch", dict(quantity=[1, 1]), "BAD_COLUMNS"),
            ("a short id", "cancel_batch", dict(reservation_id_low=[1, 2]), "BAD_COLUMNS"),
            ("a short expires_ms", "extend_batch", dict(expires_ms=[1, 2]), "BAD_COLUMNS"),
            ("a short item_id", "get_batch", dict(item_id=[1, 2]), "BAD_COLUMNS")]:
        type_, request, _ = TYPES[kind]
        base = full if kind in ("reserve_batch", "confirm_batch") else expires
        message = getattr(attack.messages, request)(**dict(base, **change))
        attack.body("%s with %s" % (kind, name), type_, message.SerializeToString(), error)
    for kind in ("reserve", "confirm", "cancel", "extend", "get"):
        attack.body("%s_batch with an empty body" % kind, TYPES[kind + "_batch"][0], b"",
                    "BAD_COLUMNS")


def bad_rows(attack):
    """Frames in order, rows that are not: an answer, INVALID and which field."""
    good = dict(item_id=ITEM_ID, reservation_id_high=1, reservation_id_low=1, quantity=1)
    for change, field in [(dict(quantity=0), "QUANTITY"), (dict(quantity=1000001), "QUANTITY"),
                          (dict(quantity=0xffffffff), "QUANTITY"), (dict(item_id=0), "ITEM_ID"),
                          (dict(reservation_id_high=0, reservation_id_low=0), "RESERVATION_ID"),
                          (dict(hold_ms=(1 << 64) - 1), "HOLD_MS")]:
        row = dict(good, **change)
        connection = attack.connect()
        single = connection.request("reserve", **row)
        batch = connection.request("reserve_batch", row_count=2,
                                   **{name: [value] for name, value in row.items()})
        invalid = attack.messages.RESULT_INVALID
        attack.checks.equal(
            "reserve with %s, single and in columns" % change,
            (single.result, short_name(attack.messages.Field, single.invalid_field),
             list(batch.result), [short_name(attack.messages.Field, f)
                                  for f in batch.invalid_field]),
            (invalid, field, [invalid], [field]))
        connection.close()
    connection = attack.connect()
    connection.socket.sendall(pack_frame(RESERVE, 5, b""))
    type_, request_id, reply = connection.receive()
    attack.checks.equal("reserve with body length 0",
                        (type_, request_id, short_name(attack.messages.Field, reply.invalid_field)),
                        (RESERVE + 128, 5, "ITEM_ID"))
    extend = connection.request("extend", item_id=ITEM_ID, reservation_id_low=1,
                                expires_ms=(1 << 64) - 1)
    attack.checks.equal("extend to the end of time",
                        short_name(attack.messages.Field, extend.invalid_field), "EXPIRES_MS")
    connection.close()


def odd_but_legal(attack):
    connection = attack.connect(greeted=False)
    hello = attack.messages.HelloRequest(protocol_version=1).SerializeToString()
    get = attack.messages.ItemGetRequest(item_id=ITEM_ID).SerializeToString()
    for byte in pack_frame(HELLO, 1, hello):
        connection.socket.sendall(bytes([byte]))
    first = attack.answer(connection)
    for byte in pack_frame(TYPES["item_get"][0], 2, get + b"\xf8\x07\x01"):  # + an unknown field
        connection.socket.sendall(bytes([byte]))
    attack.checks.equal("one byte at a time, and a field that nobody knows",
                        (first, attack.answer(connection)), (HELLO + 128, 50 + 128))
    get_batch, rows = TYPES["get_batch"][0], attack.messages.GetBatchRequest
    for name, first in [("a row count that is corrected later", b"\x08\x01"),
                        ("a row count with a tag longer than need be", b"\x88\x80\x00\x01")]:
        later = rows(row_count=8192, item_id=[ITEM_ID], reservation_id_high=[9],
                     reservation_id_low=range(1, 8193))
        connection.socket.sendall(pack_frame(get_batch, 3, first + later.SerializeToString()))
        attack.checks.equal(name, connection.receive()[2].row_count, 8192)
    connection.socket.sendall(b"".join(pack_frame(PING, i, b"") for i in range(2000)))
    attack.checks.equal("2000 requests in one go",
                        sorted(connection.receive()[1] for _ in range(2000)), list(range(2000)))
    connection.socket.sendall(pack_frame(PING, (1 << 64) - 1, b"") * 2)
    attack.checks.equal("a request id twice", [connection.receive()[1] for _ in range(2)],
                        [(1 << 64) - 1] * 2)
    connection.close()


def sudden_ends(attack):
    """Connections that end in the middle of everything, in both manners of ending."""
    frame = pack_frame(RESERVE, 5, attack.messages.ReserveRequest(
        item_id=ITEM_ID, quantity=0).SerializeToString())
    for length in range(0, len(frame), 3):
        for reset in (False, True):
            connection = attack.connect(greeted=length % 2 == 0)
            connection.socket.sendall(frame[:length])
            if reset:
                connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_CLOSE)
            connection.close()
    attack.checks.equal("connections that end inside a frame: served as before",
                        attack.watcher.item_get(ITEM_ID).result, attack.messages.RESULT_OK)


def random_bytes(rng):
    """Noise; noise behind the start of a header; a sound frame around noise; sound frames with
    some bits flipped. Item requests that would change something are left out."""
    kind = rng.randrange(4)
    noise = rng.randbytes(rng.randrange(300))
    if kind == 0:
        return noise
    if kind == 1:
        return header()[:rng.randrange(8, 33)] + noise
    harmless = [type_ for type_, request, _ in TYPES.values() if not request.startswith("Item")]
    frames = pack_frame(HELLO, 1, b"\x08\x01") + pack_frame(rng.choice(harmless), 2, noise)
    if kind == 2:
        return frames
    flipped = bytearray(frames)
    for _ in range(rng.randrange(1, 4)):
        flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
    return bytes(flipped)


def garbage(attack):
    seed = int(time.time())
    print("seed %d" % seed, flush=True)
    rng = random.Random(seed)
    open_connections, failures = [], []

    def finish(connection):
        """All that comes must be frames, then the end."""
        try:
            while True:
                connection.receive()
        except Closed as closed:
            if "closed the connection" not in str(closed) and "reset" not in str(closed):
                failures.append(str(closed))
        except OSError as error:
            failures.append(repr(error))
        connection.close()

    for _ in range(GARBAGE_COUNT):
        connection = attack.connect(greeted=rng.randrange(3) == 0)
        try:
            connection.socket.sendall(random_bytes(rng))
            connection.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the server has refused it already
        open_connections.append(connection)
        if len(open_connections) == GARBAGE_AT_ONCE:
            finish(open_connections.pop(rng.randrange(GARBAGE_AT_ONCE)))
    for connection in open_connections:
        finish(connection)
    attack.checks.check("%d connections of garbage: error frames or a close" % GARBAGE_COUNT,
                        not failures, failures[:5])


def silent_connections(attack):
    """Opened first, looked at last: what keeps the server waiting is ended, what idles is not."""
    opened = [
        ("no Hello and then silence", attack.connect(greeted=False), b""),
        ("half a header before Hello and then silence", attack.connect(greeted=False),
         header(HELLO)[:16]),
        ("half a header and then silence", attack.connect(), header()[:16]),
        ("half a body and then silence", attack.connect(), pack_frame(PING, 5, bytes(100))[:80]),
    ]
    for _, connection, some in opened:
        connection.socket.sendall(some)
    return opened, attack.connect(), time.monotonic()


def silence_is_ended(attack, opened, idle, since):
    time.sleep(max(0, since + TIMEOUT_S - time.monotonic()))
    for name, connection, _ in opened:
        connection.socket.settimeout(GRACE_S)
        attack.ends_with(name, connection, "TIMEOUT")
    try:
        answer = idle.request("ping", payload=3).payload
    except (Closed, OSError) as failure:
        answer = repr(failure)
    attack.checks.equal("silence between frames is not ended", answer, 3)
    idle.close()


def test(checks, messages, server):
    attack = Attack(checks, messages, server)
    for item_id in range(ITEM_ID, ITEM_ID + 8):
        attack.watcher.item_create(item_id=item_id, stock=100, buyer_limit=10)
        attack.watcher.reserve(item_id=item_id, reservation_id=7, buyer_id=1, quantity=2)
    before = attack.state()
    bad_frames = sum(attack.watcher.stat(core).bad_frames
                     for core in range(attack.watcher.core_count))
    opened, idle, since = silent_connections(attack)
    for situation in (broken_frames, good_then_bad, before_hello, bad_hellos,
                      bodies_that_do_not_parse, bad_columns, bad_rows, odd_but_legal, sudden_ends,
                      garbage):
        situation(attack)
        checks.check("%s: server is alive" % situation.__name__, server.is_alive())
    silence_is_ended(attack, opened, idle, since)
    after = attack.state()
    checks.equal("items are as they were", after[0], before[0])
    checks.equal("counters and state hash are as they were", after[1], before[1])
    counted = sum(attack.watcher.stat(core).bad_frames
                  for core in range(attack.watcher.core_count))
    checks.check("bad frames are counted", counted > bad_frames, counted)
    checks.check("the reason of a close is in the server's log", "magic" in server.stderr(),
                 server.stderr()[-500:])
    attack.watcher.close()


if __name__ == "__main__":
    harness.run(__doc__, test)
