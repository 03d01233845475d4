#!/usr/bin/env python3
"""Runs every test program of a build and adds up their cases.

usage: run_tests.py BUILD [--only REGEX] [--label LABEL] [--jobs N]
                          [--allowed-skips FILE] [--python ENVIRONMENT]

The programs, their time limits and labels are those that CMake registered with
add_test(), and, with --python, the files python/tests/**/test_*.py, run by pytest
in that virtual environment (label `python`; a line `# time limit: N s` in the file
replaces the usual limit, `# runs alone` the label `exclusive`). A GoogleTest
program and a file of pytest count case by case, any other program as one case
that passes with exit code 0 and is skipped with 77, its last line being the reason.
Two programs run at once; one labelled `exclusive` runs alone. What a failed
program printed is shown in full, and the last line reads
`N passed, N failed, N skipped`. The exit code is 1 when anything failed.

With --allowed-skips, a skip whose reason does not start with `needs: NAME` for
a NAME listed in the file counts as a failure.
"""
import argparse
import concurrent.futures
import dataclasses
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as xml

ROOT = pathlib.Path(__file__).resolve().parent.parent
SKIP_CODE = 77  # automake's convention
DEFAULT_TIMEOUT_S = 300
REPORT = "{report}"  # in a command: the file in which the program counts its cases


@dataclasses.dataclass
class Program:
    name: str
    command: list
    timeout_s: float
    labels: list
    folder: str
    environment: dict
    skip_code: int

    @property
    def is_exclusive(self):
        return "exclusive" in self.labels


@dataclasses.dataclass
class Result:
    program: Program
    passed: int = 0
    failed: list = dataclasses.field(default_factory=list)  # names
    skipped: list = dataclasses.field(default_factory=list)  # (name, reason)
    output: str = ""
    seconds: float = 0.0


def list_programs(build):
    # The ctest beside the cmake that configured the build.
    cache = (build / "CMakeCache.txt").read_text()
    ctest = re.search(r"^CMAKE_CTEST_COMMAND:INTERNAL=(.+)$", cache, re.MULTILINE)[1]
    listing = subprocess.run(
        [ctest, "--show-only=json-v1"], cwd=build, check=True, text=True,
        stdout=subprocess.PIPE).stdout
    programs = []
    for test in json.loads(listing)["tests"]:
        properties = {p["name"]: p["value"] for p in test.get("properties", [])}
        variables = dict(v.split("=", 1) for v in properties.get("ENVIRONMENT", []))
        labels = list(properties.get("LABELS", []))
        if properties.get("RUN_SERIAL"):
            labels.append("exclusive")
        programs.append(Program(
            name=test["name"],
            command=test.get("command", []),
            timeout_s=properties.get("TIMEOUT", DEFAULT_TIMEOUT_S),
            labels=labels,
            folder=properties.get("WORKING_DIRECTORY", str(build)),
            environment=variables,
            skip_code=properties.get("SKIP_RETURN_CODE", SKIP_CODE)))
    return programs


def list_python_files(environment):
    # Its commands first: the tests launch with the installed program.
    variables = {"PATH": f"{environment / 'bin'}:{os.environ.get('PATH', '')}"}
    programs = []
    for file in sorted((ROOT / "python/tests").rglob("test_*.py")):
        text = file.read_text()
        limit = re.search(r"^# time limit: (\d+) s$", text, re.MULTILINE)
        alone = re.search(r"^# runs alone$", text, re.MULTILINE)
        programs.append(Program(
            name=f"python_{file.stem.removeprefix('test_')}",
            command=[str(environment / "bin/python"), "-m", "pytest", "-q", "-p", "no:cacheprovider",
                     f"--junitxml={REPORT}", str(file)],
            timeout_s=float(limit[1]) if limit else DEFAULT_TIMEOUT_S,
            labels=["python", "exclusive"] if alone else ["python"],
            folder=str(file.parent),
            environment=variables,
            skip_code=SKIP_CODE))
    return programs


def run_command(program, report):
    """Returns (exit code or None after the time limit, output)."""
    environment = {"OMP_NUM_THREADS": "1", **os.environ, **program.environment,
                   "GTEST_OUTPUT": f"xml:{report}"}
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [word.replace(REPORT, str(report)) for word in program.command], cwd=program.folder, env=environment, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        try:
            code = process.wait(program.timeout_s)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            # Also what the program left behind: its session is our doing.
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
        output.seek(0)
        return code, output.read().decode(errors="replace")


