#!/usr/bin/python3
"""A sale through the client that was written from docs/protocol.md alone.

    test_python_client.py HOLDFASTD [--cores N] [--scratch DIR] [--protoc PROTOC]

Each situation takes items of its own; their ids fall upon all cores.
"""

import struct
import sys
import time

import xxhash

sys.dont_write_bytecode = True  # nothing is written into the source tree

import harness
from holdfast_client import (GO_AWAY, Client, Closed, Connection, ServerError, core_of, new_id,
                             replies_of_batch)

MINUTE_MS = 60 * 1000


class Sale:
    def __init__(self, checks, messages, server):
        self.checks = checks
        self.messages = messages
        self.server = server
        self.client = Client(messages, "127.0.0.1", server.port)
        self.last_item_id = 1000

    def result(self, response):
        return self.messages.Result.Name(response.result)[len("RESULT_"):]

    def field(self, response):
        return self.messages.Field.Name(response.invalid_field)[len("FIELD_"):]

    def item(self, **settings):
        """A new item; returns its id."""
        self.last_item_id += 1
        settings.setdefault("stock", 100)
        response = self.client.item_create(item_id=self.last_item_id, **settings)
        if self.result(response) != "OK":
            raise SystemExit("item %d: %s" % (self.last_item_id, response))
        return self.last_item_id

    def refused(self, name, reply, result, invalid_field="UNSPECIFIED"):
        self.checks.equal(name, (reply.result, reply.invalid_field), (result, invalid_field))

    def books(self, name, item_id, available, held, sold):
        item = self.client.item_get(item_id).item
        self.checks.equal(name, (item.available, item.held, item.sold), (available, held, sold))


def hello(sale):
    checks, client, port = sale.checks, sale.client, sale.server.port
    checks.equal("hello: the server's id is 16 bytes", len(client.server_id), 16)
    connection = Connection(sale.messages, "127.0.0.1", port)
    reply = connection.hello()
    checks.equal("hello: result and version", (sale.result(reply), reply.protocol_version),
                 ("OK", 1))
    checks.check("hello: the core is one of them", reply.core < reply.core_count, reply)
    checks.equal("hello: limits", (reply.body_bytes_max, reply.batch_rows_max), (1 << 20, 8192))
    checks.check("hello: the engine's clock is about the time of day",
                 abs(reply.now_ms / 1000 - time.time()) < 5, reply.now_ms)
    for core in range(reply.core_count):
        own = Connection(sale.messages, "127.0.0.1", port)
        checks.equal("hello: core %d is given when asked for" % core,
                     own.hello(wants_core=True, core=core, server_id=client.server_id).core, core)
        own.close()
    again = connection.hello(wants_core=True, core=(reply.core + 1) % reply.core_count)
    checks.equal("hello: a second one moves the connection no more", again.core, reply.core)
    ping = connection.request("ping", payload=0xfeed)
    checks.check("ping: payload comes back, time does not go backwards",
                 ping.payload == 0xfeed and ping.now_ms >= reply.now_ms, ping)
    connection.close()


def items(sale):
    checks, client = sale.checks, sale.client
    settings = dict(sku=b"SHOE-RUN-42-BLK", stock=100, buyer_limit=5, hold_cap=3, hold_ms=60000)
    item_id = sale.item(**settings)
    item = client.item_get(item_id).item
    told = {name: getattr(item.settings, name) for name in settings}
    checks.equal("item: settings are told as they were set", told, settings)
    checks.equal("item: new", (item.available, item.held, item.sold, item.next_sequence),
                 (100, 0, 0, 1))
    same = client.item_create(item_id=item_id, **settings)
    checks.equal("item: created again", sale.result(same), "DUPLICATE")
    other = client.item_create(item_id=item_id, **dict(settings, stock=101))
    checks.equal("item: created with other stock", sale.result(other), "ID_CONFLICT")
    clash = client.item_create(item_id=item_id, **dict(settings, sku=b"HAT"))
    checks.equal("item: created with other SKU", (sale.result(clash), sale.field(clash)),
                 ("ID_CONFLICT", "SKU"))
    default = client.item_get(sale.item()).item
    checks.equal("item: hold time is 15 minutes when none is named", default.settings.hold_ms,
                 15 * MINUTE_MS)
    tried = client.item_create(item_id=999999, stock=1, validate_only=True)
    checks.equal("item: validate_only answers", sale.result(tried), "OK")
    checks.equal("item: validate_only does nothing", sale.result(client.item_get(999999)),
                 "UNKNOWN_ITEM")
    for field, bad in [("STOCK", dict(stock=-2)), ("STOCK", dict(stock=(1 << 48) + 1)),
                       ("SKU", dict(sku=b"x" * 65)), ("SKU", dict(sku=b"a\0b")),
                       ("HOLD_MS", dict(hold_ms=31 * 24 * 60 * MINUTE_MS)),
                       ("CLOSES_AT_MS", dict(opens_at_ms=10, closes_at_ms=10)),
                       ("ITEM_ID", dict(item_id=0))]:
        response = client.item_create(**dict(dict(item_id=999998, stock=1), **bad))
        checks.equal("item: create with %s" % bad, (sale.result(response), sale.field(response)),
                     ("INVALID", field))


