#!/usr/bin/python3
"""Every row of a call that moves bytes on sockets has a test that leaves it out.

usage: omitted.py SYS_C CALL...   SYS_C: the table's source; CALL: those that are tested
"""
import re
import sys

# Files, pipes and terminals have no audit.
DATA = re.compile(r'\bDATA(?:_IF)?\("(\w+)", (?!WHEN_FILES)')
TRANSFER = re.compile(r'\bCALL\("(\w+)", OP_(?:SENDFILE|SPLICE),')


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        source = file.read()
    rows = set(DATA.findall(source) + TRANSFER.findall(source))
    tested = set(sys.argv[2:])
    if len(rows) < 10 or rows != tested:
        sys.exit("without a test: %s; without a row: %s" % (sorted(rows - tested), sorted(tested - rows)))


if __name__ == "__main__":
    main()
