"""python/tests/test_memory.py: memory that runs out, in one process."""

import gc
import weakref

import pytest
import torch

from accelerate import find_executable_batch_size
from accelerate.utils import release_memory
from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size


def out_of_memory():
    raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")


class TestFindExecutableBatchSize:
    def test_sizes_shrink_by_a_tenth_until_memory_suffices(self):
        sizes = []

        @find_executable_batch_size(starting_batch_size=100)
        def train(batch_size, extra, *, word):
            sizes.append(batch_size)
            if batch_size > 72:
                out_of_memory()
            return batch_size, extra, word

        assert train(5, word="x") == (72, 5, "x")
        assert sizes == [100, 90, 81, 72]
        assert train(5, word="x")[0] == 72 and len(sizes) == 5  # it remembers

    def test_the_caller_may_choose_the_next_size(self):
        following = iter([7, 3])
        tried = []

        def train(batch_size):
            tried.append(batch_size)
            if batch_size > 3:
                out_of_memory()

        find_executable_batch_size(train, starting_batch_size=8, reduce_batch_size_fn=lambda: next(following))()
        assert tried == [8, 7, 3]

    def test_zero_is_the_end(self):
        with pytest.raises(RuntimeError, match="No executable batch size found, reached zero.*`train`"):

            @find_executable_batch_size(starting_batch_size=2)
            def train(batch_size):
                out_of_memory()

            train()

    @pytest.mark.parametrize("error", [ValueError("out of memory"), RuntimeError("Oops"), KeyboardInterrupt()])
    def test_other_errors_pass_at_once(self, error):
        calls = []

        @find_executable_batch_size
        def train(batch_size):
            calls.append(batch_size)
            raise error

        with pytest.raises(type(error)):
            train()
        assert calls == [128]

    def test_a_batch_size_from_the_caller_is_explained(self):
        @find_executable_batch_size(starting_batch_size=8)
        def train(batch_size, word):
            raise AssertionError("called")

        with pytest.raises(TypeError, match=r"Batch size was passed into `train`.*`train\(word='x'\)`"):
            train(128, "x")

        @find_executable_batch_size
        def lacking():
            raise AssertionError("called")

        with pytest.raises(TypeError, match="no batch size as first parameter"):
            lacking()

    def test_what_did_not_fit_is_freed_before_the_next_try(self):
        alive = []

        class Large:
            pass

        @find_executable_batch_size(starting_batch_size=2)
        def train(batch_size):
            large = Large()
            if alive:
                assert alive[0]() is None
                return
            alive.append(weakref.ref(large))
            out_of_memory()

        train()


class TestShouldReduceBatchSize:
    @pytest.mark.parametrize(
        "error",
        [
            torch.OutOfMemoryError("CUDA out of memory."),
            RuntimeError("XPU out of memory. Tried"),
            RuntimeError("MPS backend out of memory"),
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
            RuntimeError("cuDNN error: CUDNN_STATUS_NOT_SUPPORTED."),
            MemoryError(),
        ],
    )
    def test_yes(self, error):
        assert should_reduce_batch_size(error)

    @pytest.mark.parametrize("error", [RuntimeError(), RuntimeError("a", "b"), RuntimeError(5), OSError("out of memory")])
    def test_no(self, error):
        assert not should_reduce_batch_size(error)

    def test_what_torch_itself_raises_on_a_cpu(self):
        with pytest.raises(RuntimeError) as caught:
            torch.empty(2**60, dtype=torch.uint8)
        assert should_reduce_batch_size(caught.value)


def test_release_memory_lets_go():
    class Large:
        pass

    large = Large()
    large.itself = large  # only the collector frees it
    watched = weakref.ref(large)
    gc.disable()
    try:
        large, other = release_memory(large, torch.ones(1))
        assert large is None and other is None
        clear_device_cache(garbage_collection=True)
        assert watched() is None
    finally:
        gc.enable()
    assert release_memory() == []