def updates(sale):
    checks, client = sale.checks, sale.client
    item_id = sale.item(stock=10)
    client.reserve(item_id=item_id, reservation_id=1, quantity=4)
    raised = client.item_update(item_id, stock=20)
    checks.equal("update: stock is raised", (sale.result(raised), raised.item.available),
                 ("OK", 16))
    checks.equal("update: the same again", sale.result(client.item_update(item_id, stock=20)), "OK")
    checks.equal("update: stock below what is held",
                 sale.result(client.item_update(item_id, stock=3)), "INSUFFICIENT")
    checks.equal("update: stock down to what is held",
                 client.item_update(item_id, stock=4).item.available, 0)
    client.item_update(item_id, stock=10, paused=True)
    sale.refused("update: a paused item", client.reserve(item_id=item_id, reservation_id=2,
                                                         quantity=1), "PAUSED")
    sale.checks.equal("update: what is held can be confirmed while paused",
                      client.confirm(item_id=item_id, reservation_id=1).result, "OK")
    client.item_update(item_id, paused=False)
    checks.equal("update: no more paused",
                 client.reserve(item_id=item_id, reservation_id=2, quantity=1).result, "OK")
    checks.equal("update: an unknown item", sale.result(client.item_update(999999, stock=1)),
                 "UNKNOWN_ITEM")
    bad = client.item_update(item_id, stock=-2)
    checks.equal("update: an impossible stock", (sale.result(bad), sale.field(bad)),
                 ("INVALID", "STOCK"))


def one_hold(sale):
    """The life of a hold in the single form."""
    checks, client = sale.checks, sale.client
    item_id = sale.item(stock=10)
    hold = dict(item_id=item_id, reservation_id=new_id())
    before_ms = client.now_ms()
    reply = client.reserve(**hold, buyer_id=77, quantity=3, hold_ms=5 * MINUTE_MS, user_data=5)
    checks.equal("reserve: answer", (reply.result, reply.state, reply.quantity, reply.sequence,
                                     reply.available), ("OK", "HELD", 3, 1, 7))
    checks.check("reserve: it ends after the hold time that was asked for",
                 0 <= reply.expires_ms - 5 * MINUTE_MS - before_ms < 10000, reply.expires_ms)
    again = client.reserve(**hold, buyer_id=77, quantity=3, hold_ms=5 * MINUTE_MS, user_data=5)
    checks.equal("reserve: the same again", (again.result, again.sequence, again.expires_ms,
                                             again.available),
                 ("DUPLICATE", 1, reply.expires_ms, 7))
    sale.refused("reserve: same id, other quantity",
                 client.reserve(**hold, buyer_id=77, quantity=2, user_data=5), "ID_CONFLICT")
    sale.refused("reserve: same id, other buyer",
                 client.reserve(**hold, buyer_id=78, quantity=3, user_data=5), "ID_CONFLICT")
    told = client.get(**hold)
    checks.equal("get: a hold", (told.result, told.state, told.buyer_id, told.user_data,
                                 told.quantity, told.sequence),
                 ("OK", "HELD", 77, 5, 3, 1))
    checks.equal("get: created when it was reserved", told.created_ms,
                 reply.expires_ms - 5 * MINUTE_MS)
    later_ms = reply.expires_ms + MINUTE_MS
    checks.equal("extend: to a later time",
                 [getattr(client.extend(**hold, expires_ms=later_ms), name)
                  for name in ("result", "expires_ms")], ["OK", later_ms])
    checks.equal("extend: to an earlier time changes nothing",
                 [getattr(client.extend(**hold, expires_ms=later_ms - 1), name)
                  for name in ("result", "expires_ms")], ["DUPLICATE", later_ms])
    sale.refused("confirm: more than is held", client.confirm(**hold, quantity=4), "INVALID",
                 "QUANTITY")
    paid = client.confirm(**hold, quantity=2)
    checks.equal("confirm: in part", (paid.result, paid.state, paid.quantity,
                                      paid.quantity_confirmed, paid.available),
                 ("OK", "CONFIRMED", 3, 2, 8))
    checks.equal("confirm: the same again", client.confirm(**hold, quantity=2).result, "DUPLICATE")
    sale.refused("confirm: again with another quantity", client.confirm(**hold, quantity=1),
                 "ALREADY_CONFIRMED")
    sale.refused("cancel: a confirmed one", client.cancel(**hold), "ALREADY_CONFIRMED")
    sale.refused("extend: a confirmed one", client.extend(**hold, expires_ms=later_ms),
                 "ALREADY_CONFIRMED")
    repeat = client.reserve(**hold, buyer_id=77, quantity=3, user_data=5)
    checks.equal("reserve: the same again tells what became of it", (repeat.result, repeat.state),
                 ("DUPLICATE", "CONFIRMED"))
    sale.books("books: one hold of three, two paid", item_id, 8, 0, 2)


