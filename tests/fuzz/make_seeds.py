#!/usr/bin/python3
"""Writes the hand-made part of the corpus: tests/fuzz/corpus/TARGET/seed-NAME.

    make_seeds.py [FOLDER]      (default: corpus, beside this file)

Real messages come from tests/golden/protocol-v1.json, logs and states from short scripts in the form
that each target's opening comment tells. Everything else in the corpus was found by the fuzzer and is
kept because it reaches code that nothing else does: scripts/fuzz --keep.
"""
import json
import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
GOLDEN = os.path.join(HERE, "..", "golden", "protocol-v1.json")
HEADER_BYTES = 32
REPLY = 128

seeds = {}  # target -> name -> bytes


def add(target, name, data):
    name = "".join(c if c.isascii() and c.isalnum() else "_" for c in name)
    seeds.setdefault(target, {})[name] = bytes(data)


def golden_frames():
    with open(GOLDEN, encoding="utf-8") as file:
        return [(vector["name"], bytes.fromhex(vector["bytes"]))
                for vector in json.load(file)["frames"]]


# ---- protocol ----------------------------------------------------------------------------------

def frame_seeds(frames):
    """Flags, seed of the cuts, frames with directives "repair all" where the checksum goes."""
    requests, replies = bytearray(), bytearray()
    for name, frame in frames:
        is_request = frame[13] < REPLY
        blank = bytes(8) + frame[8:]
        add("fuzz_frame", name, bytes([2 | is_request, 3]) + blank)
        (requests if is_request else replies).extend(blank)
    add("fuzz_frame", "all requests", bytes([3, 9]) + requests)
    add("fuzz_frame", "all replies", bytes([2, 16]) + replies)
    ping = bytes(8) + frames[0][1][8:]
    for bit in range(5):
        add("fuzz_frame", f"not repaired {bit}", bytes([3, 1, 1 << bit]) + ping[1:])
    add("fuzz_frame", "cut in the header", bytes([3, 1]) + ping + ping[:20])
    add("fuzz_frame", "cut in the body", bytes([3, 1]) + ping + ping[:-1])
    add("fuzz_frame", "body too long", bytes([3 | 2 << 2, 1]) + requests)
    add("fuzz_frame", "as they are", bytes([1, 1]) + b"".join(
        frame for _, frame in frames if frame[13] < REPLY))


DELIVER, PULL, PULL_OTHERWISE, REPLY_TO, FLUSH, TAKE, NOTICE, LEAVE = range(8)
MUCH = 15


def does(what, amount=0, client=0):
    return what | client << 3 | amount << 4


def net_seeds(frames):
    """How many commands, the commands, and two streams of the same length."""
    blank = [bytes(8) + frame[8:] for _, frame in frames if frame[13] < REPLY]
    ping, batch = blank[0], max((frame for frame in blank if frame[13] == 36), key=len)
    # a reply of 8192 rows is promised, and the send buffer can promise two of those
    huge = bytes(13) + bytes([36, 0, 0, 3]) + bytes(15) + b"\x08\x80\x40"
    begin = [does(FLUSH), does(DELIVER, MUCH), does(DELIVER, MUCH, 1)]
    turn = [does(PULL)] * 2 + [does(REPLY_TO)] * 2 + [does(FLUSH), does(TAKE, MUCH), does(TAKE, MUCH, 1)]
    few = b"".join(blank[:6])
    all_ = b"".join(blank)
    runs = {
        "a frame each": (begin + turn, ping, ping),
        "all frames": (begin + turn * 20, all_, all_),
        "in pieces": ([does(FLUSH)] + ([does(DELIVER, 2), does(FLUSH), does(PULL)] * 30), few, b""),
        "pulled twice": (begin + [does(PULL_OTHERWISE, 0), does(PULL), does(PULL_OTHERWISE, 2)] * 4, few, few),
        "handed over": (begin + [does(PULL_OTHERWISE, 1), does(PULL), does(PULL_OTHERWISE, 1)] + turn, few, few),
        "answered late": (begin + [does(PULL)] * 10 + [does(REPLY_TO, 3), does(REPLY_TO, 7)] * 5 + turn, few, few),
        "large replies": (begin + [does(PULL), does(REPLY_TO, 3), does(FLUSH), does(TAKE, 1)] * 12, batch * 12, b""),
        "many not answered": (begin + [does(PULL)] * 12 + turn, batch * 12, b""),
        "blocked": (begin + [does(PULL)] * 3 + [does(REPLY_TO), does(PULL)] * 3 + turn, huge * 5, ping),
        "blocked by what is not taken": (begin + [does(PULL), does(PULL), does(REPLY_TO, 3), does(FLUSH), does(PULL),
                                                  does(REPLY_TO, 3), does(FLUSH)] * 4 +
                                         [does(TAKE, 9), does(FLUSH), does(PULL)] * 9, huge * 5, ping),
        "bad frame": (begin + turn * 3, ping + b"\1" + bytes(31), ping + b"\x10" + ping[1:]),
        "bad version": (begin + turn * 3, ping + b"\2" + bytes(31), b"\4" + ping[1:]),
        "too long": (begin + turn * 3, ping + b"\x08" + ping[1:16] + b"\0\0\1\0" + ping[20:], b""),
        "half a frame": (begin + turn + [does(FLUSH, 15)] * 4, ping + ping[:40], b""),
        "no hello": ([does(FLUSH, 15)] * 4, b"", b""),
        "notices": (begin + [does(PULL), does(NOTICE, 2), does(NOTICE, 4)] + turn, few, few),
        "closed": (begin + [does(PULL), does(NOTICE, 1)] + turn * 2, few, few),
        "left": (begin + [does(PULL), does(LEAVE, 1), does(LEAVE, 4, 1)] + turn * 2, few, few),
    }
    for name, (commands, first, second) in runs.items():
        length = max(len(first), len(second))
        first, second = (stream.ljust(length, b"\1") for stream in (first, second))
        add("fuzz_net", name, bytes([len(commands)]) + bytes(commands) + first + second)


