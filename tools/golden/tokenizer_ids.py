"""tools/golden/tokenizer_ids.py: writes tests/parity/tokenizer/*, the ids that
the tokenizers package gives.

    python tools/golden/tokenizer_ids.py .deps/assets tests/parity/tokenizer

tokenizer.json   a small tokenizer whose vocabulary covers the difficult texts
difficult.json   texts, variants of that tokenizer, options, and what comes out
code_points.txt  one hash for 4096 code points, for several normalisers
reviews.txt      per review: number of ids and hash, with the pretrained model's
                 own tokenizer.json
A hash is FNV-1a, 64 bits, over the ids as four bytes each, little-endian.
"""

import copy
import csv
import json
import random
import sys
from pathlib import Path

import tokenizers
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

MADE_BY = f"tools/golden/tokenizer_ids.py, tokenizers {tokenizers.__version__}"

TEXTS = {
    "empty": "",
    "blank": "   \t\r\n ",
    "plain": "The quick brown fox jumps over the lazy dog.",
    "shouting": "IT'S WORTH SEEING, ISN'T IT?!",
    "accents": "Café naïve Ångström Žižek São Paulo œuvre résumé",
    "decomposed accents": "Cafe\u0301 nai\u0308ve A\u030angstro\u0308m",
    "stacked marks": "Z\u0351\u036b\u0343\u036a\u0302\u036ba\u0334\u0315\u0301l\u0335g\u0489o\u0327\u0301",
    "sorted marks": "a\u302e\U0001d165b\U0001d165\u302ec \u1b44\u302e\u0345",
    "barrier": "\u302e\u0900\U0001d165 \u302e\u034f\U0001d165 \u302e\x01\U0001d165",
    "Greek": "Ὀδυσσεύς ΟΔΥΣΣΕΎΣ \u037e \u1fef",
    "Turkish": "İstanbul ISPARTA ılık",
    "German": "Straße GROẞ STRASSE",
    "Cyrillic": "Война и мир, ёлка ЁЛКА йод",
    "ligatures": "ﬁnd the ﬂow Ǆ ǅ ǆ",
    "Chinese": "我爱看电影。这部电影很好！",
    "Japanese": "映画が好きです。カタカナ ｶﾀｶﾅ がぎぐ",
    "Korean": "영화를 좋아해요. 각 가",
    "compatibility ideographs": "\uf900\uf92c\U0002f800\U0002fa1d",
    "rare ideographs": "\u3400\U00020000\U0002a700\U0002b820\U0002b920\U0002ceb0",
    "Arabic": "أحب هذا الفيلم، \u200fجدا\u200e؟",
    "Hebrew": "אני אוהב את הסרט \u05e9\u05b8\u05dc\u05d5\u05b9\u05dd",
    "Devanagari": "मुझे यह फ़िल्म पसंद है। क़िला",
    "Thai": "ฉันชอบหนังเรื่องนี้มาก",
    "Bengali": "আমি এই ছবি পছন্দ করি কো কৌ",
    "emoji": "great 👍🏽 movie 👩‍👩‍👧‍👦 🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f ❤️ 1️⃣",
    "zero width": "zero\u200bwidth\u200c\u200djoi\u2060ner\ufeff soft\u00adhyphen",
    "controls": "a\x00b\x01c\x0bd\x0ce\x1ff\x7fg\x85h\u0080i",
    "white space": "a\u00a0b\u1680c\u2003d\u2028e\u2029f\u202fg\u205fh\u3000i\tj\r\nk",
    "replacement": "bad \ufffd char\ufffdacter",
    "private use": "a\ue000b\uf8ffc\U000f0000d\U0010fffde",
    "unassigned": "a\u0378b\U00030000c\U0001fbffd\ufffee\uffff",
    "punctuation": "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ «a» ¿b? “c” ‘d’ – — … ・ 。",
    "symbols": "$5 + 3€ = 8£ × 2 ÷ 4 ≠ 7 © ® ™ ° ± µ ½ ² ₂ № ℃ K Å",
    "mixed word": "caféABCnaïve ABCdéf x\u0301y\u0301z a1b2c3 3.14 1,000",
    "hashes": "## ##ing # #tag ###",
    "apostrophes": "don't won't I'm they've you're 'quoted' o''clock",
    "hundred": "a" * 100,
    "hundred and one": "a" * 101,
    "hundred accents": "\u00e9" * 100,
    "hundred and one accents": "\u00e9" * 101,
    "marks do not count": "e\u0301" * 100,
    "long word between": "the " + "movie" * 30 + " film",
    "sixteen": "abcdefghijklmnop abcdefghijklmno abcdefghijklmnopq",
    "very long": "the movie is great, " * 300,
    "special in text": "[CLS] the [MASK] is [SEP] [PAD][UNK]",
    "special glued": "the[MASK]movie [MASK]s a[SEP]",
    "special in lower case": "[mask] [Mask] [MASK [ MASK ] MASK]",
    "accent behind special": "[MASK]\u0301a \u0301[SEP]",
    "at the end": "x",
}
HEX = {
    "lone continuation": "61806220",
    "overlong": "61c0af62e080af63",
    "surrogate": "61eda0806220edbfbf63",
    "cut short": "c3",
    "cut short word": "6d6f766965e282",
    "cut before letter": "e282616220f09f6163",
    "too high": "f48fbfbf20f490808061f5626263ff",
    "all continuation": "808080bfbf",
    "bad in special": "5b4d4153c34b5d5b4d41534b5d",
}
PAIRS = [
    ("the movie", "the film"),
    ("", ""),
    ("", "the film is great"),
    ("the quick brown fox jumps over the lazy dog", ""),
    ("the quick brown fox jumps", "over the lazy dog and the movie is great"),
    ("a [MASK] b", "c [SEP] d"),
]
POOL = (
    list("abAB19 .,#'[]\x00\x07\t")
    + list("éÉİßΣΌ가각힣я中\uf900。、")
    + ["\u0301", "\u0316", "\u0327", "\u0345", "\u302e", "\u302f", "\U0001d165", "\U0001d166", "\U0001d15e"]
    + ["\u1b44", "\ua953", "\u0344", "\u0f73", "\u0f71", "\u034f", "\u0900", "\u08d4", "\u0a82c", "\u200d", "\ufffd"]
    + ["\u00a0", "\u3000", "\u2028", "\x85", "\ue000", "\U000e0041", "\U0002f800", "\U000f0000", "[MASK]", "[SEP]"]
)
PIECES = "the movie is great quick brown fox jump ##s ##ing over lazy dog film ##e ##vie mo ab ##cd ##efghijklmnop"


