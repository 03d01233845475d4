# Makefile: the commands of the project. Each does its own set-up.
.DEFAULT_GOAL := help
.PHONY: help setup build python demo test bench soak format lint clean

PRESET ?= release
BUILD := build/$(PRESET)
REVIEWS := .deps/assets/reviews
# About three minutes of training on two cores.
DEMO_STEPS ?= 330

help:
	@echo "make demo     fine-tune a BERT-family model on movie reviews with two processes"
	@echo "make test     build and run every test"
	@echo "make bench    measure against Hugging Face Accelerate, side by side"
	@echo "make soak     the long tests: accuracy over three seeds, a million inputs per parser, all loops"
	@echo "make format   format all sources      make lint   check style and structure"
	@echo "make python   build the Python package and install it into build/python"
	@echo "make build    only build (PRESET=release|dev|asan|tsan)      make clean"

setup:
	@tools/setup.sh

build: setup
	@tools/build.sh $(PRESET)

demo: build
	@$(BUILD)/cli/accelerate launch --cpu --num_processes 2 \
	  $(BUILD)/examples/finetune_reviews --model .deps/assets/minilm \
	  --train $(REVIEWS)/train.csv --test $(REVIEWS)/test.csv \
	  --max_steps $(DEMO_STEPS) --min_accuracy 0.80

python: setup
	@tools/setup.sh --python
	@tools/python_package.sh

test: build python
	@python3 tools/run_tests.py $(BUILD) --python build/python \
	  --allowed-skips tests/allowed_skips.txt

bench: python
	@tools/build.sh bench
	@python3 benchmarks/run.py build/bench

soak: build python
	@tools/setup.sh --fuzz
	@python3 tools/soak.py $(BUILD)

format:
	@tools/setup.sh --lint
	@git ls-files '*.h' '*.cpp' | xargs clang-format-14 -i

lint: setup
	@tools/setup.sh --lint
	@tools/lint.sh

clean:
	rm -rf build