def message_seeds(frames):
    types = set()
    for name, frame in frames:
        types.add(frame[13])
        add("fuzz_message", name, bytes([frame[13], 100 << 1]) + frame[HEADER_BYTES:])
    for number in sorted(types):
        add("fuzz_message", f"made {number}", bytes([number, 1, 3]) + bytes([5, 1, 2, 3]) * 24)
    add("fuzz_message", "unknown fields", bytes([2, 60]) + bytes.fromhex("a80601b206026869bd0601020304"))
    add("fuzz_message", "one field again and again", bytes([16, 60]) + bytes.fromhex("2801") * 511)


def client_seeds(frames):
    """For each reply: the kind of call that waits for it, rows, flags, body."""
    kinds = [16, 17, 18, 19, 20, 32, 33, 34, 35, 36, 48, 49, 50, 51, 2, 52, 53, 54]
    for name, frame in frames:
        body = frame[HEADER_BYTES:]
        if frame[13] - REPLY in kinds:
            kind = kinds.index(frame[13] - REPLY)
            rows = body[1] if 32 <= kinds[kind] <= 36 else 1  # row_count is the first field
            add("fuzz_client_decode", name, bytes([kind, rows - 1, 0]) + body)
            add("fuzz_client_decode", name + " late", bytes([kind, rows - 1, 1 | 4 | 8]) + body)
        elif frame[13] == 1 + REPLY:
            add("fuzz_client_decode", name, bytes([0, 0, 64]) + body)
        elif frame[13] == 254:
            add("fuzz_client_decode", name, bytes([0, 0, 128]) + body)
    for kind, number in enumerate(kinds):
        add("fuzz_client_decode", f"made {number}", bytes([kind, 2, 32]) + bytes([5, 1, 2, 3]) * 24)
        loading = b"\x08\x03\x12\x01\x17" if 32 <= number <= 36 else b"\x08\x17"
        add("fuzz_client_decode", f"loading {number}", bytes([kind, 2, 0]) + loading)
        add("fuzz_client_decode", f"loading {number}, impatient", bytes([kind, 2 | 128, 0]) + loading)
    add("fuzz_client_decode", "made hello", bytes([0, 0, 32 | 64]) + bytes([1, 1] * 20))


# ---- text --------------------------------------------------------------------------------------

