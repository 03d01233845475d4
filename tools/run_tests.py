#!/usr/bin/env python3
"""Runs every test program of a build folder and adds up what they say.

usage: run_tests.py BUILD_FOLDER [--only SUBSTRING]

The programs are those that ctest knows, with its time limits. A GoogleTest
program counts case by case; any other program (a fuzzer, a script) counts as one
test that passes with exit status 0, or is skipped with 77 and a last line that
names the missing capability. Output is shown for programs that fail. The last
line is `N passed, N failed, N skipped`; the exit status is 1 if anything failed.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

SKIPPED = 77  # automake's and ctest's convention


class Totals:
    def __init__(self):
        self.passed, self.failed, self.skipped = 0, 0, []


def known_tests(build):
    listing = subprocess.run(["ctest", "--test-dir", build, "--show-only=json-v1"],
                             capture_output=True, text=True, check=True).stdout
    for test in json.loads(listing)["tests"]:
        properties = {p["name"]: p["value"] for p in test.get("properties", [])}
        yield test["name"], test["command"], properties


def run(command, properties, report):
    """Returns (exit status, output); a time-out is status 124."""
    environment = dict(os.environ, GTEST_OUTPUT=f"json:{report}")
    for setting in properties.get("ENVIRONMENT", []):
        name, _, value = setting.partition("=")
        environment[name] = value
    limit = float(properties.get("TIMEOUT", 600))
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            cwd=properties.get("WORKING_DIRECTORY"), env=environment, start_new_session=True)
        try:
            status = process.wait(limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)  # the session that this call started
            process.wait()
            status = 124
        output.seek(0)
        return status, output.read().decode(errors="replace")


def count_cases(report, totals):
    """Adds a GoogleTest report; returns (passed, failed, skipped)."""
    passed = failed = skipped = 0
    for suite in json.loads(report.read_text())["testsuites"]:
        for case in suite["testsuite"]:
            name = f"{suite['name']}.{case['name']}"
            if case.get("failures"):
                failed += 1
            elif case.get("result") == "SKIPPED":
                skipped += 1
                message = (case.get("skipped") or [{}])[0].get("message", "")
                totals.skipped.append((name, " ".join(message.split()[-20:])))
            elif case.get("result") == "COMPLETED":
                passed += 1
    return passed, failed, skipped


def add_result(name, status, output, report, totals):
    """Adds one program's result to the totals; returns a word for the screen."""
    if report.exists():
        passed, failed, _ = count_cases(report, totals)
        if status != 0 and failed == 0:
            failed = 1  # died after or outside of its cases
        totals.passed += passed
        totals.failed += failed
        return f"{passed} passed" + (f", {failed} FAILED" if failed else "")
    if status == 0:
        totals.passed += 1
        return "passed"
    if status == SKIPPED:
        totals.skipped.append((name, (output.strip().splitlines() or [""])[-1]))
        return "skipped"
    totals.failed += 1
    return "FAILED"


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--only", default="", help="programs whose name contains this")
    arguments = parser.parse_args()
    totals = Totals()
    with tempfile.TemporaryDirectory() as scratch:
        for number, (name, command, properties) in enumerate(known_tests(arguments.build)):
            if arguments.only not in name:
                continue
            report = pathlib.Path(scratch, f"{number}.json")
            failed_before, start = totals.failed, time.monotonic()
            status, output = run(command, properties, report)
            word = add_result(name, status, output, report, totals)
            print(f"{name:32} {word:24} {time.monotonic() - start:6.1f} s", flush=True)
            if totals.failed > failed_before:
                why = "ran out of time" if status == 124 else f"exit status {status}"
                print(f"--- output of {name} ({why})\n{output}\n--- end of {name}", flush=True)
    if totals.skipped:
        print("skipped:")
        for name, reason in totals.skipped:
            print(f"  {name}: {reason}")
    print(f"{totals.passed} passed, {totals.failed} failed, {len(totals.skipped)} skipped")
    return 1 if totals.failed or not totals.passed else 0


if __name__ == "__main__":
    sys.exit(main())
