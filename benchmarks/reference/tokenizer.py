"""benchmarks/reference/tokenizer.py: the twin of benchmarks/tokenizer_bench.cpp
with the tokenizers package, on one thread.

    python benchmarks/reference/tokenizer.py <tokenizer folder> <text file> [seconds]
"""

import json
import os
import sys
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"

import tokenizers  # noqa: E402  (reads the variables above)


def best_of(seconds, f):
    """Processor seconds of the fastest call, three calls at least."""
    best, start, rounds = float("inf"), time.process_time(), 0
    while rounds < 3 or time.process_time() - start < seconds:
        before = time.process_time()
        f()
        best, rounds = min(best, time.process_time() - before), rounds + 1
    return best


def main():
    folder, file = sys.argv[1:3]
    seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 1.0
    with open(file, encoding="utf-8", newline="\n") as stream:
        texts = stream.read().split("\n")
    if texts[-1] == "":
        texts.pop()
    megabytes = 1e-6 * sum(len(text.encode()) for text in texts)
    tokenizer = tokenizers.Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    count = sum(len(encoding.ids) for encoding in tokenizer.encode_batch(texts, add_special_tokens=False))
    result = {
        "benchmark": "tokenizer",
        "package": f"tokenizers {tokenizers.__version__}",
        "texts": len(texts),
        "megabytes": round(megabytes, 3),
        "ids": count,
        "encode_batch_mb_per_s": round(megabytes / best_of(seconds, lambda: tokenizer.encode_batch(texts)), 2),
        "encode_batch_fast_mb_per_s": round(megabytes / best_of(seconds, lambda: tokenizer.encode_batch_fast(texts)), 2),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