def text_seeds():
    units = ["0", "1", "15m", "1h30m", "250ms", "7d", "1d2h3m4s5ms", "4096", "64KiB", "1GiB", "2TiB",
             "10k", "1M", "2G", "18446744073709551615", "18446744073709551616", "16777216TiB",
             "213503982334d14h25m51s615ms", "1s1s", "1ms1s", "0x4d2", "0xFFFFFFFFFFFFFFFF", "-1",
             "unlimited", "yes", "no", "true", "false", "none", "+15m", "+18446744073709551615ms", "2026-11-27T20:00:00Z",
             "2026-11-27 20:00:00.250Z", "2024-02-29T23:59:59.9Z", "2023-02-29T00:00:00Z",
             "1969-12-31T23:59:59Z", "9999-12-31T23:59:59.999Z", "Größe-42", "京都", "\U0001f600"]
    for index, text in enumerate(units):
        add("fuzz_units", f"{index:02} {text}", text.encode())
    for name, text in {"overlong": b"\xc0\xaf", "surrogate": b"\xed\xa0\x80", "cut": b"a\xe4\xba",
                       "beyond": b"\xf4\x90\x80\x80", "control": b"\xc2\x85", "long": b"x" * 65,
                       "fits": b"x" * 64}.items():
        add("fuzz_units", "sku " + name, text)

    lines = {
        "ping": "ping", "json": "ping --json --core 1 --timeout 500ms", "help": "--help",
        "help of one": "item create --help", "version": "--version", "none": "", "unknown": "sell",
        "create": "item create --sku A --stock 10k --buyer-limit 2 --hold-cap 1 --hold-time 15m "
                  "--opens-at 2026-11-27T20:00:00Z --closes-at +2h --paused no --validate-only",
        "update": "item update --item 0x7 --stock unlimited --opens-at none",
        "show item": "item show --sku A", "list": "item list", "import": "item import file.csv",
        "reserve": "reserve --item 7 --id 00112233445566778899aabbccddeeff --quantity 2 --buyer 5 "
                   "--hold-time 1m --user-data 9",
        "confirm": "confirm --item 7 --id 00112233445566778899aabbccddeeff --quantity 1",
        "cancel": "cancel --sku A --id 00112233445566778899aabbccddeeff",
        "extend": "extend --item 7 --id 00112233445566778899aabbccddeeff --until +15m",
        "show": "show --item 7 --id 00112233445566778899aabbccddeeff",
        "stat": "stat --core 0 --state-hash --server=localhost:7411",
        "snapshot": "snapshot --core 1 --json", "backup": "backup folder --timeout 1h",
        "twice": "ping --core 1 --core 2", "not here": "ping --sku A", "zero id": "show --item 7 --id "
        + "0" * 32, "no value": "stat --core", "shortened": "stat --ver", "too many": "ping ping",
    }
    for name, line in lines.items():
        add("fuzz_cli_options", name, "\n".join(line.split()).encode())
    lines = {
        "none": "", "help": "--help", "version": "--version", "unknown": "--sell", "extra": "word",
        "all": "--server 127.0.0.1:7411 --scenario flash --connections 4 --pipeline 16 --batch 64 "
               "--requests 10k --items 3 --first-item 1 --units 100 --buyers 1k --buyer-limit 1 "
               "--hold-time 1m --pay-share 0.5 --cancel-share 0.25 --repeat-share 1 --pay-delay 1s "
               "--seed 7 --reconnect 1s --timeout 1s --verify --settle --shared --server-pid 1 --json "
               "--progress 1s --no-progress",
        "reserve": "--scenario reserve --units -1 --duration 10s --items 1",
        "sold out": "--scenario=soldout --units 0 --items 2", "not a number": "--pay-share nan",
        "shares": "--pay-share 0.6 --cancel-share 0.6", "many": "--connections 4096 --pipeline 1024 "
        "--batch 8192", "address": "--server [::1]:80", "bad address": "--server ::1:99999",
    }
    for name, line in lines.items():
        add("fuzz_bench_options", name, "\n".join(line.split()).encode())

    csv = {
        "small": (0, b"sku,stock\nA,10\nB,unlimited\n"),
        "all columns": (1, b"A,10,7,2,1,15m,2026-11-27T20:00:00Z,+2h,no\n"
                           b"\"B, \"\"big\"\"\",5k,0x10,0,0,,none,,yes\n"),
        "crlf": (0, b"\xef\xbb\xbfstock,sku\r\n1,A\r\n\r\n2,B"),
        "twice": (1, b"A,1,1,,,,,,\nA,1,2,,,,,,\nC,1,1,,,,,,\n"),
        "unclosed": (0, b"sku,stock\n\"A,1\nB,2\n"),
        "after quote": (0, b"sku,stock\n\"A\"x,1\nB\"y,2\n"),
        "returns": (0, b"sku,stock\nA\rB,1\nC,2\r"),
        "nul": (0, b"sku,stock\nA\0B,1\n"),
        "many cells": (0, b"," * 40 + b"\nA,1\n"),
        "wrong columns": (0, b"sku,price,sku\n"),
        "wrong values": (1, b"A,-2,0,x,99999999999,1x,soon,never,maybe\n\x01,,,,,,,,\n"),
        "lines in a cell": (1, b"\"A\nB\",1,,,,,,,\n\"A\r\nC\",1,,,,,,,\n"),
    }
    for name, (flags, text) in csv.items():
        add("fuzz_csv", name, bytes([flags]) + text)


