#!/usr/bin/python3
"""Data directories that every later version has to open.

    check_data.py [--write] --programs DIR --golden-data PROGRAM [--scratch DIR]

For each format there is a folder data-vN with two directories, `whole` and `late`
(tests/lib/data_story.h), and beside each what its state is: its hash, and its items and
reservations as `holdfast-log export` tells them, sorted. Of each this checks that

  - holdfast-log verifies it, and tells that hash, those items and those reservations;
  - holdfastd starts on a copy of it with that state, with as many cores as it had and with one;
  - nothing in it was changed by either reading it;

and of those of the newest format that they are made today as they were then, byte for byte.

--write makes those of the newest format anew. Once a format was released its folder never changes:
a change of the format is a new number, and a new folder.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
NEWEST = "data-v1"
STORIES = ("whole", "late")
START_SECONDS = 60


def fail(text):
    print(f"check_data: {text}", file=sys.stderr)
    sys.exit(1)


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        fail(f"{' '.join(command)}: exit code {done.returncode}")
    return done.stdout.decode()


def files_of(directory):
    """Path below it -> bytes."""
    files = {}
    for folder, _, names in os.walk(directory):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                files[os.path.relpath(path, directory)] = file.read()
    return files


def sorted_lines(path):
    with open(path, "rb") as file:
        header, *lines = re.findall(rb'(?:[^"\r\n]|"(?:[^"]|"")*")+\r?\n', file.read())
    return header + b"".join(sorted(lines))


def told_by_tool(options, directory, scratch):
    """(hash, items.csv, reservations.csv)"""
    log = os.path.join(options.programs, "holdfast-log")
    out = os.path.join(scratch, "export")
    run(log, "verify", directory)
    run(log, "export", "-o", out, directory)
    told = (run(log, "hash", directory).split()[-1],
            sorted_lines(os.path.join(out, "items.csv")),
            sorted_lines(os.path.join(out, "reservations.csv")))
    shutil.rmtree(out)
    return told


def told_by_server(options, directory, cores, scratch):
    """The hash of the state with which it starts on a copy."""
    copy = os.path.join(scratch, "copy")
    shutil.copytree(directory, copy)
    with open(os.path.join(scratch, "said"), "w+b") as said:
        server = subprocess.Popen([os.path.join(options.programs, "holdfastd"), "--data", copy,
                                   "--listen", "127.0.0.1:0", "--cores", str(cores)],
                                  stdout=subprocess.PIPE, stderr=said)
        ready = server.stdout.readline()
        server.terminate()
        server.wait(START_SECONDS)
        said.seek(0)
        text = said.read().decode()
    shutil.rmtree(copy)
    hashes = re.findall(r"state hash ([0-9a-f]{16})", text)
    if b"ready" not in ready or not hashes:
        fail(f"{directory}: holdfastd --cores {cores} does not start on it: {text}")
    return hashes[0]


def expected_of(directory):
    with open(directory + ".hash") as file:
        state_hash = file.read().strip()
    tables = []
    for table in ("items", "reservations"):
        with open(f"{directory}.{table}.csv", "rb") as file:
            tables.append(file.read())
    return (state_hash, *tables)


def write(options, scratch):
    for story in STORIES:
        directory = os.path.join(HERE, NEWEST, story)
        shutil.rmtree(directory, ignore_errors=True)
        os.makedirs(os.path.dirname(directory), exist_ok=True)
        state_hash = run(options.golden_data, story, directory).strip()
        told = told_by_tool(options, directory, scratch)
        if told[0] != state_hash:
            fail(f"{story}: holdfast-log tells another state hash than the story")
        with open(directory + ".hash", "w") as file:
            print(state_hash, file=file)
        for table, content in zip(("items", "reservations"), told[1:]):
            with open(f"{directory}.{table}.csv", "wb") as file:
                file.write(content)


def check(options, scratch):
    formats = sorted(name for name in os.listdir(HERE) if name.startswith("data-v"))
    for directory in (os.path.join(HERE, name, story) for name in formats for story in STORIES):
        before, expected = files_of(directory), expected_of(directory)
        told = told_by_tool(options, directory, scratch)
        for what, is_now, was in zip(("state hash", "items", "reservations"), told, expected):
            if is_now != was:
                fail(f"{directory}: holdfast-log tells other {what} than were committed")
        for cores in (3, 1):
            if told_by_server(options, directory, cores, scratch) != expected[0]:
                fail(f"{directory}: holdfastd --cores {cores} has another state")
        if files_of(directory) != before:
            fail(f"{directory}: reading has changed it")
    for story in STORIES:
        directory, made = os.path.join(HERE, NEWEST, story), os.path.join(scratch, story)
        state_hash = run(options.golden_data, story, made).strip()
        if files_of(made) != files_of(directory) or state_hash != expected_of(directory)[0]:
            fail(f"{directory}: it is made differently today: the format has changed")
    print(f"{len(formats) * len(STORIES)} directories")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--programs", required=True, help="where holdfastd and holdfast-log are")
    parser.add_argument("--golden-data", required=True)
    parser.add_argument("--scratch")
    options = parser.parse_args()
    if options.scratch:
        os.makedirs(options.scratch, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.scratch) as scratch:
        if options.write:
            write(options, scratch)
        check(options, scratch)


main()
