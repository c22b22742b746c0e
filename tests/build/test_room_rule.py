#!/usr/bin/python3
"""Shows that the rule between the rooms is enforced by the build.

In a copy of the tree: a forbidden include does not compile; a forbidden call, with its prototype
declared by hand, compiles but does not link; both are found by building that room alone. And the
holdfast-log of the real build holds neither liburing nor a function of the room io.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

FORBIDDEN_INCLUDE = '#include "net/net.h"\n'

FORBIDDEN_CALL = """\
#include <stdint.h>
struct io;
void io_turn(struct io *io, uint64_t wake_at_ns);
void log_intruder(struct io *io);
void log_intruder(struct io *io)
{
    io_turn(io, 0);
}
"""

failures = []


def check(condition, what, output=""):
    print(("ok   " if condition else "FAIL ") + what)
    if not condition:
        failures.append(what)
        print(output)


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", check=False)
    return done.returncode, done.stdout


def copy_tree(to):
    shutil.rmtree(to, ignore_errors=True)
    os.makedirs(to)
    for name in ("proto", "engine", "client", "bench", "replay-log"):
        shutil.copytree(os.path.join(ROOT, name), os.path.join(to, name))
    shutil.copy(os.path.join(ROOT, "CMakeLists.txt"), to)


class Copy:
    """A configured copy of the tree, of which single rooms are built."""

    def __init__(self, scratch):
        self.source = os.path.join(scratch, "tree")
        self.build = os.path.join(scratch, "build")
        copy_tree(self.source)
        shutil.rmtree(self.build, ignore_errors=True)
        code, output = run("cmake", "-S", self.source, "-B", self.build, "-G", "Ninja",
                           "-DHOLDFAST_TESTS=OFF", "-DCMAKE_BUILD_TYPE=Debug")
        check(code == 0, "a copy of the tree can be configured", output)

    def build_room(self, room):
        return run("cmake", "--build", self.build, "--target", f"check_links_{room}")

    def build_room_with(self, room, intruder):
        """Builds the room with one more file in it, which is taken away again."""
        path = os.path.join(self.source, "engine", room, "intruder.c")
        with open(path, "w", encoding="utf-8") as file:
            file.write(intruder)
        code, output = self.build_room(room)
        os.remove(path)
        return code, output


def check_rule(copy):
    for room in ("stock", "log"):
        code, output = copy.build_room(room)
        check(code == 0, f"the room {room} builds as it is", output)

    code, output = copy.build_room_with("stock", FORBIDDEN_INCLUDE)
    check(code != 0 and "net/net.h: No such file" in output or
          code != 0 and "'net/net.h' file not found" in output,
          "stock including net/net.h does not compile", output)

    code, output = copy.build_room_with("log", FORBIDDEN_CALL)
    check("intruder.c.o" in output and "error: " not in output.split("Linking")[0],
          "log with a prototype of io_turn() declared by hand compiles", output)
    check(code != 0 and "undefined reference to `io_turn'" in output,
          "log calling io_turn() does not link", output)

    code, output = copy.build_room("log")
    check(code == 0, "without the intruder the room log builds again", output)


def check_log_program(program):
    code, libraries = run("ldd", program)
    check(code == 0 and "liburing" not in libraries, "holdfast-log is not linked to liburing",
          libraries)
    code, symbols = run("nm", program)
    intruders = re.findall(r"\b(?:io_uring|io|wal|net|core)_\w+", symbols)
    check(code == 0 and "stock_commit" in symbols, "holdfast-log holds the state", symbols)
    check(not intruders, "holdfast-log holds nothing of io, wal, net or core",
          " ".join(intruders[:10]))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scratch", required=True, help="a folder that may be removed")
    parser.add_argument("--holdfast-log", required=True, help="the program that was built")
    arguments = parser.parse_args()
    check_rule(Copy(arguments.scratch))
    check_log_program(arguments.holdfast_log)
    shutil.rmtree(arguments.scratch, ignore_errors=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
