#!/usr/bin/python3
"""Holds docs/protocol.md against proto/ and the golden vectors.

The schema in the document must declare the same messages and enums, field by field, as the files
that the server is built from. Each annotated hex dump must be the bytes of a golden frame. The
table of worked examples must agree with the hashes there. Exit code 0 when all do.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile

from google.protobuf import descriptor_pb2

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")


def declarations(protoc, folder, files, scratch):
    """Messages and enums by name, as text; without field options, as [packed] is the default."""
    with tempfile.NamedTemporaryFile(dir=scratch) as out:
        subprocess.run([protoc, "--proto_path=" + folder, "--descriptor_set_out=" + out.name]
                       + files, check=True)
        parsed = descriptor_pb2.FileDescriptorSet.FromString(out.read())
    found = {}
    for file in parsed.file:
        for message in file.message_type:
            for field in message.field:
                field.ClearField("options")
            found["message " + message.name] = str(message)
        for enum in file.enum_type:
            found["enum " + enum.name] = str(enum)
    return found


def check_schema(document, protoc, scratch):
    schema = re.search(r"^```proto\n(.*?)^```", document, re.S | re.M).group(1)
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        with open(os.path.join(folder, "holdfast.proto"), "w") as file:
            file.write(schema)
        told = declarations(protoc, folder, ["holdfast.proto"], scratch)
    folder = os.path.join(ROOT, "proto")
    names = ["holdfast/v1/" + name for name in sorted(os.listdir(folder + "/holdfast/v1"))]
    built = declarations(protoc, folder, names, scratch)
    for name in sorted(set(told) | set(built)):
        if told.get(name) != built.get(name):
            yield "%s: the document and proto/ differ" % name


def check_dumps(document, vectors):
    golden = {vector["bytes"]: vector["name"] for vector in vectors["frames"]}
    dumps = 0
    for block in re.findall(r"^```\n(.*?)^```", document, re.S | re.M):
        if not re.match(r"([0-9a-f]{2} ){8} ", block):
            continue
        dumps += 1
        rows = [re.match(r"((?:[0-9a-f]{2} ?)+)(?:  |$)", line) for line in block.splitlines()]
        text = "".join(row.group(1) for row in rows).replace(" ", "")
        if text not in golden:
            yield "the hex dump that begins with %s is no golden frame" % text[:16]
    if dumps != 3:
        yield "%d hex dumps found, not 3" % dumps


def check_cores(document, vectors):
    golden = {(choice["item_id"], choice["hash"], choice["core_of_4"])
              for choice in vectors["cores"]}
    row = r"^\| (\d+) \| `([0-9a-f ]+)` \| 0x([0-9a-f]{16}) \| (\d) \|$"
    rows = re.findall(row, document, re.M)
    for item_id, hashed, value, core in rows:
        if (item_id, value, int(core)) not in golden:
            yield "item %s: no such golden hash" % item_id
        if int(item_id).to_bytes(8, "little").hex(" ") != hashed:
            yield "item %s: these are not its bytes" % item_id
    if len(rows) != 5:
        yield "%d worked examples found, not 5" % len(rows)


def main():
    parser = argparse.ArgumentParser(description="Hold docs/protocol.md against what is built.")
    parser.add_argument("--protoc", default="protoc")
    parser.add_argument("--scratch", help="where generated files may go for the moment")
    options = parser.parse_args()
    if options.scratch:
        os.makedirs(options.scratch, exist_ok=True)
    with open(os.path.join(ROOT, "docs", "protocol.md")) as file:
        document = file.read()
    with open(os.path.join(HERE, "protocol-v1.json")) as file:
        vectors = json.load(file)
    faults = list(check_schema(document, options.protoc, options.scratch))
    faults += check_dumps(document, vectors)
    faults += check_cores(document, vectors)
    for fault in faults:
        print("docs/protocol.md: " + fault)
    print("%d faults" % len(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
