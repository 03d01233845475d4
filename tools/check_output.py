#!/usr/bin/env python3
"""Runs a program and checks what it prints.

usage: check_output.py PATTERN… -- PROGRAM [ARGUMENT…]

Succeeds when the program ends with 0 and each regular expression is found in its
standard output, each after the one before it.
"""
import re
import subprocess
import sys


def main():
    split = sys.argv.index("--")
    patterns, command = sys.argv[1:split], sys.argv[split + 1:]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    print(done.stdout, end="")
    if done.returncode:
        sys.exit(f"check_output: the program ended with {done.returncode}")
    position = 0
    for pattern in patterns:
        found = re.compile(pattern, re.MULTILINE).search(done.stdout, position)
        if not found:
            sys.exit(f"check_output: nothing matches '{pattern}' where it is expected")
        position = found.end()


if __name__ == "__main__":
    main()
