#!/usr/bin/python3
"""Copies the engine's source and breaks the copy: copy_source.py NAME SOURCE_FOLDER TO_FOLDER.

NAME is one of the patches beside this file, or "none". Only files whose content changes are written,
so that a build of the copy compiles no more than what a canary touches. Exit code 2: the patch no
longer applies.
"""
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
COPIED = ("bench", "client", "engine", "proto", "replay-log")  # the folders of rooms

RENEW = """\
tests/canaries/{name}.patch no longer applies to the source. To renew it: make the change that its
first lines describe in the tree, put the output of `git diff -U2 engine proto` below those lines, and
take the change back. If what it breaks is gone from the engine, remove the patch.
"""


def copy(source, to):
    shutil.rmtree(to, ignore_errors=True)
    for folder in COPIED:
        shutil.copytree(os.path.join(source, folder), os.path.join(to, folder))


def check(name, folder):
    """Returns what git says against the patch, or an empty text, and changes nothing."""
    return apply(name, folder, "--check")


def apply(name, folder, *options):
    """Returns what git says against it, or an empty text."""
    patch = os.path.join(HERE, name + ".patch")
    # Not in any repository: else git would leave out what is below an ignored folder.
    environment = dict(os.environ, GIT_CEILING_DIRECTORIES=os.path.dirname(folder))
    done = subprocess.run(["git", "apply", "--whitespace=nowarn", *options, patch],
                          cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return done.stderr if done.returncode != 0 else ""


def files_below(folder):
    return {os.path.relpath(os.path.join(path, name), folder)
            for path, _, names in os.walk(folder) for name in names}


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def update(made, to):
    """Makes `to` the same as `made`, writing what differs."""
    wanted = files_below(made)
    for name in files_below(to) - wanted:
        os.remove(os.path.join(to, name))
    for name in sorted(wanted):
        content = read(os.path.join(made, name))
        if read(os.path.join(to, name)) != content:
            os.makedirs(os.path.dirname(os.path.join(to, name)), exist_ok=True)
            with open(os.path.join(to, name), "wb") as file:
                file.write(content)


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    name, source, to = sys.argv[1], os.path.abspath(sys.argv[2]), os.path.abspath(sys.argv[3])
    made = to + ".new"
    copy(source, made)
    if name != "none":
        fault = apply(name, made)
        if fault:
            print(fault + RENEW.format(name=name), file=sys.stderr, end="")
            return 2
    update(made, to)
    shutil.rmtree(made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