def random_texts(count):
    source = random.Random(20)
    return {f"random {i}": "".join(source.choices(POOL, k=source.randint(1, 24))) for i in range(count)}


def base_tokenizer(pretrained, texts):
    """The pretrained tokenizer with a vocabulary of pieces and characters."""
    base = copy.deepcopy(pretrained)
    base.update(truncation=None, padding=None)
    characters = set()
    for lower in (True, False):
        for strip in (True, False):
            normalizer = BertNormalizer(clean_text=False, strip_accents=strip, lowercase=lower)
            for text in texts:
                characters.update(normalizer.normalize_str(text))
    # Every fifth character stays unknown.
    known = [c for i, c in enumerate(sorted(characters)) if i % 5 or c.isascii()]
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *PIECES.split()]
    tokens += [c for c in known if not c.isspace()] + ["##" + c for c in known if not c.isspace()]
    ids = {token: i for i, token in enumerate(dict.fromkeys(tokens))}
    base["model"]["vocab"] = ids
    for token in base["added_tokens"]:
        token["id"] = ids[token["content"]]
    for name, special in base["post_processor"]["special_tokens"].items():
        special["ids"] = [ids[name]]
    return base


def variants(free_id):
    def added(first_id, content, **flags):
        token = dict(id=first_id, content=content, special=False, single_word=False)
        return {**token, "lstrip": False, "rstrip": False, "normalized": False, **flags}

    def normalizer(clean, chinese, strip, lower):
        return dict(type="BertNormalizer", clean_text=clean, handle_chinese_chars=chinese, strip_accents=strip, lowercase=lower)

    tokens = [
        added(free_id, "<left>", lstrip=True),
        added(free_id + 1, "<right>", rstrip=True, special=True),
        added(free_id + 2, "<both>", lstrip=True, rstrip=True),
        added(free_id + 3, "<bo"),
        added(free_id + 4, "movie the"),
    ]
    normalized = [added(free_id + 5, "New Café", normalized=True), added(free_id + 6, "ÉTÉ", normalized=True, lstrip=True)]
    return {
        "uncased": {},
        "cased": {"normalizer": normalizer(True, True, None, False)},
        "lower, accents kept": {"normalizer": normalizer(True, True, False, True)},
        "cased, accents stripped": {"normalizer": normalizer(True, False, True, False)},
        "not cleaned": {"normalizer": normalizer(False, False, None, True)},
        "no normalizer": {"normalizer": None},
        "added": {"added_tokens": tokens},
        "added, normalized": {"added_tokens": tokens + normalized},
        "added, other ids in the file": {"added_tokens": [added(9000, "<left>"), added(7, "movie the")]},
    }


