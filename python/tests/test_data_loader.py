"""python/tests/test_data_loader.py: prepared loaders in one process, ranks played one after the other."""

import copy
import itertools
import pickle
import time
import warnings

import pytest
import torch
from sample_loaders import Batches, Counted, Stream, indices, prepared
from torch.utils.data import BatchSampler, DataLoader, DistributedSampler, Sampler, SequentialSampler

from accelerate.data_loader import (
    BatchSamplerShard,
    DataLoaderShard,
    IterableDatasetShard,
    SkipBatchSampler,
    SkipDataLoader,
    get_sampler,
    is_prepared,
    prepare_data_loader,
    skip_first_batches,
)
from accelerate.errors import ConfigError
from accelerate.state import GradientState

pytestmark = pytest.mark.usefixtures("fresh_state")


class TestPass:
    """One pass over a loader."""

    def test_the_last_batch_is_known(self):
        loader, state = prepared(9, 2, world_size=2, rank=1), GradientState()
        assert not state.in_dataloader
        seen = []
        for batch in loader:
            seen.append((batch.tolist(), state.end_of_dataloader, state._native.valid_samples))
            assert state.in_dataloader and state.remainder == 1
        assert seen == [([2, 3], False, -1), ([6, 7], False, -1), ([1, 2], True, 0)]
        assert not state.in_dataloader and not state.end_of_dataloader
        assert loader.end_of_dataloader and loader.remainder == 1

    @pytest.mark.parametrize(
        "settings, remainder, valid",
        [
            ({}, [1, 1], [1, 0]),
            ({"even_batches": False}, [1, 1], [1, -1]),
            ({"drop_last": True}, [-1, -1], [-1, -1]),
            ({"split_batches": True}, [1, 1], [1, 0]),
            ({"samples": 12}, [0, 0], [-1, -1]),
        ],
    )
    def test_repeated_samples_are_known(self, settings, remainder, valid):
        found = []
        for rank in range(2):
            loader, state = prepared(**{"samples": 9, "rank": rank, **settings}), GradientState()
            for _ in loader:
                last = (state.end_of_dataloader, state.remainder, state._native.valid_samples)
            found.append(last)
        assert found == [(True, remainder[rank], valid[rank]) for rank in range(2)]

    @pytest.mark.parametrize("workers", [0, 2])
    def test_repeated_samples_are_known_when_the_sampler_runs_ahead(self, workers):
        loader, state = prepared(9, 2, rank=1, num_workers=workers), GradientState()
        assert [state._native.valid_samples for _ in loader] == [-1, -1, 0]
        assert [state._native.valid_samples for _ in skip_first_batches(loader, 1)] == [-1, 0]

    def test_a_world_of_one_repeats_nothing(self):
        loader, state = prepared(9, 2, world_size=1), GradientState()
        seen = [(batch.tolist(), state.end_of_dataloader, state._native.valid_samples) for batch in loader]
        assert seen[-2:] == [([6, 7], False, -1), ([8], True, 1)]
        assert loader.remainder == 1
        dropping = prepare_data_loader(DataLoader(range(9), batch_sampler=BatchSampler(range(9), 2, True)))
        assert len(indices(dropping)) == 4 and dropping.remainder == -1
        indices(full := prepared(8, 2, world_size=1))
        assert full._position.valid_samples == -1
        for odd in (Batches([[0, 1], [2, 3]], batch_size=2), BatchSampler(iter([3, 4, 5, 6]), 2, False)):
            indices(partial := prepare_data_loader(DataLoader(range(9), batch_sampler=odd)))
            assert partial._position.valid_samples == -1  # the length of the dataset says nothing

    def test_an_unknown_length(self):
        class Shy(Sampler):
            def __iter__(self):
                return iter(range(5))

        sampler = BatchSampler(Shy(), 2, False)
        loader = prepare_data_loader(DataLoader(range(7), batch_sampler=sampler), num_processes=2, process_index=1)
        assert [batch.tolist() for batch in loader] == [[2, 3], [1, 2]]
        assert loader.remainder == 1  # known at the end

    def test_leaving_early(self):
        loader, state = prepared(), GradientState()
        for _ in loader:
            break
        assert not state.in_dataloader and loader.iteration == 0
        with pytest.raises(RuntimeError, match="mine"):
            for _ in loader:
                raise RuntimeError("mine")
        assert not state.in_dataloader
        indices(loader)
        assert loader.iteration == 1

    def test_a_dataset_that_fails(self):
        class Broken(Counted):
            def __getitem__(self, index):
                return [0, 1, 2][index]

        state = GradientState()
        for workers in (0, 1):
            loader = DataLoader(Broken(9), 2, num_workers=workers)
            with pytest.raises(IndexError):
                list(prepare_data_loader(loader))
            assert not state.in_dataloader

    def test_nested_loaders(self):
        state, outer, inner = GradientState(), prepared(8, 2, world_size=1), prepared(3, 2, world_size=1)
        for index, _ in enumerate(outer):
            assert state.end_of_dataloader == (index == 3)
            assert [state.end_of_dataloader for _ in inner] == [False, True]
            assert state.end_of_dataloader == (index == 3) and state.remainder == 0
        for first, second in zip(outer, outer):  # two passes over one loader
            assert first.tolist() == second.tolist()
        assert not state.in_dataloader

    def test_nothing_to_give(self):
        loader = prepared(0, 2, world_size=1)
        assert indices(loader) == [] and len(loader) == 0 and loader.iteration == 0
        assert indices(prepared(0, 2)) == []
        assert indices(prepared(3, 2, drop_last=True)) == []
        assert indices(skip_first_batches(prepared(8, 2), 2)) == []

    def test_fewer_samples_than_processes(self):
        assert [indices(prepared(1, 3, world_size=3, rank=rank)) for rank in range(3)] == [[[0, 0, 0]]] * 3

    def test_batches_go_to_the_device(self):
        loader = DataLoader([{"x": torch.ones(2)}] * 3, 2)
        loader = prepare_data_loader(loader, torch.device("meta"), put_on_device=True, non_blocking=True)
        assert [batch["x"].device.type for batch in loader] == ["meta", "meta"]
        assert prepare_data_loader(DataLoader(range(3)), torch.device("cpu")).device is None

    def test_an_iterable_dataset_in_a_world_of_one(self):
        loader, state = prepare_data_loader(DataLoader(Stream(5), 2), put_on_device=True), GradientState()
        assert [(batch.tolist(), state.end_of_dataloader) for batch in loader] == [
            ([0, 1], False),
            ([2, 3], False),
            ([4], True),
        ]
        dropping = prepare_data_loader(DataLoader(Stream(5), 2, drop_last=True))
        assert indices(dropping) == [[0, 1], [2, 3]] and dropping.remainder == -1

    def test_samples_that_are_not_batched(self):
        loader = DataLoader(range(5), batch_size=None, shuffle=True)
        torch.manual_seed(0)
        shares = []
        for rank in range(2):
            torch.manual_seed(0)
            shares.append(list(prepare_data_loader(loader, num_processes=2, process_index=rank)))
            get_sampler(loader).generator = None
        assert len(shares[0]) == len(shares[1]) == 3
        assert sorted(shares[0] + shares[1][:2]) == list(range(5)) and shares[1][2] == shares[0][0]
        single = prepare_data_loader(loader, use_seedable_sampler=True, data_seed=1)
        assert list(single) == torch.randperm(5, generator=torch.Generator().manual_seed(1)).tolist()

    @pytest.mark.parametrize("batch_size", [None, 1])
    def test_a_batch_sampler_in_the_place_of_the_sampler(self, batch_size):
        class Rows:
            def __getitem__(self, rows):
                return torch.tensor(rows)

        inner = BatchSampler(range(9), 2, False)
        for world_size, expected in ((1, list(inner)), (2, [[0, 1], [4, 5], [8, 0]])):
            loader = DataLoader(Rows(), sampler=inner, batch_size=batch_size)
            loader = prepare_data_loader(loader, num_processes=world_size, process_index=0)
            assert [batch.reshape(-1).tolist() for batch in loader] == expected
            assert loader.total_batch_size == 2 * world_size
        assert [batch.reshape(-1).tolist() for batch in skip_first_batches(loader, 2)] == [[8, 0]]