def manifest_seeds():
    server = b"server 0123456789abcdef0123456789abcdef\n"
    title = b"holdfast data directory\n"
    chain = b" chain 0123456789abcdef\n"
    ends = b"end 0 lsn 1001" + chain + b"end 1 lsn 1" + chain
    eras = b"era 1 cores 2\n" + ends + b"era 2 cores 1\n"
    start = title + b"format 1\n" + server
    texts = {
        "small": start + eras,
        "one": start + b"era 1 cores 64\n",
        "other version": title + b"format 2\nwhatever\n",
        "no eras": start,
        "first eras removed": start + b"era 7 cores 2\n" + ends + b"era 9 cores 1\n",
        "falling": start + b"era 2 cores 2\n" + ends + b"era 1 cores 1\n",
        "no cores": start + b"era 1 cores 0\n",
        "many cores": start + b"era 1 cores 65\n",
        "leading zero": start + b"era 01 cores 1\n",
        "largest": start + b"era 18446744073709551615 cores 1\n",
        "too large": start + b"era 18446744073709551616 cores 1\n",
        "no ends": start + b"era 1 cores 2\nera 2 cores 1\n",
        "an end missing": start + b"era 1 cores 3\n" + ends + b"era 2 cores 1\n",
        "an end too many": start + b"era 1 cores 1\n" + ends + b"era 2 cores 1\n",
        "ends of the newest": start + b"era 1 cores 2\n" + ends,
        "end at zero": start + b"era 1 cores 1\nend 0 lsn 0" + chain + b"era 2 cores 1\n",
        "no format": title + server,
        "no server": title + b"format 1\n" + eras,
        "capitals": title + b"format 1\n" + server.upper() + eras,
    }
    for name, text in texts.items():
        add("fuzz_manifest", name, b"\1" + text)
    add("fuzz_manifest", "no checksum", b"\0" + texts["small"])
    add("fuzz_manifest", "wrong checksum", b"\0" + texts["small"] + b"checksum " + b"0" * 16 + b"\n")
    add("fuzz_manifest", "cut", b"\0" + title)
    add("fuzz_manifest", "made", b"\2\1\0\1\1\2" + bytes([0, 3, 9, 7] * 10))
    add("fuzz_manifest", "made other version", b"\2\1\0\2\1\2" + bytes([0, 3, 9, 7] * 10))
    add("fuzz_manifest", "name", b"\3000000000001.log")
    add("fuzz_manifest", "short name", b"\3" + b"1.log")


# ---- logs --------------------------------------------------------------------------------------

GROUP, SEGMENT, START, POKE, FLIP, COPY, CLEAR, CUT, RENAME, REPAIR, REFUSE, FAIL, GROUP_LIE, \
    HEADER_LIE, START_HERE, START_LIE, REMOVE, END_LIE = range(18)
BLOCK = 4096


def at(file, offset):
    return struct.pack("<BH", file, offset)