ADDED_TEXTS = {
    "stripping": "a  <left>  b  <right>  c \u3000<both>\t d <both><both> <left> <left>e<right> ",
    "longest": "<bo <both <both> <bot",
    "inside": "movie then movie the movie thee xmovie the",
    "normalised": "NEW CAFE new cafe\u0301 New\u200b Café the ÉTÉ  ete l'\u00e9t\u00e9 [MASK] new caféx",
}


def build(base, variant):
    definition = copy.deepcopy(base)
    for key, value in variant.items():
        definition[key] = definition[key] + value if key == "added_tokens" else value
    return Tokenizer.from_str(json.dumps(definition))


def encoded(tokenizer, first, second=None, special=True):
    encoding = tokenizer.encode(first, second, add_special_tokens=special)
    return {"ids": encoding.ids, "type_ids": encoding.type_ids, "mask": encoding.attention_mask}


def text_cases(base):
    cases = []
    texts = TEXTS | random_texts(150)
    for variant, patch in variants(len(base["model"]["vocab"])).items():
        tokenizer = build(base, patch)
        chosen = texts | ADDED_TEXTS if variant.startswith("added") else texts
        for name, text in chosen.items():
            cases.append({"variant": variant, "name": name, "text": text, "ids": tokenizer.encode(text).ids})
        for name, digits in HEX.items():
            text = bytes.fromhex(digits).decode("utf-8", "replace")
            cases.append({"variant": variant, "name": name, "hex": digits, "ids": tokenizer.encode(text).ids})
    return cases


def option_cases(base):
    tokenizer = build(base, {})
    long, cases = TEXTS["plain"], []
    for first, second in [(long, None), ("", None), *PAIRS]:
        for special in (True, False):
            for strategy in ("longest_first", "only_first", "only_second"):
                for length in (3, 4, 5, 6, 7, 8, 9, 12, 64):
                    tokenizer.enable_truncation(length, strategy=strategy)
                    case = {"first": first, "second": second, "special": special, "strategy": strategy, "max_length": length}
                    try:
                        cases.append(case | encoded(tokenizer, first, second, special))
                    except Exception:  # the package's own "Truncation error"
                        cases.append(case | {"ids": None})
    return cases