def cancelling(sale):
    checks, client = sale.checks, sale.client
    item_id = sale.item(stock=5)
    hold = dict(item_id=item_id, reservation_id=new_id())
    client.reserve(**hold, quantity=5)
    reply = client.cancel(**hold)
    checks.equal("cancel: gives the units back", (reply.result, reply.state, reply.available),
                 ("OK", "CANCELLED", 5))
    checks.equal("cancel: again", client.cancel(**hold).result, "DUPLICATE")
    sale.refused("confirm: a cancelled one", client.confirm(**hold), "CANCELLED")
    sale.books("books: cancelled", item_id, 5, 0, 0)


def expiry(sale):
    checks, client = sale.checks, sale.client
    item_id = sale.item(stock=2, hold_ms=30)
    hold = dict(item_id=item_id, reservation_id=new_id())
    reply = client.reserve(**hold, quantity=2)
    while client.now_ms() < reply.expires_ms:
        time.sleep(0.005)
    late = client.confirm(**hold)
    checks.equal("expiry: a payment after the deadline", (late.result, late.state, late.available),
                 ("EXPIRED", "EXPIRED", 2))
    sale.refused("expiry: too late to cancel", client.cancel(**hold), "EXPIRED")
    sale.books("books: expired", item_id, 2, 0, 0)
    checks.equal("expiry: the units can be had again",
                 client.reserve(item_id=item_id, reservation_id=new_id(), quantity=2,
                                hold_ms=MINUTE_MS).sequence, 2)


def refusals(sale):
    client = sale.client
    item_id = sale.item(stock=5, buyer_limit=3, hold_cap=2)

    def reserve(quantity=1, buyer_id=0, **fields):
        row = dict(item_id=item_id, reservation_id=new_id(), buyer_id=buyer_id, quantity=quantity)
        return client.reserve(**dict(row, **fields))

    sale.refused("refused: unknown item", reserve(item_id=987654321), "UNKNOWN_ITEM")
    sale.refused("refused: unknown reservation",
                 client.confirm(item_id=item_id, reservation_id=5), "UNKNOWN_RESERVATION")
    sale.refused("refused: get of an unknown reservation",
                 client.get(item_id=item_id, reservation_id=5), "UNKNOWN_RESERVATION")
    sale.refused("refused: item 0", reserve(item_id=0), "INVALID", "ITEM_ID")
    sale.refused("refused: reservation 0", reserve(reservation_id=0), "INVALID", "RESERVATION_ID")
    sale.refused("refused: quantity 0", reserve(0), "INVALID", "QUANTITY")
    sale.refused("refused: quantity 1,000,001", reserve(1000001), "INVALID", "QUANTITY")
    sale.refused("refused: hold of 31 days", reserve(hold_ms=31 * 24 * 60 * MINUTE_MS), "INVALID",
                 "HOLD_MS")
    sale.refused("refused: extend to never",
                 client.extend(item_id=item_id, reservation_id=5, expires_ms=0), "INVALID",
                 "EXPIRES_MS")
    sale.refused("refused: over the buyer's limit at once", reserve(4, 1), "BUYER_LIMIT")
    reserve(2, 1)
    sale.refused("refused: over the buyer's limit in sum", reserve(2, 1), "BUYER_LIMIT")
    reserve(1, 2)
    reserve(1, 2)
    sale.refused("refused: too many open holds", reserve(1, 2), "HOLD_CAP")
    left = reserve(3)
    sale.checks.equal("refused: some left, but not enough", (left.result, left.available),
                      ("INSUFFICIENT", 1))
    reserve(1)
    out = reserve(1)
    sale.checks.equal("refused: sold out", (out.result, out.available, out.sequence),
                      ("SOLD_OUT", 0, 0))
    now_ms = client.now_ms()
    opens_at_ms = now_ms + 60 * MINUTE_MS
    item_id = sale.item(opens_at_ms=opens_at_ms)
    reply = reserve()
    sale.checks.equal("refused: not open, and when it opens", (reply.result, reply.expires_ms),
                      ("NOT_OPEN", opens_at_ms))
    item_id = sale.item(closes_at_ms=now_ms)
    sale.refused("refused: closed", reserve(), "CLOSED")
    item_id = sale.item(stock=-1)
    free = reserve(1000000)
    sale.checks.equal("unlimited: the largest quantity", (free.result, free.available),
                      ("OK", -1))