def log_seeds():
    small = [GROUP, 2]        # three records of 8 bytes
    large = [GROUP, 31 | 5 << 5]  # 32 of 256 bytes: three blocks
    two = bytes([2, 4, 4])    # two files of six blocks
    scripts = {
        "empty": bytes([0]),
        "unused": two,
        "one group": two + bytes(small),
        "two segments": two + bytes(large + small + large + small + [START] + small),
        "closed": bytes([0x84, 4, 4, 4, 4]) + bytes(large * 4),
        "closed torn": bytes([0x84, 4, 4, 4, 4]) + bytes(small * 2 + [FLIP]) + at(0, 8192) + b"\0",
        "torn header": two + bytes(small * 2 + [FLIP]) + at(0, 2 * BLOCK + 30) + b"\1",
        "torn payload": two + bytes(small * 2 + [FLIP]) + at(0, 2 * BLOCK + 140) + b"\1",
        "torn cleared": two + bytes(small + large + [CLEAR]) + at(0, 3 * BLOCK) + struct.pack("<H", BLOCK),
        "garbage behind": two + bytes(small + [POKE]) + at(0, 4 * BLOCK + 9) + b"\3abc",
        "torn segment header": two + bytes(large + small + [SEGMENT, FLIP]) + at(1, 100) + b"\1",
        "segment header in use": two + bytes(large * 2 + [FLIP]) + at(1, 100) + b"\1",
        "damage before a group": two + bytes(small * 3 + [FLIP]) + at(0, BLOCK + 30) + b"\1",
        "damage before a file": two + bytes(large + small + large + [FLIP]) + at(0, 4 * BLOCK + 30) + b"\1",
        "header erased": two + bytes(large * 2 + [CLEAR]) + at(0, 0) + struct.pack("<H", BLOCK),
        "first erased": two + bytes(small * 2 + [CLEAR]) + at(0, BLOCK) + struct.pack("<H", BLOCK),
        "file cut": two + bytes(small + [CUT, 0]) + struct.pack("<H", 3 * BLOCK),
        "file cut to nothing": two + bytes(small + [CUT, 0]) + struct.pack("<H", 0),
        "file cut in the header": two + bytes(small + [CUT, 0]) + struct.pack("<H", 1000),
        "gap in names": two + bytes(small + [RENAME, 1, 4]),
        "group copied": two + bytes(small + [COPY, 0x20, 0x10]),
        "group replaced": two + bytes(small * 2 + [COPY, 0x10, 0x20]),
        "segment copied": two + bytes(large * 2 + [COPY, 1, 0]),
        "refused": two + bytes(small * 3 + [REFUSE, 5]),
        "unreadable": two + bytes(large * 2 + [FAIL, 2]),
        "padding": two + bytes(small + [POKE]) + at(0, BLOCK + 300) + b"\1x",
        "record lengths": two + bytes(small + [POKE]) + at(0, BLOCK + 128) + b"\2\4\0" + bytes([REPAIR, 0x10]),
        "other version": two + bytes(small + [POKE]) + at(0, 16) + b"\1\2" + bytes([REPAIR, 0]),
        "unknown bytes in the header": two + bytes(small + [POKE]) + at(0, 200) + b"\1\2" + bytes([REPAIR, 0]),
        "unknown bytes in a group": two + bytes(small + [POKE]) + at(0, BLOCK + 90) + b"\1\2" + bytes([REPAIR, 0x10]),
    }
    scripts["group longer than its segment"] = bytes([2, 1, 1]) + bytes(small + [GROUP_LIE]) + \
        struct.pack("<HBBBQ", 1 << 7, 31, 8, 0xf0, 8000)
    for field in range(9):
        scripts[f"group lies {field}"] = two + bytes(small + [GROUP_LIE]) + struct.pack(
            "<H", 1 << field) + bytes([2, 3])
        scripts[f"group lies {field} before one"] = two + bytes(small + [GROUP_LIE]) + struct.pack(
            "<H", 1 << field) + bytes([2, 5]) + bytes(small)
    for field in range(8):
        scripts[f"segment lies {field}"] = two + bytes(large + small + [HEADER_LIE, 1 << field, 3])
    started = two + bytes(large + small + [START_HERE] + small + large + [START] + small)
    in_second = two + bytes(large + small + large + [START] + small + [START_HERE] + small)
    scripts |= {
        "from the beginning": two + bytes([START_HERE]) + bytes(small),
        "from the first segment": started,
        "from the second segment": in_second,
        "from the end": two + bytes(large + small + [START_HERE]),
        "from a full segment": bytes([2, 0, 4]) + bytes(small + [START_HERE] + small),
        "from behind a header": two + bytes(large + [SEGMENT, START_HERE] + small),
        "first file removed": in_second + bytes([REMOVE]),
        "too many files removed": in_second + bytes([REMOVE, REMOVE]),
        "removed without a start": started + bytes([REMOVE]),
        "torn behind the start": started + bytes([FLIP]) + at(1, BLOCK + 30) + b"\1",
        "bad before the start": started + bytes([FLIP]) + at(0, BLOCK + 30) + b"\1",
        "bad file before the start": in_second + bytes([FLIP]) + at(0, BLOCK + 30) + b"\1",
        "bad last group before the start": two + bytes(small * 2 + [START_HERE, FLIP]) +
                                           at(0, 2 * BLOCK + 30) + b"\1",
        "ends before the start": two + bytes(small * 2 + [START_HERE, CLEAR]) + at(0, 2 * BLOCK) +
                                 struct.pack("<H", BLOCK),
        "header lost before the start": two + bytes(small * 2 + [START_HERE, CLEAR]) + at(0, 0) +
                                        struct.pack("<H", BLOCK),
        "refused behind the start": started + bytes([REFUSE, 38]),
        "closed from a start": bytes([0x84, 4, 4]) + started[3:],
        "closed too late": bytes([0x84, 4, 4]) + bytes(small + [END_LIE, 1, 3]),
        "closed too early": bytes([0x84, 4, 4]) + bytes(small + [END_LIE, 1, 1]),
        "closed with another group": bytes([0x84, 4, 4]) + bytes(small + [END_LIE, 2, 3]),
        "closed before the start": bytes([0x84, 4, 4]) + bytes(small + [END_LIE, 0]) +
                                   bytes(small + [START_HERE]) + bytes(small),
        "closed and emptied": bytes([0x84, 4, 4]) + bytes(large * 2 + [CUT, 1]) + struct.pack("<H", 0),
    }
    for field in range(7):
        scripts[f"start lies {field}"] = two + bytes(small * 2 + [START_LIE, 1 << field, 3] + small)
        scripts[f"start lies {field} behind a header"] = two + bytes(
            large + [SEGMENT, START_LIE, 1 << field, 3] + small)
    for name, script in scripts.items():
        add("fuzz_log_reader", name, script)


# ---- snapshots ---------------------------------------------------------------------------------

ENTRIES, FOOTER, SNAPSHOT_FLIP, SNAPSHOT_POKE, SNAPSHOT_COPY, SNAPSHOT_CUT, SNAPSHOT_REPAIR, \
    SNAPSHOT_OTHER = range(8)


def poke(offset, number):
    return struct.pack("<BHB", SNAPSHOT_POKE, offset, 0xf0) + struct.pack("<Q", number)