def padding_cases(base):
    tokenizer = build(base, {})
    texts, cases = [TEXTS["plain"], "", "the movie"], []
    for length in (None, 4, 16):
        for multiple in (None, 1, 8):
            tokenizer.enable_padding(length=length, pad_to_multiple_of=multiple)
            rows = [
                {"ids": e.ids, "type_ids": e.type_ids, "mask": e.attention_mask} for e in tokenizer.encode_batch(texts)
            ]
            cases.append({"texts": texts, "length": length, "multiple": multiple, "rows": rows})
    return cases


def decode_cases(base):
    tokenizer = build(base, {})
    cases = []
    for name in ("plain", "shouting", "apostrophes", "hashes", "special in text", "Chinese", "punctuation", "empty"):
        ids = tokenizer.encode(TEXTS[name]).ids
        for skip in (True, False):
            cases.append({"ids": ids, "skip": skip, "text": tokenizer.decode(ids, skip_special_tokens=skip)})
    inner = [tokenizer.token_to_id(t) for t in ("##s", "the", "##ing", "[SEP]", "##s")]
    cases.append({"ids": inner, "skip": True, "text": tokenizer.decode(inner, skip_special_tokens=True)})
    return cases


def fnv1a(ids, state=0xCBF29CE484222325):
    for byte in b"".join(i.to_bytes(4, "little") for i in ids):
        state = (state ^ byte) * 0x100000001B3 % 2**64
    return state


def write_code_points(path):
    """Every code point between letters; the id of a character is a formula."""
    known = [c for c in range(0x21, 0x2FA20) if not 0xD800 <= c < 0xE000 and not chr(c).isspace()]
    vocabulary = {"[UNK]": 0}
    for c in known:
        vocabulary[chr(c)] = 2 * c
        vocabulary["##" + chr(c)] = 2 * c + 1
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = BertPreTokenizer()
    with open(path, "w", encoding="ascii") as out:
        print("#", MADE_BY, file=out)
        for flags in ("1111", "1100", "1101", "0010", "0000"):
            clean, chinese, strip, lower = (flag == "1" for flag in flags)
            tokenizer.normalizer = BertNormalizer(clean_text=clean, handle_chinese_chars=chinese, strip_accents=strip, lowercase=lower)
            for start in range(0, 0x110000, 0x1000):
                points = [c for c in range(start, start + 0x1000) if not 0xD800 <= c < 0xE000]
                rows = tokenizer.encode_batch([f"a{chr(c)}B" for c in points])
                print(flags, f"{start:x} {fnv1a(i for row in rows for i in row.ids):016x}", file=out)


def write_reviews(path, assets):
    tokenizer = Tokenizer.from_file(str(assets / "minilm/tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    with open(path, "w", encoding="ascii") as out:
        print("#", MADE_BY, file=out)
        for split in ("train", "test"):
            with open(assets / f"reviews/{split}.csv", encoding="utf-8", newline="") as file:
                texts = [row["text"] for row in csv.DictReader(file)]
            for encoding in tokenizer.encode_batch(texts):
                print(len(encoding.ids), f"{fnv1a(encoding.ids):016x}", file=out)


def main():
    assets, out = Path(sys.argv[1]), Path(sys.argv[2])
    pretrained = json.loads((assets / "minilm/tokenizer.json").read_text())
    texts = [*TEXTS.values(), *ADDED_TEXTS.values(), *random_texts(150).values()]
    base = base_tokenizer(pretrained, texts)
    (out / "tokenizer.json").write_text(json.dumps(base, ensure_ascii=True))
    cases = {
        "made_by": MADE_BY,
        "variants": variants(len(base["model"]["vocab"])),
        "texts": text_cases(base),
        "options": option_cases(base),
        "padding": padding_cases(base),
        "decoding": decode_cases(base),
    }
    (out / "difficult.json").write_text(json.dumps(cases, ensure_ascii=True))
    if "--texts" in sys.argv:
        return  # the quick ones only
    write_reviews(out / "reviews.txt", assets)
    write_code_points(out / "code_points.txt")


if __name__ == "__main__":
    main()