def batches(sale):
    """The columnar form over all cores: rows that are alike and rows that are not."""
    checks, client = sale.checks, sale.client
    item_ids = [sale.item(stock=10) for _ in range(8)]
    checks.equal("batch: the items are spread over the cores",
                 len({core_of(item_id, client.core_count) for item_id in item_ids}),
                 min(client.core_count, 4))
    rows = [dict(item_id=item_ids[i % 8], reservation_id=1000 + i, buyer_id=i, quantity=1 + i % 2,
                 user_data=i) for i in range(80)]
    replies = client.reserve_batch(rows)
    accepted = [i for i in range(80) if replies[i].result == "OK"]
    by_item = {item_id: [replies[i].sequence for i in accepted if rows[i]["item_id"] == item_id]
               for item_id in item_ids}
    checks.check("batch: sequences of each item count up from 1 without gap",
                 all(by_item[item_id] == list(range(1, len(by_item[item_id]) + 1))
                     for item_id in item_ids), by_item)
    checks.equal("batch: never more than there are",
                 [sum(rows[i]["quantity"] for i in accepted if rows[i]["item_id"] == item_id)
                  for item_id in item_ids], [10] * 8)
    checks.equal("batch: the others are refused", {reply.result for reply in replies},
                 {"OK", "SOLD_OUT"})
    again = client.reserve_batch(rows)
    checks.equal("batch: sent again, first answers again",
                 [reply.sequence for i, reply in enumerate(again) if i in accepted],
                 [replies[i].sequence for i in accepted])
    held = [{name: rows[i][name] for name in ("item_id", "reservation_id")} for i in accepted]
    told = client.get_batch(held)
    checks.equal("get batch: buyers and user data", [(r.buyer_id, r.user_data) for r in told],
                 [(i, i) for i in accepted])
    later_ms = client.now_ms() + 120 * MINUTE_MS
    extended = client.extend_batch([dict(row, expires_ms=later_ms) for row in held])
    checks.equal("extend batch", {(r.result, r.expires_ms) for r in extended}, {("OK", later_ms)})
    half = len(held) // 2
    paid = client.confirm_batch(held[:half])
    checks.equal("confirm batch", {(r.result, r.state) for r in paid}, {("OK", "CONFIRMED")})
    back = client.cancel_batch(held[half:])
    checks.equal("cancel batch", {(r.result, r.state) for r in back}, {("OK", "CANCELLED")})
    sums = [client.item_get(item_id).item for item_id in item_ids]
    checks.equal("books: after the batches",
                 {item.available + item.held + item.sold for item in sums}, {10})
    checks.equal("books: nothing is held any more", sum(item.held for item in sums), 0)
    checks.equal("books: sold what was confirmed", sum(item.sold for item in sums),
                 sum(rows[i]["quantity"] for i in accepted[:half]))
    odd = client.reserve_batch([dict(item_id=item_ids[0], reservation_id=0, quantity=1),
                                dict(item_id=987654321, reservation_id=1, quantity=1),
                                dict(item_id=item_ids[1], reservation_id=1, quantity=0)])
    checks.equal("batch: each row is refused by itself",
                 [(reply.result, reply.invalid_field) for reply in odd],
                 [("INVALID", "RESERVATION_ID"), ("UNKNOWN_ITEM", "UNSPECIFIED"),
                  ("INVALID", "QUANTITY")])
    item_id = sale.item(stock=-1)
    most = client.reserve_batch([dict(item_id=item_id, reservation_id=1 + i, quantity=1)
                                 for i in range(client.batch_rows_max)])
    checks.check("batch: as many rows as a frame may hold",
                 [reply.sequence for reply in most] == list(range(1, len(most) + 1)),
                 most[-1])