def snapshot_seeds():
    base = bytes([0, 0])
    later = bytes([0x86, 1])
    few = bytes([ENTRIES, 2])            # three entries of 8 bytes
    many = bytes([ENTRIES, 31 | 5 << 5])  # 32 of 256 bytes: three blocks of the disk
    end = bytes([FOOTER, 9])
    whole = later + few + few + end      # blocks 1, 2 and the footer 3
    scripts = {
        "nothing": b"",
        "header only": later,
        "empty": base + end,
        "base": base + few + end,
        "whole": whole,
        "large": later + many + few + end,
        "without footer": later + few,
        "cut in the header": whole + struct.pack("<BH", SNAPSHOT_CUT, 100),
        "cut behind the header": whole + struct.pack("<BH", SNAPSHOT_CUT, BLOCK),
        "cut in a block": later + many + struct.pack("<BH", SNAPSHOT_CUT, 2 * BLOCK),
        "longer": whole + struct.pack("<BH", SNAPSHOT_CUT, 5 * BLOCK),
        "header changed": whole + struct.pack("<BHB", SNAPSHOT_FLIP, 70, 1),
        "block changed": whole + struct.pack("<BHB", SNAPSHOT_FLIP, BLOCK + 70, 1),
        "padding changed": whole + struct.pack("<BHB", SNAPSHOT_FLIP, BLOCK + 900, 1),
        "footer changed": whole + struct.pack("<BHB", SNAPSHOT_FLIP, 3 * BLOCK + 70, 1),
        "block twice": whole + bytes([SNAPSHOT_COPY, 2 | 1 << 3]),
        "block elsewhere": whole + bytes([SNAPSHOT_COPY, 1 | 2 << 3, SNAPSHOT_REPAIR, 1]),
        "footer early": whole + bytes([SNAPSHOT_COPY, 2 | 3 << 3, SNAPSHOT_REPAIR, 2]),
        "footer twice": whole + bytes([SNAPSHOT_COPY, 4 | 3 << 3]) +
                        struct.pack("<BH", SNAPSHOT_CUT, 5 * BLOCK),
        "other version": whole + bytes([SNAPSHOT_POKE]) + struct.pack("<HB", 16, 2) +
                         bytes([SNAPSHOT_REPAIR, 0]),
        "unknown bytes": whole + poke(136, 1) + bytes([SNAPSHOT_REPAIR, 0]),
        "entries cut": whole + bytes([SNAPSHOT_POKE]) + struct.pack("<HB", BLOCK + 64, 32) +
                       bytes([SNAPSHOT_REPAIR, 1]),
        "padding": whole + bytes([SNAPSHOT_POKE]) + struct.pack("<HB", BLOCK + 500, 1) +
                   bytes([SNAPSHOT_REPAIR, 1]),
    }
    for bit in range(4):
        scripts[f"other {bit}"] = whole + bytes([SNAPSHOT_OTHER, 1 << bit])
    for offset in (56, 64, 72, 80, 88, 96, 104, 112):
        for number in (0, 1, 2, BLOCK, 1 << 63):
            scripts[f"header {offset} {number}"] = whole + poke(offset, number) + \
                bytes([SNAPSHOT_REPAIR, 0])
    for offset in (24, 32, 40, 48, 56):
        for number in (0, 1, 2, 16 | 2 << 32, 16 | 3 << 32, 32 | 3 << 32, 1 << 20, 0xffffffff):
            scripts[f"block {offset} {number}"] = whole + poke(2 * BLOCK + offset, number) + \
                bytes([SNAPSHOT_REPAIR, 2])
    for offset in (64, 96, 104, 112):
        scripts[f"footer {offset}"] = whole + poke(3 * BLOCK + offset, 7) + \
            bytes([SNAPSHOT_REPAIR, 3])
    for name, script in scripts.items():
        add("fuzz_snapshot", name, script)


# ---- state -----------------------------------------------------------------------------------

SHAPE = 3 | 3 << 2 | 3 << 4 | 2 << 6  # 24 of everything, a second of retention
CREATED, UPDATED, HELD, CONFIRMED, CANCELLED, EXTENDED, EXPIRED, FORGOTTEN, RAW, TIME, DUE, CHECK = \
    range(12)


def event(type_, choice, lies=0, *more):
    return struct.pack("<BHB", type_, lies, choice) + bytes(more)


def hold_record(type_, item, id_, sequence, time_ms, expires_ms, quantity=1, confirmed=0):
    return struct.pack("<HBBIQQQQQQQQII", 80, type_, 0, quantity, time_ms, item, 0, id_, 0, sequence,
                       expires_ms, 9, confirmed, 0)


def item_record(type_, item, time_ms, stock, sku):
    padded = sku + bytes(-len(sku) % 8)
    return struct.pack("<HBBIQQqIIQQQ", 64 + len(padded), type_, 0, len(sku), time_ms, item, stock, 0, 0,
                       1000, 0, 0) + padded


