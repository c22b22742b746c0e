#!/usr/bin/python3
"""Shows that each canary can still be built on purpose, without building any.

Its patch applies to the source, and the unit tests that it names are there: else nobody would hear
of it before all canaries are run, which takes minutes.
"""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CANARIES = os.path.join(ROOT, "tests", "canaries")

sys.dont_write_bytecode = True
sys.path.insert(0, CANARIES)
import copy_source  # pylint: disable=wrong-import-position

TEST = re.compile(r"\bTest\((\w+),\s*(\w+)")


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return file.read()


def declared_tests():
    """SUITE::NAME of the unit tests, by program: unit/io/test_file.c is unit_io_test_file."""
    declared = {}
    unit = os.path.join(ROOT, "tests", "unit")
    for room in os.listdir(unit):
        for name in os.listdir(os.path.join(unit, room)):
            if name.startswith("test_") and name.endswith(".c"):
                program = f"unit_{room}_{name[:-len('.c')]}"
                declared[program] = {"::".join(match)
                                     for match in TEST.findall(read(unit, room, name))}
    return declared


def missing_tests(patch, declared):
    for line in re.findall(r"^caught-by: (.*)$", patch, re.MULTILINE):
        where, *checks = line.split()
        program = where.split("/")[-1]
        if program.startswith("unit_"):
            yield from (f"{program} {check}" for check in checks
                        if check not in declared.get(program, ()))


def main():
    declared = declared_tests()
    names = sorted(name[:-len(".patch")] for name in os.listdir(CANARIES)
                   if name.endswith(".patch"))
    faults = []
    for name in names:
        fault = copy_source.check(name, ROOT)
        if fault:
            faults.append(fault + copy_source.RENEW.format(name=name))
        faults += [f"{name}: there is no {test}"
                   for test in missing_tests(read(CANARIES, name + ".patch"), declared)]
    print("\n".join(faults + [f"{len(names)} canaries, {len(faults)} faults"]))
    return 1 if faults or not names else 0


if __name__ == "__main__":
    sys.exit(main())
