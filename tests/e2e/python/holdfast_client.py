"""A small client of Holdfast, written from docs/protocol.md alone.

It shares nothing with the engine: frames are packed with struct and python3-xxhash, bodies by
python3-protobuf with classes generated from the schema in that document.

    messages = load_messages()
    client = Client(messages, "127.0.0.1", 7411)
    client.item_create(item_id=1001, stock=100)
    reply = client.reserve(item_id=1001, reservation_id=new_id(), buyer_id=77, quantity=2)
    replies = client.reserve_batch([{"item_id": 1001, "reservation_id": new_id(), "quantity": 1}])

One thread. `Connection` is one TCP connection and hides nothing; `Client` keeps one for each core
and sends every row to the core that owns its item.
"""

import importlib
import os
import re
import secrets
import socket
import struct
import subprocess
import sys
import tempfile

import xxhash

HEADER = struct.Struct("<QIBBHIIQ")  # checksum, magic, version, type, flags, body, zero, request id
CHECKSUM_BYTES = 8
MAGIC = 0x31504648
VERSION = 1
BODY_BYTES_MAX = 1 << 20
REPLY = 128
ERROR = 254
GO_AWAY = 255

# name: type, request, reply
TYPES = {
    "hello": (1, "HelloRequest", "HelloResponse"),
    "ping": (2, "PingRequest", "PingResponse"),
    "reserve": (16, "ReserveRequest", "ReservationResponse"),
    "confirm": (17, "ConfirmRequest", "ReservationResponse"),
    "cancel": (18, "CancelRequest", "ReservationResponse"),
    "extend": (19, "ExtendRequest", "ReservationResponse"),
    "get": (20, "GetRequest", "ReservationResponse"),
    "reserve_batch": (32, "ReserveBatchRequest", "ReservationBatchResponse"),
    "confirm_batch": (33, "ConfirmBatchRequest", "ReservationBatchResponse"),
    "cancel_batch": (34, "CancelBatchRequest", "ReservationBatchResponse"),
    "extend_batch": (35, "ExtendBatchRequest", "ReservationBatchResponse"),
    "get_batch": (36, "GetBatchRequest", "ReservationBatchResponse"),
    "item_create": (48, "ItemCreateRequest", "ItemResponse"),
    "item_update": (49, "ItemUpdateRequest", "ItemResponse"),
    "item_get": (50, "ItemGetRequest", "ItemResponse"),
    "item_list": (51, "ItemListRequest", "ItemListResponse"),
    "stat": (52, "StatRequest", "StatResponse"),
    "snapshot": (53, "SnapshotRequest", "SnapshotResponse"),
    "snapshot_read": (54, "SnapshotReadRequest", "SnapshotReadResponse"),
}
SERVER_MESSAGES = {type_ + REPLY: reply for type_, _, reply in TYPES.values()}
SERVER_MESSAGES.update({ERROR: "ErrorResponse", GO_AWAY: "GoAwayResponse"})

DOCUMENT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../docs/protocol.md")


class ServerError(Exception):
    """An Error frame in place of a reply."""

    def __init__(self, code, detail):
        super().__init__("%s: %s" % (code, detail.decode("utf-8", "replace")))
        self.code = code


class Closed(Exception):
    """The connection has ended, or what came over it is no frame."""