def any_core_takes_any_row(sale):
    """One connection, rows of all cores in one frame; and many frames in flight."""
    checks = sale.checks
    connection = Connection(sale.messages, "127.0.0.1", sale.server.port)
    connection.hello()
    item_ids = [sale.item(stock=3) for _ in range(6)]
    batch = connection.request("reserve_batch", row_count=24, item_id=item_ids * 4, quantity=[1],
                               reservation_id_high=[9], reservation_id_low=range(1, 25))
    replies = replies_of_batch(sale.messages, batch)
    checks.equal("one connection: rows for all cores",
                 [(reply.result, reply.sequence) for reply in replies],
                 [("OK", 1)] * 6 + [("OK", 2)] * 6 + [("OK", 3)] * 6 + [("SOLD_OUT", 0)] * 6)
    item_id = sale.item(stock=-1)
    message = sale.messages.ReserveRequest(item_id=item_id, quantity=1, reservation_id_high=1)
    sent = []
    for low in range(500):
        message.reservation_id_low = low
        sent.append(connection.send("reserve", message))
    checks.equal("one connection: 500 requests in flight, one item, in order",
                 [connection.wait(request_id).sequence for request_id in sent],
                 list(range(1, 501)))
    connection.close()


def listing(sale):
    checks, client = sale.checks, sale.client
    expected = set(range(1001, sale.last_item_id + 1))
    checks.equal("list: every item once, all cores",
                 sorted(item.settings.item_id for item in client.item_list()), sorted(expected))
    paged = list(client.item_list(count_max=3))
    checks.equal("list: the same in pages of three",
                 sorted(item.settings.item_id for item in paged), sorted(expected))
    checks.check("list: the books of every item",
                 all(item.settings.stock == -1 or
                     item.available + item.held + item.sold == item.settings.stock
                     for item in paged))


def counting(sale):
    checks, client = sale.checks, sale.client
    stats = [client.stat(core, state_hash=True) for core in range(client.core_count)]
    checks.equal("stat: each core tells its number", [stat.core for stat in stats],
                 list(range(client.core_count)))
    checks.equal("stat: items", sum(stat.items for stat in stats), sale.last_item_id - 1000)
    listed = list(client.item_list())
    checks.equal("stat: units held and sold are those of the items",
                 (sum(stat.units_held for stat in stats), sum(stat.units_sold for stat in stats)),
                 (sum(item.held for item in listed), sum(item.sold for item in listed)))
    checks.check("stat: reservations by state add up",
                 all(stat.reservations == stat.held + stat.confirmed + stat.cancelled +
                     stat.expired for stat in stats), stats)
    checks.check("stat: rows are counted",
                 sum(stat.rows_accepted + stat.rows_refused for stat in stats) >=
                 client.batch_rows_max and all(stat.state_hash for stat in stats), stats)
    checks.check("stat: all that was answered is durable",
                 all(stat.log_durable_lsn <= stat.log_last_lsn for stat in stats), stats)


def check_snapshot_file(sale, name, snapshot, data):
    """The file by docs/log-format.md: header, blocks that make a chain, a footer."""
    server_id = tuple(int.from_bytes(half, "big") for half in (sale.client.server_id[:8],
                                                               sale.client.server_id[8:]))
    u64 = struct.Struct("<Q").unpack_from
    core, id_high, id_low, uuid_high, uuid_low, _ = struct.unpack_from("<I5Q", data, 20)
    sale.checks.equal(name + "header", (data[:8], core, (id_high, id_low), u64(data, 80)[0]),
                      (b"HFSNAPSH", snapshot.core, server_id, snapshot.lsn + 1))
    chain = u64(data, 8)[0]
    offset, blocks, footer = 4096, [], None
    while footer is None and offset + 64 <= len(data):
        checksum, payload_checksum, number, before, payload_bytes, entries, kind = \
            struct.unpack_from("<4Q3I", data, offset + 8)
        seed = uuid_high ^ uuid_low ^ offset
        payload = data[offset + 64:offset + 64 + payload_bytes]
        blocks.append(data[offset:offset + 8] == b"HFSNAPBK" and before == chain and
                      checksum == xxhash.xxh3_64_intdigest(data[offset + 16:offset + 64], seed) and
                      payload_checksum == xxhash.xxh3_64_intdigest(payload, seed) and
                      number == len(blocks) + 1 and (entries > 0) == (kind == 1))
        footer = struct.unpack("<7Q", payload) if kind == 2 else None
        chain = checksum
        offset += (64 + payload_bytes + 4095) // 4096 * 4096
    sale.checks.check(name + "every block follows and verifies", all(blocks), blocks)
    sale.checks.equal(name + "the footer ends it", offset, len(data))
    sale.checks.equal(name + "the footer counts what the answer said", footer and footer[:4],
                      (snapshot.items, snapshot.reservations, snapshot.buyers,
                       snapshot.state_hash))


