#!/usr/bin/env python3
"""tests/tools/check_structure_test.py: each rule finds what breaks it."""
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "tools/check_structure.py"


class CheckStructure(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        (self.root / "tools").mkdir()
        shutil.copy(SCRIPT, self.root / "tools")
        self.exceptions("")
        subprocess.run(["git", "init", "-q", self.root], check=True)

    def exceptions(self, text):
        (self.root / "tools/structure_exceptions.txt").write_text(text)

    def write(self, path, *lines):
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        first = [f"// {path}: purpose"] + (["#pragma once"] if path.endswith(".h") else [])
        target.write_text("\n".join(first + list(lines)) + "\n")

    def check(self):
        subprocess.run(["git", "-C", self.root, "add", "-A"], check=True)
        done = subprocess.run(
            [sys.executable, self.root / "tools/check_structure.py"], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return done.returncode, done.stdout

    def finds(self, path, line, finding):
        self.write(path, line)
        code, output = self.check()
        self.assertIn(f"{path}:", output)
        self.assertIn(finding, output)
        self.assertEqual(code, 1)
        (self.root / path).unlink()

    def test_accepts_what_follows_the_rules(self):
        self.write("accelerate/io/a.cpp", '#include "accelerate/nested/b.h"',
                   '#include "accelerate/error.h"', "#include <ATen/ATen.h>")
        self.write("tests/unit/io/a_test.cpp")
        code, output = self.check()
        self.assertEqual((code, output), (0, "structure: 2 files, nothing to report\n"))

    def test_finds_includes_against_the_order(self):
        for path, line, finding in [
                ("accelerate/io/a.h", '#include "accelerate/comm/b.h"', "includes a later folder"),
                ("accelerate/io/a.h", '#include "accelerate/nowhere/b.h"', "no place in the order"),
                ("accelerate/io/a.h", "#include <accelerate/accelerator.h>", "header of the root"),
                ("accelerate/comm/a.h", '#include "accelerate/io/b_impl.h"', "private to io"),
                ("accelerate/launch/a.h", "#include <ATen/ATen.h>", "sees libtorch"),
                ("cli/a.cpp", "#include <torch/torch.h>", "sees libtorch"),
                ("accelerate/io/a.h", "#include <torch/torch.h>", "narrowest"),
                ("accelerate/io/a.h", "#include <nlohmann/json.hpp>", "third party")]:
            with self.subTest(line=line):
                self.finds(path, line, finding)

    def test_finds_forbidden_patterns(self):
        for line, finding in [
                ("std::cout << 1;", "standard output"), ("catch (...) {", "catch (...)"),
                ("assert(x);", "ACCELERATE_CHECK"), ("system(x);", "a shell"),
                ("fork();", "starts processes"), ("using namespace std;", "opens a namespace"),
                ("#if 0", "a leftover")]:
            with self.subTest(line=line):
                self.finds("accelerate/io/a.h", line, finding)
        self.finds("tests/a.cpp", "\n" * 500, "the limit is 500")

    def test_finds_a_missing_purpose_and_guard(self):
        self.write("accelerate/io/a.h")
        (self.root / "accelerate/io/a.h").write_text("int a;\n")
        code, output = self.check()
        self.assertEqual(code, 1)
        self.assertIn("does not name the file", output)
        self.assertIn("#pragma once", output)

    def test_demands_a_test_or_a_reason_for_every_source(self):
        self.write("accelerate/io/a.cpp")
        self.assertIn("has no tests/unit/io/a_test.cpp", self.check()[1])
        self.exceptions("accelerate/io/a.cpp: twin: tested by b_test\n")
        self.assertEqual(self.check()[0], 0)
        self.write("tests/unit/io/a_test.cpp")
        self.assertIn("has a test; remove it", self.check()[1])
        (self.root / "accelerate/io/a.cpp").unlink()
        self.assertIn("is gone", self.check()[1])


if __name__ == "__main__":
    unittest.main()