def describe_end(code, program):
    if code is None:
        return f"did not end within {program.timeout_s:g} s"
    if code < 0:
        return f"ended by signal {-code} ({signal.Signals(-code).name})"
    return f"ended with code {code}"


def read_cases(report, result):
    for suite in xml.parse(report).getroot().iter("testsuite"):
        for case in suite.iter("testcase"):
            name = f"{suite.get('name')}.{case.get('name')}"
            skipped = case.find("skipped")
            if case.find("failure") is not None or case.find("error") is not None:
                result.failed.append(name)
            elif skipped is not None or case.get("result") == "skipped":
                message = skipped.get("message", "") if skipped is not None else ""
                result.skipped.append((name, reason_of(message)))
            elif case.get("status", "run") == "run":  # pytest leaves it out
                result.passed += 1


def reason_of(message):
    """The text of GTEST_SKIP() without the source position before it."""
    lines = [line for line in message.strip().splitlines() if line]
    if lines and re.fullmatch(r"\S+:\d+", lines[0]):
        lines = lines[1:]
    return " ".join(lines) or "no reason given"


def judge(program, code, result):
    """Counts a program that is no GoogleTest program, or that never got to tell."""
    if code == program.skip_code:
        lines = result.output.strip().splitlines()
        result.skipped.append((program.name, lines[-1] if lines else "no reason given"))
    elif code == 0:
        result.passed = 1
    else:
        result.failed.append(f"{program.name}: {describe_end(code, program)}")


def run_program(program):
    result = Result(program)
    start = time.monotonic()
    if not program.command or not pathlib.Path(program.command[0]).exists():
        result.failed.append(f"{program.name}: was not built")
    else:
        with tempfile.TemporaryDirectory() as folder:
            report = pathlib.Path(folder) / "report.xml"
            code, result.output = run_command(program, report)
            if not report.exists():
                judge(program, code, result)
            else:
                read_cases(report, result)
                if code != 0 and not result.failed:
                    result.failed.append(f"{program.name}: {describe_end(code, program)}")
    result.seconds = time.monotonic() - start
    return result


def show(result):
    print(f"{result.program.name:28} {result.passed:5} passed {len(result.failed):3} failed "
          f"{len(result.skipped):3} skipped {result.seconds:8.1f} s", flush=True)
    if result.failed:
        print(f"----- output of {result.program.name}")
        print(result.output, end="" if result.output.endswith("\n") else "\n")
        print(f"----- end of {result.program.name}", flush=True)


def run_all(programs, jobs):
    shared = [p for p in programs if not p.is_exclusive]
    results = []
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for done in concurrent.futures.as_completed(
                [pool.submit(run_program, p) for p in shared]):
            results.append(done.result())
            show(results[-1])
    for program in (p for p in programs if p.is_exclusive):
        results.append(run_program(program))
        show(results[-1])
    return results


def forbid_skips(results, allowed):
    """Moves skips for a reason that nobody declared to the failures."""
    for result in results:
        for name, reason in list(result.skipped):
            need = re.match(r"needs: (\S+)", reason)
            if not need or need.group(1).rstrip(",;:") not in allowed:
                result.skipped.remove((name, reason))
                result.failed.append(f"{name}: skipped without leave: {reason}")


def read_allowed(path):
    lines = pathlib.Path(path).read_text().splitlines()
    return {line.split("#")[0].strip() for line in lines} - {""}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--only", default="", metavar="REGEX")
    parser.add_argument("--label")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--allowed-skips")
    parser.add_argument("--python", type=pathlib.Path, metavar="ENVIRONMENT")
    options = parser.parse_args()
    # A background job of a shell, and nohup, ignore these; programs would inherit
    # that and their signal tests fail.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    programs = list_programs(options.build.resolve())
    if options.python:
        programs += list_python_files(options.python.absolute())
    programs = [p for p in programs
                if re.search(options.only, p.name)
                and (options.label is None or options.label in p.labels)]
    results = run_all(programs, options.jobs)
    if options.allowed_skips:
        forbid_skips(results, read_allowed(options.allowed_skips))
    failed = [name for result in results for name in result.failed]
    skipped = [skip for result in results for skip in result.skipped]
    for name, reason in skipped:
        print(f"skipped {name}: {reason}")
    for name in failed:
        print(f"failed {name}")
    passed = sum(result.passed for result in results)
    if not programs:
        print("no test program matches")
    print(f"{passed} passed, {len(failed)} failed, {len(skipped)} skipped")
    return 1 if failed or not programs else 0


if __name__ == "__main__":
    sys.exit(main())
