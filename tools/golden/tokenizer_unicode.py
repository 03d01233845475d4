"""tools/golden/tokenizer_unicode.py: writes accelerate/text/unicode_data_impl.h.

What BertNormalizer and BertPreTokenizer do to each code point is asked of the
tokenizers package itself: its crates froze different versions of Unicode
(categories 8, decomposition 13, lower case of the Rust it was built with), so
no single Unicode library gives the same ids.

    python tools/golden/tokenizer_unicode.py accelerate/text/unicode_data_impl.h
"""

import sys
import unicodedata

import tokenizers
from tokenizers.normalizers import NFD, BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
HANGUL = range(0xAC00, 0xAC00 + 11172)


def normalizer(**on):
    names = ("clean_text", "handle_chinese_chars", "strip_accents", "lowercase")
    return BertNormalizer(**{name: on.get(name, False) for name in names}).normalize_str


CLEAN = normalizer(clean_text=True)
CHINESE = normalizer(handle_chinese_chars=True)
STRIP = normalizer(strip_accents=True)
LOWER = normalizer(lowercase=True)
DECOMPOSE = NFD().normalize_str


def ranges(code_points):
    result = []
    for code_point in code_points:
        if result and result[-1][1] == code_point - 1:
            result[-1][1] = code_point
        else:
            result.append([code_point, code_point])
    return result


def split_into(code_point):
    """1: removed as white space, 2: isolated as punctuation, else 0."""
    words = BertPreTokenizer().pre_tokenize_str("a" + chr(code_point) + "b")
    return len(words) - 1 if len(words) > 1 else 0


LOWEST, HIGHEST = chr(0x334), chr(0x345)  # classes 1 and 240


def is_sorted(c):
    return DECOMPOSE(c + LOWEST) != c + LOWEST or DECOMPOSE(HIGHEST + c) != HIGHEST + c


# One mark for every combining class that the package knows.
ANCHORS = {
    unicodedata.combining(c): c
    for c in map(chr, reversed(CODE_POINTS))
    if unicodedata.combining(c) and is_sorted(c) and DECOMPOSE(c) == c
}


def combining_class(code_point):
    """The class by which NFD sorts the code point among the anchors."""
    c = chr(code_point)
    if not is_sorted(c):
        return 0
    others = {k: mark for k, mark in ANCHORS.items() if mark != c}
    after = [k for k, mark in others.items() if DECOMPOSE(c + mark) == mark + c]
    before = [k for k, mark in others.items() if DECOMPOSE(mark + c) == c + mark]
    between = [k for k in ANCHORS if k > max(after, default=0) and k < min(before, default=256)]
    assert len(between) == 1, (hex(code_point), between)
    return between[0]


def is_barrier(code_point):
    """Whether a removed mark still stops the sorting of its neighbours."""
    tone, stem = chr(0x302E), chr(0x1D165)  # classes 224 and 216, both kept
    return STRIP(tone + chr(code_point) + stem) == tone + stem


def lower_runs(pairs):
    """(first, last, stride, delta) runs of code points with one distance."""
    runs = []
    for source, target in pairs:
        delta = target - source
        for run in runs[-3:]:
            step = source - run[1]
            if run[3] == delta and step in (1, 2) and (run[2] in (0, step)):
                run[1], run[2] = source, step
                break
        else:
            runs.append([source, source, 0, delta])
    return [[a, b, max(stride, 1), delta] for a, b, stride, delta in runs]


def literal(text):
    out = ""
    for c in text:
        if " " <= c <= "~" and c not in "\"\\":
            out += c
        else:
            out += f"\\u{ord(c):04X}" if ord(c) < 0x10000 else f"\\U{ord(c):08X}"
    return f'U"{out}"'


def table(name, comment, kind, rows):
    print(f"// {comment}\nconstexpr {kind} {name}[] = {{")
    line = "   "
    for row in rows:
        item = " {" + ", ".join(row) + "},"
        if len(line) + len(item) > 80:
            print(line)
            line = "   "
        line += item
    print(line + "\n};\n")