def load_messages(protoc="protoc", scratch=None):
    """The module of message classes, generated from the schema in docs/protocol.md."""
    with open(DOCUMENT, encoding="utf-8") as file:
        schema = re.search(r"^```proto\n(.*?)^```", file.read(), re.S | re.M).group(1)
    if scratch:
        os.makedirs(scratch, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        with open(os.path.join(folder, "holdfast.proto"), "w", encoding="utf-8") as file:
            file.write(schema)
        subprocess.run([protoc, "--proto_path=" + folder, "--python_out=" + folder,
                        "holdfast.proto"], check=True)
        sys.path.insert(0, folder)
        try:
            return importlib.import_module("holdfast_pb2")
        finally:
            sys.path.remove(folder)


def new_id():
    """A reservation id: 128 random bits, never zero."""
    return secrets.randbits(128) or 1


def core_of(item_id, core_count):
    return xxhash.xxh3_64_intdigest(struct.pack("<Q", item_id)) % core_count


def pack_frame(type_, request_id, body):
    covered = HEADER.pack(0, MAGIC, VERSION, type_, 0, len(body), 0, request_id)[CHECKSUM_BYTES:]
    covered += body
    return struct.pack("<Q", xxhash.xxh3_64_intdigest(covered)) + covered


def short_name(enum, number):
    """RESULT_SOLD_OUT is "SOLD_OUT"; a number that this client doesn't know is itself, as text."""
    name = enum.DESCRIPTOR.name
    prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", name).upper() + "_"
    return enum.Name(number)[len(prefix):] if number in enum.values() else str(number)


class Connection:
    """One TCP connection: whole frames out, whole frames in."""

    def __init__(self, messages, host, port, timeout_s=10):
        self.messages = messages
        self.socket = socket.create_connection((host, port), timeout_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""
        self.last_request_id = 0
        self.early = {}  # replies that came while another one was waited for
        self.going_away = False

    def close(self):
        self.socket.close()

    def send(self, name, message):
        """Sends one request and returns its id."""
        self.last_request_id += 1
        body = message.SerializeToString()
        self.socket.sendall(pack_frame(TYPES[name][0], self.last_request_id, body))
        return self.last_request_id

    def read_exactly(self, count):
        while len(self.received) < count:
            try:
                more = self.socket.recv(1 << 16)
            except ConnectionError as error:
                raise Closed(str(error)) from error
            if not more:
                raise Closed("the server closed the connection")
            self.received += more
        taken, self.received = self.received[:count], self.received[count:]
        return taken

    def receive(self):
        """The next frame: type, request id, message."""
        header = self.read_exactly(HEADER.size)
        checksum, magic, version, type_, flags, body_bytes, zero, request_id = HEADER.unpack(header)
        if (magic, version, flags, zero) != (MAGIC, VERSION, 0, 0):
            raise Closed("this is not version 1 of the protocol")
        if type_ not in SERVER_MESSAGES or body_bytes > BODY_BYTES_MAX:
            raise Closed("unknown type %d or length %d" % (type_, body_bytes))
        body = self.read_exactly(body_bytes)
        if checksum != xxhash.xxh3_64_intdigest(header[CHECKSUM_BYTES:] + body):
            raise Closed("wrong checksum")
        message = getattr(self.messages, SERVER_MESSAGES[type_]).FromString(body)
        return type_, request_id, message

    def wait(self, request_id):
        """The reply to this request; others that come before it are kept."""
        while request_id not in self.early:
            type_, answered_id, message = self.receive()
            if type_ == GO_AWAY:
                self.going_away = True
            else:
                self.early[answered_id] = (type_, message)
                if type_ == ERROR and message.code < 16:
                    request_id = answered_id  # the last that is heard on this connection
        type_, message = self.early.pop(request_id)
        if type_ == ERROR:
            raise ServerError(short_name(self.messages.ErrorCode, message.code), message.detail)
        return message

    def call(self, name, message):
        return self.wait(self.send(name, message))

    def request(self, name, **fields):
        """One request from its fields, and its reply."""
        return self.call(name, getattr(self.messages, TYPES[name][1])(**fields))

    def hello(self, **fields):
        fields.setdefault("protocol_version", VERSION)
        fields.setdefault("client_name", b"holdfast_client.py")
        return self.request("hello", **fields)


def split_id(row):
    """The row with its 128-bit id in two halves."""
    fields = dict(row)
    reservation_id = fields.pop("reservation_id")
    fields["reservation_id_high"] = reservation_id >> 64
    fields["reservation_id_low"] = reservation_id & (1 << 64) - 1
    return fields


def columns(rows):
    """Rows to columns: full, one element for all, or none for all zero."""
    names = {name for row in rows for name in row}
    result = {"row_count": len(rows)}
    for name in names:
        values = [row.get(name, 0) for row in rows]
        if len(set(values)) > 1:
            result[name] = values
        elif values[0] != 0:
            result[name] = values[:1]
    return result


class Reply:
    """One row's answer, results and states by name."""

    FIELDS = ["quantity", "quantity_confirmed", "sequence", "expires_ms", "available", "buyer_id",
              "user_data", "created_ms"]

    def __init__(self, messages, value):
        """`value(name)` gives the field of that name."""
        self.result = short_name(messages.Result, value("result"))
        self.state = short_name(messages.ReservationState, value("state"))
        self.invalid_field = short_name(messages.Field, value("invalid_field"))
        for name in self.FIELDS:
            setattr(self, name, value(name))

    def __repr__(self):
        return repr(self.__dict__)


def replies_of_batch(messages, batch):
    def value_of_row(row):
        def value(name):
            column = getattr(batch, name)
            if len(column) not in (0, 1, batch.row_count):
                raise Closed("column %s has %d elements" % (name, len(column)))
            return column[row] if len(column) > 1 else column[0] if column else 0
        return value
    return [Reply(messages, value_of_row(row)) for row in range(batch.row_count)]


class Client:
    """A connection to each core, and every row to its own."""

    def __init__(self, messages, host, port, timeout_s=10):
        self.messages = messages
        first = Connection(messages, host, port, timeout_s)
        hello = first.hello(wants_core=True, core=0)
        self.server_id = hello.server_id
        self.core_count = hello.core_count
        self.batch_rows_max = hello.batch_rows_max
        self.cores = [first]
        for core in range(1, self.core_count):
            connection = Connection(messages, host, port, timeout_s)
            connection.hello(wants_core=True, core=core, server_id=self.server_id)
            self.cores.append(connection)

    def close(self):
        for connection in self.cores:
            connection.close()

    def connection_of(self, item_id):
        return self.cores[core_of(item_id, self.core_count)]

    def single(self, name, fields):
        message = self.connection_of(fields["item_id"]).request(name, **split_id(fields))
        return Reply(self.messages, lambda field: getattr(message, field))

    def batch(self, name, rows):
        """Rows of one kind: a frame to each core that owns some, all in flight together. Returns
        the replies in the order of the rows."""
        places = {}
        for place, row in enumerate(rows):
            places.setdefault(core_of(row["item_id"], self.core_count), []).append(place)
        waiting = []
        for core, all_of_core in places.items():
            for start in range(0, len(all_of_core), self.batch_rows_max):
                some = all_of_core[start:start + self.batch_rows_max]
                message = getattr(self.messages, TYPES[name][1])(
                    **columns([split_id(rows[place]) for place in some]))
                waiting.append((self.cores[core], self.cores[core].send(name, message), some))
        replies = [None] * len(rows)
        for connection, request_id, some in waiting:
            answers = replies_of_batch(self.messages, connection.wait(request_id))
            if len(answers) != len(some):
                raise Closed("%d answers to %d rows" % (len(answers), len(some)))
            for place, answer in zip(some, answers):
                replies[place] = answer
        return replies

    def reserve(self, **fields):
        return self.single("reserve", fields)

    def confirm(self, **fields):
        return self.single("confirm", fields)

    def cancel(self, **fields):
        return self.single("cancel", fields)

    def extend(self, **fields):
        return self.single("extend", fields)

    def get(self, **fields):
        return self.single("get", fields)

    def reserve_batch(self, rows):
        return self.batch("reserve_batch", rows)

    def confirm_batch(self, rows):
        return self.batch("confirm_batch", rows)

    def cancel_batch(self, rows):
        return self.batch("cancel_batch", rows)

    def extend_batch(self, rows):
        return self.batch("extend_batch", rows)

    def get_batch(self, rows):
        return self.batch("get_batch", rows)

    def item_create(self, validate_only=False, **settings):
        return self.connection_of(settings["item_id"]).request(
            "item_create", settings=settings, validate_only=validate_only)

    def item_update(self, item_id, **settings):
        fields = ["ITEM_FIELD_" + name.upper() for name in settings]
        return self.connection_of(item_id).request(
            "item_update", settings=dict(settings, item_id=item_id), fields=fields)

    def item_get(self, item_id):
        return self.connection_of(item_id).request("item_get", item_id=item_id)

    def item_list(self, count_max=0):
        """All items of all cores."""
        for core, connection in enumerate(self.cores):
            position, has_more = 0, True
            while has_more:
                page = connection.request("item_list", core=core, position=position,
                                          count_max=count_max)
                yield from page.items
                position, has_more = page.next_position, page.has_more

    def stat(self, core, state_hash=False):
        return self.cores[core].request("stat", core=core, state_hash=state_hash)

    def snapshots(self):
        """A snapshot of each core, all asked for at the same time."""
        sent = [connection.send("snapshot", self.messages.SnapshotRequest(core=core))
                for core, connection in enumerate(self.cores)]
        return [connection.wait(request_id) for connection, request_id in zip(self.cores, sent)]

    def snapshot_file(self, core, lsn):
        """The file of a snapshot, read piece by piece; the reply when it is refused."""
        data = b""
        while True:
            piece = self.cores[core].request("snapshot_read", core=core, lsn=lsn, offset=len(data))
            if piece.result != self.messages.RESULT_OK:
                return piece
            if not piece.data:
                return data
            data += piece.data

    def now_ms(self):
        return self.cores[0].request("ping", payload=1).now_ms