class TestLoader:
    """The loader as an object."""

    def test_what_scripts_ask(self):
        dataset = Counted(23)
        loader = prepare_data_loader(DataLoader(dataset, 4), num_processes=2, process_index=0)
        assert isinstance(loader, DataLoader) and isinstance(loader, DataLoaderShard) and is_prepared(loader)
        assert loader.dataset is dataset and len(loader) == 3
        assert isinstance(loader.batch_sampler, BatchSamplerShard)
        assert isinstance(loader.get_sampler(), SequentialSampler)
        assert (loader.batch_size, loader.total_batch_size, loader.total_dataset_length) == (4, 8, 23)
        assert prepare_data_loader(loader) is loader
        split = prepared(23, 4, split_batches=True)
        assert (split.batch_size, split.total_batch_size, len(split)) == (2, 4, 6)
        skipped = skip_first_batches(loader, 1)
        assert (skipped.batch_size, skipped.total_batch_size, len(skipped)) == (4, 8, 2)

    def test_settings_of_the_loader_are_kept(self):
        settings = {
            "num_workers": 1,
            "collate_fn": lambda samples: samples,
            "timeout": 30,
            "worker_init_fn": lambda index: None,
            "multiprocessing_context": "fork",
            "generator": torch.Generator(),
            "prefetch_factor": 3,
            "persistent_workers": True,
            "pin_memory": False,
            "in_order": False,
        }
        loader = prepare_data_loader(DataLoader(range(9), 2, drop_last=True, **settings))
        for one in (loader, skip_first_batches(loader, 1), skip_first_batches(DataLoader(range(9), 2, **settings))):
            settings["multiprocessing_context"] = one.multiprocessing_context
            assert {name: getattr(one, name) for name in settings} == settings
        loader._non_blocking = True
        skipped = skip_first_batches(loader, 1)
        assert skipped._drop_last and skipped._non_blocking and is_prepared(skipped)

    def test_attributes_can_be_set(self):
        loader = prepared(4, 2, world_size=1)
        loader.collate_fn = lambda samples: [len(samples)]
        loader.mine = 1
        assert indices(loader) == [[2], [2]] and loader.mine == 1
        loader.set_sampler(range(2))
        assert indices(loader) == [[2]]
        with pytest.raises(ConfigError, match="Batches has no sampler"):
            prepare_data_loader(DataLoader(range(4), batch_sampler=Batches([[0]]))).set_sampler(range(2))
        single = prepare_data_loader(DataLoader(range(9), batch_size=None), num_processes=2, process_index=1)
        single.set_sampler([5, 6, 7])
        assert [int(index) for index in single] == [6, 5]

    def test_even_batches_can_be_switched(self):
        loader = prepared(5, 2, rank=1)
        assert indices(loader) == [[2, 3], [1, 2]]
        loader.batch_sampler.even_batches = False
        assert indices(loader) == [[2, 3]] and len(loader) == 1

    @pytest.mark.parametrize("make", [copy.deepcopy, lambda loader: pickle.loads(pickle.dumps(loader))])
    @pytest.mark.parametrize("workers", [{}, {"num_workers": 1, "persistent_workers": True}])
    def test_copies(self, make, workers):
        loader = prepared(20, 2, shuffle=True, rng_types=["generator"], **workers)
        first = make(loader)
        assert first.synchronized_generator is first.get_sampler().generator
        assert first.synchronized_generator is not loader.synchronized_generator
        expected = indices(first)
        passing = iter(loader)
        assert next(passing).tolist() == expected[0]
        second = make(loader)  # while the loader is being iterated
        assert second._position is None
        assert len(indices(second)) == 5
        assert indices(passing) == expected[1:]
        assert is_prepared(second)

    def test_skipping_reads_nothing(self):
        dataset = Counted(20)
        loader = prepare_data_loader(DataLoader(dataset, 2), num_processes=2, process_index=0)
        whole = indices(loader)
        dataset.reads = 0
        skipped = skip_first_batches(loader, 3)
        assert indices(skipped) == whole[3:] and dataset.reads == 4
        assert indices(skip_first_batches(skipped, 1)) == whole[4:]
        assert len(skip_first_batches(loader, 99)) == 0
        assert indices(loader) == whole  # as it was

    def test_skipping_without_prepare(self):
        assert indices(skip_first_batches(DataLoader(range(7), 2), 2)) == [[4, 5], [6]]
        unbatched = skip_first_batches(DataLoader(range(7), batch_size=None), 5)
        assert [int(one) for one in unbatched] == [5, 6]
        stream = skip_first_batches(skip_first_batches(DataLoader(Stream(7), 2), 1), 1)
        assert indices(stream) == [[4, 5], [6]] and not is_prepared(stream)
        loader = prepare_data_loader(stream)
        assert indices(loader) == [[4, 5], [6]]
        assert indices(skip_first_batches(loader, 1)) == [[6]]
        with pytest.raises(ConfigError, match="-1"):
            SkipBatchSampler(range(3), -1)
        with pytest.raises(ConfigError, match="only prepared loaders have a state"):
            SkipDataLoader(range(3), use_stateful_dataloader=True)

    def test_what_is_not_supported_yet(self):
        with pytest.raises(ConfigError, match="torch_device_mesh is not supported yet"):
            prepare_data_loader(DataLoader(range(3)), torch_device_mesh=object())

    def test_what_cannot_be_shared_out(self):
        two = {"num_processes": 2, "process_index": 0}
        taken = IterableDatasetShard(Stream(8), 2, num_processes=2, process_index=0)
        with pytest.raises(ConfigError, match="IterableDatasetShard shares samples out between processes already"):
            prepare_data_loader(DataLoader(taken, 2), **two)
        with pytest.raises(ConfigError, match="needs put_on_device"):
            prepare_data_loader(DataLoader(Stream(3)), dispatch_batches=True)
        with pytest.raises(ConfigError, match="process 0 of the 1 of this job, got process 0 of 2"):
            prepare_data_loader(DataLoader(Stream(3)), dispatch_batches=True, put_on_device=True, **two)
        ranked = DistributedSampler(range(8), 2, 0)
        for loader in (
            DataLoader(range(8), sampler=ranked),
            DataLoader(range(8), batch_sampler=BatchSampler(ranked, 2, False)),
            DataLoader(range(8), batch_sampler=BatchSamplerShard(BatchSampler(range(8), 2, False), 2, 0)),
        ):
            with pytest.raises(ConfigError, match="shares samples out between processes already"):
                prepare_data_loader(loader, **two)
            assert len(indices(prepare_data_loader(loader, num_processes=1, process_index=0))) > 0
        with pytest.raises(ConfigError, match="in_order"):
            prepare_data_loader(DataLoader(range(8), 2, num_workers=1, in_order=False), **two)
        nested = DataLoader(range(8), sampler=BatchSampler(range(8), 2, False), batch_size=3)
        with pytest.raises(ConfigError, match="makes batches of 3 of them"):
            prepare_data_loader(nested, **two)
        with pytest.raises(ConfigError, match="multiple of 2"):
            prepare_data_loader(DataLoader(range(8), 3), split_batches=True, **two)
        for function in (prepare_data_loader, skip_first_batches):
            with pytest.raises(ConfigError, match="got a list"):
                function([1, 2])

    def test_a_loader_that_iterates_its_own_way(self):
        class Twice(DataLoader):
            def __iter__(self):
                return itertools.chain(super().__iter__(), super().__iter__())

        with pytest.warns(UserWarning, match="Twice iterates in a way of its own"):
            prepare_data_loader(Twice(range(3)))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            prepare_data_loader(DataLoader(range(3)))

    def test_a_batch_costs_little_more_than_torch_s(self, monkeypatch):
        """Aim: under 3 us; what torch does itself, and its noise, is left out."""
        batches = 50_000
        loader = prepare_data_loader(DataLoader(range(batches)), torch.device("cpu"), put_on_device=True)
        monkeypatch.setattr(DataLoader, "__iter__", lambda self: iter(range(batches)))

        def microseconds():
            start = time.perf_counter()
            assert sum(1 for _ in loader) == batches
            return (time.perf_counter() - start) / batches * 1e6

        assert min(microseconds() for _ in range(5)) < 3
