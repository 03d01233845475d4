#!/usr/bin/env python3
"""tests/tools/run_tests_test.py: the runner counts right and hides nothing."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

RUNNER = pathlib.Path(__file__).resolve().parents[2] / "tools/run_tests.py"

# As GoogleTest 1.12 writes it.
REPORT = """<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="4" failures="1" disabled="1" errors="0" name="AllTests">
  <testsuite name="A" tests="4" failures="1" disabled="1" skipped="1" errors="0">
    <testcase name="Passes" status="run" result="completed" classname="A" />
    <testcase name="Fails" status="run" result="completed" classname="A">
      <failure message="g.cpp:3&#x0A;why" type=""><![CDATA[g.cpp:3]]></failure>
    </testcase>
    <testcase name="Skips" status="run" result="skipped" classname="A">
      <skipped message="g.cpp:4&#x0A;needs: cuda 12"><![CDATA[g.cpp:4]]></skipped>
    </testcase>
    <testcase name="DISABLED_Never" status="notrun" result="suppressed" classname="A" />
  </testsuite>
</testsuites>
"""
PASSING = REPORT.replace("<failure", "<system-out").replace("</failure", "</system-out")


class RunTests(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.build = pathlib.Path(folder.name)
        self.tests = []
        (self.build / "CMakeCache.txt").write_text(
            f"CMAKE_CTEST_COMMAND:INTERNAL={self.build}/ctest\n")

    def add(self, name, script, **properties):
        """A test program that is the shell script `script`."""
        program = self.build / name
        program.write_text("#!/bin/sh\n" + script)
        program.chmod(0o755)
        self.tests.append({
            "name": name, "command": [str(program)],
            "properties": [{"name": k, "value": v} for k, v in properties.items()]})

    def add_gtest(self, name, report, code):
        (self.build / f"{name}.xml").write_text(report)
        self.add(name, f'cp {self.build}/{name}.xml "${{GTEST_OUTPUT#xml:}}"; exit {code}')

    def run_tests(self, *options):
        (self.build / "tests.json").write_text(json.dumps({"tests": self.tests}))
        ctest = self.build / "ctest"
        ctest.write_text(f"#!/bin/sh\ncat {self.build}/tests.json\n")
        ctest.chmod(0o755)
        done = subprocess.run(
            [sys.executable, RUNNER, self.build, *options], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return done.returncode, done.stdout

    def check_totals(self, expected, code, *options):
        got_code, output = self.run_tests(*options)
        self.assertEqual(output.splitlines()[-1], expected, output)
        self.assertEqual(got_code, code)
        return output

    def test_adds_up_the_cases_of_all_programs(self):
        self.add_gtest("unit_a", PASSING, 0)
        self.add_gtest("unit_b", PASSING, 0)
        self.add("script", "exit 0")
        output = self.check_totals("5 passed, 0 failed, 2 skipped", 0)
        self.assertIn("skipped A.Skips: needs: cuda 12", output)

    def test_counts_and_names_a_failed_case(self):
        self.add_gtest("unit_a", REPORT, 1)
        output = self.check_totals("1 passed, 1 failed, 1 skipped", 1)
        self.assertIn("failed A.Fails", output)

    def test_shows_all_output_of_a_failed_program_only(self):
        self.add("good", "echo quiet")
        self.add("bad", "echo to-out; echo to-err >&2; exit 3")
        output = self.check_totals("1 passed, 1 failed, 0 skipped", 1)
        self.assertIn("to-out\nto-err\n", output)
        self.assertIn("failed bad: ended with code 3", output)
        self.assertNotIn("quiet", output)

    def test_a_crash_without_a_failed_case_is_a_failure(self):
        self.add_gtest("unit_a", PASSING, 1)
        self.add("killed", "kill -SEGV $$")
        output = self.check_totals("2 passed, 2 failed, 1 skipped", 1)
        self.assertIn("failed killed: ended by signal 11 (SIGSEGV)", output)

    def test_ends_a_program_after_its_time_and_what_it_left_behind(self):
        left = self.build / "left"
        self.add("slow", f"(sleep 3; touch {left}) & echo begun; sleep 60", TIMEOUT=1)
        self.add("leaver", f"(sleep 3; touch {left}) & exit 0")
        start = time.monotonic()
        output = self.check_totals("1 passed, 1 failed, 0 skipped", 1)
        self.assertLess(time.monotonic() - start, 30)
        self.assertIn("failed slow: did not end within 1 s", output)
        self.assertIn("begun", output)
        time.sleep(3.5)
        self.assertFalse(left.exists())

    def test_exit_code_77_is_a_skip_with_the_last_line_as_reason(self):
        self.add("picky", "echo some text; echo needs: nccl; exit 77")
        output = self.check_totals("0 passed, 0 failed, 1 skipped", 0)
        self.assertIn("skipped picky: needs: nccl", output)

    def test_refuses_skips_for_undeclared_reasons_when_asked(self):
        allowed = self.build / "allowed"
        self.add_gtest("unit_a", PASSING, 0)
        allowed.write_text("cuda # graphics\n")
        self.check_totals("2 passed, 0 failed, 1 skipped", 0, "--allowed-skips", str(allowed))
        allowed.write_text("# cuda\n")
        self.check_totals("2 passed, 1 failed, 0 skipped", 1, "--allowed-skips", str(allowed))

    def test_a_program_that_was_not_built_or_matched_is_a_failure(self):
        self.tests.append({"name": "gone", "command": ["/nowhere/gone"], "properties": []})
        self.check_totals("0 passed, 1 failed, 0 skipped", 1)
        self.check_totals("0 passed, 0 failed, 0 skipped", 1, "--only", "nothing")

    def test_an_exclusive_program_runs_alone(self):
        busy = self.build / "busy"
        self.add("alone", f"test ! -e {busy}", LABELS=["exclusive"])
        for number in range(2):
            self.add(f"shared{number}", f"touch {busy}; sleep 1; rm -f {busy}")
        self.check_totals("3 passed, 0 failed, 0 skipped", 0)

    def test_variables_of_the_test_reach_the_program(self):
        self.add("reader", 'test "$A" = "b=c"', ENVIRONMENT=["A=b=c"])
        self.check_totals("1 passed, 0 failed, 0 skipped", 0)


if __name__ == "__main__":
    os.environ.pop("GTEST_OUTPUT", None)
    unittest.main()