def number(value):
    return f"0x{value:X}"


def range_table(name, comment, code_points):
    table(name, comment, "Range", [[number(a), number(b)] for a, b in ranges(code_points)])


def main():
    sys.stdout = open(sys.argv[1], "w", encoding="ascii")
    stripped = {c: STRIP(chr(c)) for c in CODE_POINTS if c not in HANGUL}
    marks = [c for c, text in stripped.items() if not text]
    single = {c: t for c, t in stripped.items() if len(t) == 1 and t != chr(c)}
    kept = {c: combining_class(c) for c in CODE_POINTS if c not in HANGUL and stripped[c] == chr(c)}
    lower = {c: LOWER(chr(c)) for c in CODE_POINTS if LOWER(chr(c)) != chr(c)}
    assert all(len(DECOMPOSE(chr(c))) in (2, 3) for c in HANGUL)

    print(f"""// accelerate/text/unicode_data_impl.h: how the tokenizers package sees each code
// point. Written by tools/golden/tokenizer_unicode.py with tokenizers
// {tokenizers.__version__}; do not edit.
#pragma once

#include <string_view>

// clang-format off
namespace accelerate::text {{

struct Range {{ char32_t first, last; }};
struct ClassRange {{ char32_t first, last; int combining_class; }};
struct CaseRun {{ char32_t first, last; int stride, delta; }};
struct MappedRun {{ char32_t first; std::u32string_view mapped; }};
""")
    range_table("kRemoved", "clean_text removes these.", [c for c in CODE_POINTS if not CLEAN(chr(c))])
    spaces = [c for c in CODE_POINTS if CLEAN(chr(c)) == " "]
    range_table("kBlank", "clean_text turns these into a space.", spaces)
    range_table("kChinese", "handle_chinese_chars sets these apart.", [c for c in CODE_POINTS if CHINESE(chr(c)) != chr(c)])
    split = {c: split_into(c) for c in CODE_POINTS}
    range_table("kWhiteSpace", "White space to the pre-tokeniser.", [c for c in CODE_POINTS if split[c] == 1])
    range_table("kPunctuation", "Punctuation to the pre-tokeniser.", [c for c in CODE_POINTS if split[c] == 2])
    range_table("kMarks", "strip_accents removes these.", marks)
    range_table("kBarriers", "Marks that stop canonical sorting.", [c for c in marks if is_barrier(c)])
    classes = []
    for a, b in ranges(c for c in kept if kept[c]):
        for c in range(a, b + 1):
            if classes and classes[-1][1] == c - 1 and classes[-1][2] == kept[c]:
                classes[-1][1] = c
            else:
                classes.append([c, c, kept[c]])
    table("kCombining", "Kept, but sorted by combining class.", "ClassRange", [[number(a), number(b), str(k)] for a, b, k in classes])
    runs = [[number(a), literal("".join(single[c] for c in range(a, b + 1)))] for a, b in ranges(single)]
    table("kStripped", "strip_accents replaces a run, one by one.", "MappedRun", runs)
    several = [[number(c), literal(t)] for c, t in stripped.items() if len(t) > 1]
    table("kExpanded", "strip_accents replaces one by several (Hangul aside).", "MappedRun", several)
    pairs = [(c, ord(t)) for c, t in lower.items() if len(t) == 1]
    table("kLower", "Lower case, every stride-th code point.", "CaseRun", [[number(a), number(b), str(s), str(d)] for a, b, s, d in lower_runs(pairs)])
    table("kLowerExpanded", "Lower case of several code points.", "MappedRun", [[number(c), literal(t)] for c, t in lower.items() if len(t) > 1])
    print("} // namespace accelerate::text\n// clang-format on")


if __name__ == "__main__":
    main()
