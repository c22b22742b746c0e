#!/usr/bin/python3
"""Golden vectors of the protocol, made and checked without a line of Holdfast's own code.

    make.py [--write] [--protoc PROTOC] [--scratch DIR] [protocol-v1.json]

The vector file holds, for each frame, the fields of its message (protobuf's JSON mapping) and the
bytes of the whole frame in hex. This script makes the bytes from the fields with Debian's
python3-protobuf and python3-xxhash and compares: exit code 0 when every vector is as committed.
The C side (tests/unit/proto/test_golden.c) decodes and encodes the same bytes.

To add a vector: write its name, type, message, request_id and fields, then run with --write.
Committed bytes never change: a changed vector is a changed protocol.
"""

import argparse
import importlib
import json
import os
import struct
import subprocess
import sys
import tempfile

import xxhash
from google.protobuf import json_format

HERE = os.path.dirname(os.path.abspath(__file__))
PROTO_DIR = os.path.join(HERE, "..", "..", "proto")
FILES = ["result", "session", "item", "reservation", "snapshot"]

HEADER_BYTES = 32
MAGIC = 0x31504648
VERSION = 1


def load_messages(protoc, scratch):
    """Message classes by name, generated from proto/holdfast/v1 into a folder below `scratch`."""
    if scratch:
        os.makedirs(scratch, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch) as out:
        subprocess.run([protoc, "--proto_path=" + PROTO_DIR, "--python_out=" + out]
                       + ["holdfast/v1/%s.proto" % name for name in FILES], check=True)
        sys.path.insert(0, out)
        sys.dont_write_bytecode = True
        messages = {}
        for name in FILES:
            module = importlib.import_module("holdfast.v1.%s_pb2" % name)
            for message_name in module.DESCRIPTOR.message_types_by_name:
                messages[message_name] = getattr(module, message_name)
        sys.path.remove(out)
    return messages


def frame(type_, request_id, body):
    """One whole frame: checksum over everything behind it, header, body."""
    covered = struct.pack("<IBBHIIQ", MAGIC, VERSION, type_, 0, len(body), 0, request_id) + body
    return struct.pack("<Q", xxhash.xxh3_64_intdigest(covered)) + covered


def vector_bytes(vector, messages):
    message = json_format.ParseDict(vector["fields"], messages[vector["message"]]())
    body = message.SerializeToString(deterministic=True)
    return frame(vector["type"], int(vector["request_id"]), body)


def core_hash(item_id):
    return xxhash.xxh3_64_intdigest(struct.pack("<Q", item_id))


def make(document, messages):
    """Fills in everything that follows from the fields."""
    for vector in document["frames"]:
        vector["bytes"] = vector_bytes(vector, messages).hex()
    for choice in document["cores"]:
        value = core_hash(int(choice["item_id"]))
        choice["hash"] = "%016x" % value
        choice["core_of_4"] = value % 4


def check(document, messages):
    """Compares with what the file says; returns the number of differences."""
    failed = 0
    for vector in document["frames"]:
        made = vector_bytes(vector, messages).hex()
        if made != vector.get("bytes"):
            failed += 1
            print("%s: the file says\n  %s\nbut the fields give\n  %s"
                  % (vector["name"], vector.get("bytes"), made))
    for choice in document["cores"]:
        value = core_hash(int(choice["item_id"]))
        if choice.get("hash") != "%016x" % value or choice.get("core_of_4") != value % 4:
            failed += 1
            print("item %s: hash is %016x" % (choice["item_id"], value))
    covered = {vector["message"] for vector in document["frames"]}
    parts = {"ItemSettings", "Item"}  # inside other messages only
    for name in sorted(set(messages) - covered - parts):
        failed += 1
        print("%s: no vector" % name)
    return failed


def main():
    parser = argparse.ArgumentParser(description="Make or check the golden vectors.")
    parser.add_argument("file", nargs="?", default=os.path.join(HERE, "protocol-v1.json"))
    parser.add_argument("--write", action="store_true", help="write the bytes into the file")
    parser.add_argument("--protoc", default="protoc")
    parser.add_argument("--scratch", help="where generated code may go for the moment")
    options = parser.parse_args()

    messages = load_messages(options.protoc, options.scratch)
    with open(options.file) as file:
        document = json.load(file)
    if options.write:
        make(document, messages)
        with open(options.file, "w") as file:
            json.dump(document, file, indent=2)
            file.write("\n")
    failed = check(document, messages)
    total = len(document["frames"]) + len(document["cores"])
    print("%d vectors, %d differences" % (total, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