def record_seeds():
    made = event(CREATED, 3)
    held = made + event(HELD, 0x10) + event(HELD, 0x51)
    now = 1700000000000
    raw = [item_record(1, 1, now, 10, b"SKU"), hold_record(3, 1, 5, 1, now, now + 1000, 2),
           hold_record(4, 1, 5, 1, now, now + 1000, 2, 2), item_record(2, 1, now, -1, b"SKU"),
           hold_record(3, 1, 6, 2, now, now + 1000), hold_record(7, 1, 6, 2, now + 1000, now + 1000)]
    scripts = {
        "item": made,
        "item changed": made + event(UPDATED, 0, 0x2ff, *([9] * 20)),
        "holds": held,
        "confirmed": held + event(CONFIRMED, 0) + event(CONFIRMED, 1, 1 << 8, 1),
        "cancelled": held + event(CANCELLED, 0) + event(FORGOTTEN, 0),
        "extended": held + event(EXTENDED, 1) + event(EXTENDED, 1),
        "expired": held + event(EXPIRED, 0) + event(FORGOTTEN, 0) + bytes([CHECK]),
        "due": held + bytes([TIME, 0xf0]) + struct.pack("<Q", 1 << 30) + bytes([DUE, 7, CHECK]),
        "expired early": held + event(EXPIRED, 0, 1 << 10, 1) + event(EXPIRED, 0, 1 << 10, 2),
        "in order": made + b"".join(event(HELD, choice) for choice in (0x40, 0x00, 0x80, 0x40, 0x00)) +
                    event(EXTENDED, 0, 1 << 5, 90) + event(EXTENDED, 1, 1 << 5, 30) + event(CANCELLED, 2) +
                    bytes([TIME, 200, DUE, 7, TIME, 200, DUE, 7]),
        "backwards": held + event(HELD, 0, 1 << 10, 0),
        "raw": b"".join(bytes([RAW, len(record)]) + record for record in raw),
    }
    for field in range(12):
        scripts[f"item lies {field}"] = event(CREATED, 3, 1 << field, 7, 9) + event(HELD, 0)
        scripts[f"hold lies {field}"] = made + event(HELD, 0x10, 1 << field, 3, 9) + event(HELD, 0x10)
        scripts[f"change lies {field}"] = held + event(CONFIRMED, 0, 1 << field, 3, 9) + \
            event(CANCELLED, 1, 1 << field, 3, 9)
    for name, script in scripts.items():
        add("fuzz_record", name, bytes([SHAPE]) + script)
        if name in ("holds", "due", "cancelled"):
            add("fuzz_record", name + " in small tables", bytes([1 | 1 << 2 | 1 << 4]) + script)


ITEM, RESERVATION, PASSES, LIE, LEAVE_OUT, DOUBLE, EXCHANGE, BYTES, SUM = range(9)
ROOMY = 3 | 3 << 2 | 3 << 4 | 3 << 6


def reservation(item=0, buyer=0, state=0, times=0x12):
    return bytes([RESERVATION, item | buyer << 3 | state << 5, times])


def entry_seeds():
    """The tables' sizes, how it is loaded, and a script."""
    items = bytes([ITEM, 0x14, ITEM, 0x81])
    sale = items + b"".join(reservation(item, buyer, state) + bytes([PASSES, 3])
                            for item in (0, 1) for buyer in (0, 1, 2) for state in range(4))
    storm = items + b"".join(reservation(i % 2, i % 4, 0, 0x12) for i in range(20))
    raw = struct.pack("<HBBIQQII", 32, 17, 0, 1, 1, 9, 1, 0)
    scripts = {
        "nothing": b"",
        "items": items,
        "sale": sale,
        "storm": storm,
        "raw": items + bytes([BYTES, len(raw)]) + raw,
        "raw cut": items + bytes([BYTES, len(raw) - 8]) + raw[:-8],
    }
    for entry in (0, 3, 9, 11, 12, 13):  # items, buyers, reservations of each state
        for place in range(1, 23) if entry in (0, 3, 9) else ():
            scripts[f"lie {entry} {place}"] = sale + bytes([LIE, entry, place, 3])
        scripts[f"missing {entry}"] = sale + bytes([LEAVE_OUT, entry])
        scripts[f"twice {entry}"] = sale + bytes([DOUBLE, entry])
        scripts[f"first {entry}"] = sale + bytes([EXCHANGE, entry, 0])
    for place in range(5):
        scripts[f"sum {place}"] = sale + bytes([SUM, 0, place, 1])
    for name, script in scripts.items():
        add("fuzz_entry", name, bytes([ROOMY, 13]) + script)
    for shape in range(0, 64, 5):
        add("fuzz_entry", f"sale in tables {shape}", bytes([shape, 1]) + sale)
    add("fuzz_entry", "sale in parts", bytes([ROOMY, 8]) + sale)


