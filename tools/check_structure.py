#!/usr/bin/env python3
"""Checks what the compiler cannot: which folder may include which, what a public
header shows, that every source has a test, the length of files, and patterns that
the style forbids. Prints each finding; exit status 1 if any."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
# A folder includes itself and those before it. nested stands before io: a tensor
# with its name, which io writes to files, is one of the nested values.
ORDER = ["config", "launch", "nested", "io", "inspect", "state", "comm", "precision", "data",
         "optim", "prepare", "step", "text", "models"]
FREE_HEADERS = {"error.h", "log.h", "timeline.h", "progress.h", "version.h", "api.h"}
NO_LIBTORCH = {"config", "launch", "inspect", "cli"}
# The part of io that the program `accelerate` uses, which links no libtorch.
NO_LIBTORCH_FILES = {"atomic_file", "hub_cache", "mapped_file", "merge_weights",
                     "model_config", "safetensors_layout", "strict_json",
                     "strict_json_impl", "weight_index"}
LIBTORCH = re.compile(r"(torch|ATen|c10)/")
HIDDEN = re.compile(r"(nlohmann/|fmt/|spdlog/|yaml-cpp/|CLI/|utf8proc)")
INCLUDE = re.compile(r'\s*#\s*include\s*[<"]([^>"]+)[>"]')
MAX_LINES = 500
# Declarations under the names that a foreign header looks for.
FOREIGN = "accelerate/comm/gloo_headers/"
FORBIDDEN = [  # (what, why, where)
    (r"std::cout|\bprintf\(", "the library writes to standard output", "accelerate/"),
    (r"catch\s*\(\.\.\.\)", "catch (...) inside the library", "accelerate/"),
    (r"\bassert\(", "assert() disappears in a release; use ACCELERATE_CHECK", "(accelerate|cli)/"),
    (r"\bsystem\(|\bpopen\(", "a shell", "(accelerate|cli)/"),
    (r"\bfork\(\)", "only the launcher starts processes", "accelerate/(?!launch/)"),
    (r"using namespace", "a header opens a namespace", r"(accelerate|cli)/.*\.h$"),
    (r"#if 0|\b(TODO|FIXME|XXX)\b", "a leftover", ""),
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


def included_own(folder, included):
    """What is wrong with a file of `folder` including accelerate/`included`."""
    first, _, rest = included.partition("/")
    if not rest:
        if folder in ORDER and first not in FREE_HEADERS:
            return "a folder includes a header of the root"
    elif first not in ORDER:
        return "the folder has no place in the order"
    elif included.endswith("_impl.h") and first != folder:
        return f"the header is private to {first}"
    elif folder in ORDER and ORDER.index(first) > ORDER.index(folder):
        return f"{folder} includes a later folder"
    return None


def sees_no_libtorch(path, folder):
    return folder in NO_LIBTORCH or (folder == "io" and path.stem in NO_LIBTORCH_FILES)


def included_foreign(path, folder, included):
    if sees_no_libtorch(path, folder) and LIBTORCH.match(included):
        return f"{path.stem if folder == 'io' else folder} sees libtorch"
    if path.suffix == ".h" and path.parts[0] == "accelerate":
        if included == "torch/torch.h":
            return "a header includes it; take the narrowest one"
        if HIDDEN.match(included) and not path.name.endswith("_impl.h"):
            return "a public header shows a third party"
    return None


def check_includes(path, text, findings):
    folder = path.parts[1] if len(path.parts) > 2 else path.parts[0]
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        own = match[1].removeprefix("accelerate/")
        if own != match[1] and sees_no_libtorch(path, folder) and own.startswith("io/"):
            stem = own.removeprefix("io/").removesuffix(".h")
            if stem not in NO_LIBTORCH_FILES:
                findings.append(f"{path}:{number}: {match[1]}: leads to libtorch")
        problem = (included_own(folder, own) if own != match[1]
                   else included_foreign(path, folder, match[1]))
        if problem:
            findings.append(f"{path}:{number}: {match[1]}: {problem}")


def check_twin(path, exceptions, findings):
    inside = path.relative_to("accelerate")
    folder = inside.parent if inside.parent != pathlib.Path(".") else pathlib.Path("root")
    test = pathlib.Path("tests/unit") / folder / f"{inside.stem}_test.cpp"
    reason = exceptions.get((str(path), "twin"))
    if (ROOT / test).exists() and reason is not None:
        findings.append(f"{path}: has a test; remove it from tools/structure_exceptions.txt")
    elif not (ROOT / test).exists() and not reason:
        findings.append(f"{path}: has no {test}, and no reason in tools/structure_exceptions.txt")


def check_text(path, text, exceptions, findings):
    if not text.startswith(f"// {path}") and not str(path).startswith(FOREIGN):
        findings.append(f"{path}:1: the first line does not name the file")
    lines = text.splitlines()
    if path.suffix == ".h" and "#pragma once" not in lines:
        findings.append(f"{path}:1: lacks #pragma once")
    if len(lines) > MAX_LINES:
        findings.append(f"{path}: has {len(lines)} lines, the limit is {MAX_LINES}")
    if (str(path), "pattern") in exceptions:
        return
    for number, line in enumerate(lines, 1):
        code = line.split("//", 1)[0]
        for what, why, where in FORBIDDEN:
            if re.match(where, str(path)) and re.search(what, code):
                findings.append(f"{path}:{number}: {why}")


def main():
    findings, exceptions = [], allowed_patterns()
    files = [path for pattern in ("*.h", "*.cpp") for path in tracked(pattern)]
    for path in files:
        text = (ROOT / path).read_text(encoding="utf-8")
        if path.parts[:2] != ("tests", "install"):
            check_text(path, text, exceptions, findings)
        if path.parts[0] in ("accelerate", "cli"):
            check_includes(path, text, findings)
        if path.parts[0] == "accelerate" and path.suffix == ".cpp":
            check_twin(path, exceptions, findings)
    for path, kind in exceptions:
        if not (ROOT / path).exists():
            findings.append(f"tools/structure_exceptions.txt: {path} ({kind}) is gone")
    print("\n".join(findings) or f"structure: {len(files)} files, nothing to report")
    return 1 if findings or not files else 0


if __name__ == "__main__":
    sys.exit(main())
