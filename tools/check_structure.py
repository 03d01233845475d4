#!/usr/bin/env python3
"""Checks what the compiler cannot: which folder may include which, that every
source has a test, that no public header drags torch/torch.h in, and a few
patterns that the style forbids. Prints each finding; exit status 1 if any."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
# A folder includes itself and those before it.
ORDER = ["config", "launch", "nested", "io", "state", "comm", "precision", "data",
         "optim", "prepare", "step", "text", "models"]
FORBIDDEN = [
    (re.compile(r"std::cout|\bprintf\("), "the library writes to standard output"),
    (re.compile(r"catch\s*\(\.\.\.\)"), "catch (...) inside the library"),
    (re.compile(r"\bassert\("), "assert() disappears in a release; use ACCELERATE_CHECK"),
    (re.compile(r"#if 0|\b(TODO|FIXME|XXX)\b"), "a leftover"),
]


def tracked(pattern):
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", pattern],
                            capture_output=True, text=True, check=True)
    return [pathlib.Path(line) for line in listed.stdout.splitlines()]


def allowed_patterns():
    """Lines `path: pattern: reason` of tools/structure_exceptions.txt."""
    exceptions = {}
    for line in (ROOT / "tools/structure_exceptions.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            path, kind, reason = (part.strip() for part in line.split(":", 2))
            exceptions[(path, kind)] = reason
    return exceptions


def check_includes(path, text, findings):
    if len(path.parts) < 3 or path.parts[1] not in ORDER:
        return
    here = ORDER.index(path.parts[1])
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r'\s*#include [<"]accelerate/(\w+)/', line)
        if match and match[1] in ORDER and ORDER.index(match[1]) > here:
            findings.append(f"{path}:{number}: {path.parts[1]} includes the later folder {match[1]}")
        if path.suffix == ".h" and "torch/torch.h" in line and line.startswith("#include"):
            findings.append(f"{path}:{number}: a header includes torch/torch.h")


def check_twin(path, exceptions, findings):
    if path.suffix != ".cpp":
        return
    inside = path.relative_to("accelerate")
    folder = inside.parent if inside.parent != pathlib.Path(".") else pathlib.Path("root")
    test = pathlib.Path("tests/unit") / folder / f"{inside.stem}_test.cpp"
    if not (ROOT / test).exists() and (str(path), "twin") not in exceptions:
        findings.append(f"{path}: has no {test}, and no reason in tools/structure_exceptions.txt")


def check_patterns(path, text, exceptions, findings):
    if (str(path), "pattern") in exceptions:
        return
    for number, line in enumerate(text.splitlines(), 1):
        code = line.split("//", 1)[0]
        for pattern, what in FORBIDDEN:
            if pattern.search(code):
                findings.append(f"{path}:{number}: {what}")


def main():
    findings, exceptions = [], allowed_patterns()
    for path in tracked("accelerate/*.h") + tracked("accelerate/*.cpp"):
        text = (ROOT / path).read_text(encoding="utf-8")
        if not text.startswith(f"// {path}"):
            findings.append(f"{path}:1: the first line does not name the file")
        check_includes(path, text, findings)
        check_twin(path, exceptions, findings)
        check_patterns(path, text, exceptions, findings)
    for path, kind in exceptions:
        if not (ROOT / path).exists():
            findings.append(f"tools/structure_exceptions.txt: {path} ({kind}) is gone")
    print("\n".join(findings) or "structure: nothing to report")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