RESERVE, CONFIRM, CANCEL, EXTEND, GET, ANY_ROW, BATCH, BODY, CREATE, UPDATE, PASS, EXPIRE, LOOK = range(13)


def row(command, item, id_, buyer, amounts):
    return bytes([command, item - 1 | id_ - 1 << 2 | buyer << 6, amounts])


def request_seeds(frames):
    item = bytes([CREATE, 0, 0])
    sale = item + row(RESERVE, 1, 1, 1, 2) + row(RESERVE, 1, 2, 2, 1)
    scripts = {
        "reserve": sale,
        "twice": sale + row(RESERVE, 1, 1, 1, 2) + row(RESERVE, 1, 1, 1, 3),
        "sold out": sale + row(RESERVE, 1, 3, 0, 7) + row(RESERVE, 1, 4, 0, 2) + row(RESERVE, 1, 5, 0, 1),
        "confirm": sale + row(CONFIRM, 1, 1, 0, 0) + row(CONFIRM, 1, 2, 0, 1) + row(CONFIRM, 1, 1, 0, 0),
        "confirm a part": sale + row(CONFIRM, 1, 1, 0, 1) + row(GET, 1, 1, 0, 0),
        "cancel": sale + row(CANCEL, 1, 1, 0, 0) + row(CANCEL, 1, 1, 0, 0) + row(CONFIRM, 1, 1, 0, 0),
        "extend": sale + row(EXTEND, 1, 1, 0, 7 << 5) + row(EXTEND, 1, 9, 0, 0),
        "expire": sale + bytes([PASS, 100, EXPIRE, 7, LOOK]) + row(GET, 1, 1, 0, 0),
        "overdue": sale + bytes([PASS, 100]) + row(CONFIRM, 1, 1, 0, 0) + row(RESERVE, 1, 2, 2, 1),
        "limits": bytes([CREATE, 1, 2 | 4, 2, 1]) + row(RESERVE, 2, 1, 1, 1) + row(RESERVE, 2, 2, 1, 1) +
                  row(RESERVE, 2, 3, 1, 2),
        "window": bytes([CREATE, 2, 16 | 32, 3, 9]) + row(RESERVE, 3, 1, 1, 1) + bytes([PASS, 7]) +
                  row(RESERVE, 3, 1, 1, 1) + bytes([PASS, 90]) + row(RESERVE, 3, 2, 1, 1),
        "paused": bytes([CREATE, 3, 64]) + row(RESERVE, 4, 1, 1, 1),
        "item twice": item + item + bytes([CREATE, 0, 1, 9]) + bytes([CREATE, 4, 0]),
        "item changed": sale + bytes([UPDATE, 0x7f, 0, 1, 9, UPDATE, 1, 0, 1, 2]),
        "item changed too far": sale + bytes([UPDATE, 1, 0, 1, 0]),
        "any": item + bytes([ANY_ROW, 0]) + bytes([1, 0, 7, 0, 0, 0, 0, 1]),
        "batch": item + bytes([BATCH, 5, 3, 1, 1, 4, 1, 0, 4, 1, 2, 3, 0, 1, 1]),
    }
    hot = [16, 17, 18, 19, 20, 32, 33, 34, 35, 36]
    for name, frame in frames:
        if frame[13] in hot and len(frame) - HEADER_BYTES < 256:
            body = frame[HEADER_BYTES:]
            scripts[name] = item + bytes([BODY, hot.index(frame[13]), len(body)]) + body
    for name, script in scripts.items():
        add("fuzz_request", name, bytes([SHAPE]) + script)
    for shape in (0, 1 | 1 << 2 | 1 << 4, 3 | 1 << 2 | 3 << 4, 3 | 3 << 2):
        add("fuzz_request", f"full tables {shape}", bytes([shape]) + sale + bytes([CREATE, 1, 0]) +
            row(RESERVE, 2, 3, 3, 1) + row(RESERVE, 1, 4, 3, 1))


# ---- all ---------------------------------------------------------------------------------------

def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "corpus")
    frames = golden_frames()
    frame_seeds(frames)
    net_seeds(frames)
    message_seeds(frames)
    text_seeds()
    manifest_seeds()
    log_seeds()
    snapshot_seeds()
    client_seeds(frames)
    record_seeds()
    entry_seeds()
    request_seeds(frames)
    for target, named in sorted(seeds.items()):
        os.makedirs(os.path.join(folder, target), exist_ok=True)
        for name, data in named.items():
            with open(os.path.join(folder, target, "seed-" + name), "wb") as file:
                file.write(data)
        print(f"{target}: {len(named)} seeds")


if __name__ == "__main__":
    main()