def snapshots(sale):
    checks, client = sale.checks, sale.client
    stats = [client.stat(core, state_hash=True) for core in range(client.core_count)]
    taken = client.snapshots()
    checks.equal("snapshot: each core tells what is in it",
                 [(sale.result(one), one.core, one.lsn, one.items, one.reservations, one.buyers,
                   one.state_hash) for one in taken],
                 [("OK", stat.core, stat.log_last_lsn, stat.items, stat.reservations, stat.buyers,
                   stat.state_hash) for stat in stats])
    for snapshot in taken:
        data = client.snapshot_file(snapshot.core, snapshot.lsn)
        checks.equal("snapshot: the file is as long as was said", len(data), snapshot.bytes)
        check_snapshot_file(sale, "snapshot of core %d: " % snapshot.core, snapshot, data)
    checks.equal("snapshot: nothing has changed, so it is the same", client.snapshots(), taken)
    checks.equal("snapshot: counters tell of it",
                 [(stat.snapshot_lsn, stat.log_bytes_behind, stat.lacks_space) for stat in
                  (client.stat(core) for core in range(client.core_count))],
                 [(one.lsn, 0, False) for one in taken])
    gone = client.snapshot_file(0, taken[0].lsn + 12345)
    checks.equal("snapshot: of another LSN there is none", sale.result(gone), "UNKNOWN_SNAPSHOT")
    behind = client.cores[0].request("snapshot_read", core=0, lsn=taken[0].lsn,
                                     offset=taken[0].bytes + 4096)
    checks.equal("snapshot: behind its end there is nothing", (sale.result(behind), behind.data),
                 ("OK", b""))
    try:
        client.cores[0].request("snapshot_read", core=0, lsn=taken[0].lsn, offset=100)
        checks.check("snapshot: an odd offset", False, "it was answered")
    except ServerError as error:
        checks.equal("snapshot: an odd offset", error.code, "BAD_BODY")


def errors(sale):
    checks, client = sale.checks, sale.client
    for name in ("stat", "item_list", "snapshot", "snapshot_read"):
        try:
            client.cores[0].request(name, core=client.core_count)
            checks.check("error: %s of a core that is none" % name, False, "it was answered")
        except ServerError as error:
            checks.equal("error: %s of a core that is none" % name, error.code, "NO_SUCH_CORE")
    connection = Connection(sale.messages, "127.0.0.1", sale.server.port)
    try:
        connection.hello(server_id=bytes(16))
        checks.check("error: another server", False, "it was answered")
    except ServerError as error:
        checks.equal("error: another server", error.code, "WRONG_SERVER")
    connection.close()


def going_away(sale):
    """Last: stops the server. What is connected hears of it, then the connections end."""
    checks, connection = sale.checks, sale.client.cores[0]
    sale.server.ask_to_stop()
    try:
        type_, request_id, message = connection.receive()
        checks.check("go away: told before the end",
                     (type_, request_id) == (GO_AWAY, 0) and message.reason, message)
        connection.receive()
        checks.check("go away: then the connection ends", False, "another frame came")
    except Closed as closed:
        checks.equal("go away: then the connection ends", str(closed),
                     "the server closed the connection")


def test(checks, messages, server):
    sale = Sale(checks, messages, server)
    for situation in (hello, items, updates, one_hold, cancelling, expiry, refusals, batches,
                      any_core_takes_any_row, listing, counting, snapshots, errors):
        situation(sale)
    checks.check("server is alive", server.is_alive())
    going_away(sale)
    sale.client.close()


if __name__ == "__main__":
    harness.run(__doc__, test)
