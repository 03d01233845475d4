"""python/tests/test_stream_loaders.py: iterable datasets and dispatched batches, ranks played one after the other."""

import collections
import json

import pytest
import torch
from conftest import ROOT
from sample_loaders import Stream, indices, joined
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from accelerate import delivery
from accelerate.data_loader import (
    DataLoaderDispatcher,
    DataLoaderShard,
    IterableDatasetShard,
    prepare_data_loader,
    skip_first_batches,
)
from accelerate.dispatch import NOTHING, Dealer, cut, rows_of
from accelerate.errors import ConfigError
from accelerate.state import GradientState

pytestmark = pytest.mark.usefixtures("fresh_state")
GOLDEN = json.loads((ROOT / "tests/parity/golden/stream_sharding.json").read_text())


def golden_rows(kind):
    for key, rows in GOLDEN[kind].items():
        world, batch_size, drop_last, split = map(int, key.split())
        if world > 1:
            yield key, world, {"batch_size": batch_size, "drop_last": bool(drop_last)}, bool(split), rows


def share(samples, world, rank, batch_size=2, drop_last=False, num_workers=0, dataset=Stream, **settings):
    loader = DataLoader(dataset(samples), batch_size, drop_last=drop_last, num_workers=num_workers)
    return prepare_data_loader(loader, num_processes=world, process_index=rank, **settings)


class Parts(IterableDataset):
    """Each worker reads its part."""

    def __init__(self, samples):
        self.samples = samples

    def __iter__(self):
        worker = get_worker_info()
        return iter(range(worker.id, self.samples, worker.num_workers) if worker else range(self.samples))


class Columns(Parts):
    def __iter__(self):
        return ({"x": torch.full((2,), i), "text": f"t{i}"} for i in super().__iter__())


class WithGenerator(IterableDataset):
    def __init__(self, samples):
        self.samples = samples
        self.generator = torch.Generator()

    def __iter__(self):
        return iter(torch.randperm(self.samples, generator=self.generator).tolist())


class TestStride:
    """Every process reads, and keeps its own samples."""

    def test_as_the_original(self):
        for key, world, loader, split, rows in golden_rows("stride"):
            for samples, row in enumerate(rows if world < 4 else []):
                for rank, expected in enumerate(row):
                    assert joined(share(samples, world, rank, split_batches=split, **loader)) == expected, (key, samples)

    def test_the_shard_alone_gives_the_same(self):
        for key, world, loader, split, rows in golden_rows("stride"):
            for samples in (0, 1, 7, 30):
                for rank, expected in enumerate(rows[samples]):
                    shard = IterableDatasetShard(Stream(samples), *loader.values(), world, rank, split)
                    size = loader["batch_size"] // world if split else loader["batch_size"]
                    assert joined(DataLoader(shard, size)) == expected, (key, samples)

    @pytest.mark.parametrize("workers", [0, 2])
    @pytest.mark.parametrize("even", [True, False])
    def test_each_sample_once(self, even, workers):
        # Each of two workers leaves something over, which fills rounds together.
        for samples in (0, 1, 23) if workers else (0, 1, 5, 6, 7, 23):
            real = []
            for rank in range(3):
                loader = share(samples, 3, rank, num_workers=workers, dataset=Parts, even_batches=even)
                state = GradientState()
                for batch in loader:
                    valid = state._native.valid_samples
                    assert valid == -1 or state.end_of_dataloader
                    assert state.remainder == samples % 6 if state.end_of_dataloader else True
                    real += batch.tolist()[: None if valid < 0 else valid]
            assert sorted(real) == list(range(samples)), samples

    def test_lengths(self):
        class Sized(Stream):
            def __len__(self):
                return self.length

        for samples in range(20):
            for settings in ({}, {"even_batches": False}, {"drop_last": True}, {"batch_size": 6, "split_batches": True}):
                for rank in range(3):
                    loader = share(samples, 3, rank, dataset=Sized, **settings)
                    assert len(loader) == len(indices(loader)), (samples, settings, rank)
        assert (loader.total_batch_size, loader.batch_size, loader.total_dataset_length) == (6, 2, 19)
        with pytest.raises(TypeError, match="len"):
            len(share(3, 2, 0))

    def test_samples_that_are_batches(self):
        class Rows(Stream):
            def __iter__(self):
                return (torch.full((i + 1,), i) for i in range(self.length))

        found = []
        for rank in range(2):
            loader, state = share(3, 2, rank, batch_size=None, dataset=Rows), GradientState()
            found.append([(len(batch), state._native.valid_samples, state.remainder) for batch in loader])
        assert found == [[(1, -1, -1), (3, -1, -1)], [(2, -1, -1), (1, 0, -1)]]
        assert loader.total_batch_size is None

    def test_epochs(self):
        shards = [share(10, 2, rank, dataset=WithGenerator, rng_types=["generator"]) for rank in range(2)]
        epochs = [[sum(indices(shard), []) for shard in shards] for _ in range(2)]
        for epoch, (first, second) in enumerate(epochs):
            order = torch.randperm(10, generator=torch.Generator().manual_seed(epoch)).tolist()
            assert first == order[0:2] + order[4:6] + order[8:10] and second == order[2:4] + order[6:8] + order[0:2]
        assert shards[0].synchronized_generator is shards[0].dataset.dataset.generator
        shards[0].set_epoch(0)
        assert sum(indices(shards[0]), []) == epochs[0][0]

    def test_skipping(self):
        loader = share(23, 2, 1)
        whole = indices(loader)
        skipped = skip_first_batches(loader, 2)
        assert indices(skipped) == whole[2:] and skipped.total_batch_size == 4
        assert indices(skip_first_batches(skipped, 1)) == whole[3:]
        assert indices(skip_first_batches(loader, 99)) == []

    def test_shards_of_datasets(self):
        datasets = pytest.importorskip("datasets")

        def numbers(parts):
            for part in parts:
                yield from ({"x": 10 * part + i} for i in range(3))

        dataset = datasets.IterableDataset.from_generator(numbers, gen_kwargs={"parts": [0, 1, 2]}).with_format("torch")
        loader = DataLoader(dataset, 2)
        native = [prepare_data_loader(loader, num_processes=3, process_index=rank) for rank in range(3)]
        assert [[batch["x"].tolist() for batch in one] for one in native] == [
            [[10 * rank, 10 * rank + 1], [10 * rank + 2]] for rank in range(3)
        ]
        assert native[0].total_batch_size == 6
        strided = prepare_data_loader(loader, num_processes=4, process_index=1)
        assert isinstance(strided.dataset, IterableDatasetShard)
        assert [batch["x"].tolist() for batch in strided] == [[2, 10], [1, 2]]
        from datasets.distributed import split_dataset_by_node

        mine = DataLoader(split_dataset_by_node(dataset, rank=0, world_size=2), 2)
        with pytest.raises(ConfigError, match="IterableDataset shares samples out between processes already"):
            prepare_data_loader(mine, num_processes=2, process_index=0)

    def test_even_batches_can_be_switched(self):
        loader = share(5, 2, 1)
        assert loader.even_batches and indices(loader) == [[2, 3], [1, 2]]
        loader.even_batches = False
        assert indices(loader) == [[2, 3]]
        mapped = prepare_data_loader(DataLoader(range(5), 2), num_processes=2, process_index=1)
        mapped.even_batches = False
        assert mapped.batch_sampler.even_batches is False and indices(mapped) == [[2, 3]]
        alone = prepare_data_loader(DataLoader(range(5), 2))
        alone.even_batches = False
        assert alone.even_batches is None

    def test_values_out_of_range(self):
        with pytest.raises(ConfigError, match="multiple of 2"):
            share(5, 2, 0, batch_size=3, split_batches=True)
        with pytest.raises(ConfigError, match="has no batch_size"):
            share(5, 2, 0, batch_size=None, split_batches=True)
        with pytest.raises(ConfigError, match="rank 2 of a world of 2"):
            IterableDatasetShard(Stream(3), 1, num_processes=2, process_index=2)


def dealt(loader, world, split=False, even=True, **settings):
    """Of each process, its batches; and of its last one the samples that count."""
    dealer = Dealer(world, loader.batch_size, split, even, loader.drop_last, **settings)
    return list(dealer.rounds(iter(loader)))


class TestRounds:
    """What process 0 makes of the batches it reads."""

    def test_as_the_original(self):
        for key, world, settings, split, rows in golden_rows("dispatch"):
            for samples, row in enumerate(rows):
                rounds = dealt(DataLoader(Stream(samples), **settings), world, split)
                if 0 < samples < world and not settings["drop_last"]:
                    # Too few to fill up with: the original leaves the last processes empty batches.
                    row = [str(rank % samples) for rank in range(world)]
                for rank, expected in enumerate(row):
                    assert joined(one.payloads[rank] for one in rounds) == expected, (key, samples)

    @pytest.mark.parametrize("even", [True, False])
    @pytest.mark.parametrize("workers", [0, 2])
    def test_each_sample_once(self, even, workers):
        for split in (False, True):
            for samples in (1, 23) if workers else (1, 2, 3, 6, 7, 12, 13, 23):
                loader = DataLoader(Columns(samples), 6 if split else 2, num_workers=workers)
                rounds = dealt(loader, 3, split, even)
                assert all(one.remainder == 0 for one in rounds[:-1])
                assert rounds[-1].remainder == samples % 6
                real = []
                for one in rounds:
                    for payload, count in zip(one.payloads, one.num_real):
                        if payload is not NOTHING:
                            assert len(payload["text"]) == len(payload["x"])
                            real += payload["text"][: None if count < 0 else count]
                assert sorted(real) == sorted(f"t{i}" for i in range(samples)), (split, samples)

    def test_batches_keep_their_shapes(self):
        batches = [torch.ones(2, length) for length in (3, 5, 4, 6, 7)]
        rounds = list(Dealer(2, 2, False, True, False).rounds(iter(batches)))
        assert [[tuple(one.shape) for one in r.payloads] for r in rounds] == [
            [(2, 3), (2, 5)],
            [(2, 4), (2, 6)],
            [(1, 7), (1, 7)],
        ]
        short = [torch.ones(2, 3), torch.ones(1, 4)]  # of shapes that cannot be mixed: whole
        (last,) = Dealer(2, 2, False, True, False).rounds(iter(short))
        assert [tuple(one.shape) for one in last.payloads] == [(2, 3), (1, 4)] and last.num_real == [-1, -1]
        (last,) = Dealer(3, 2, False, True, False).rounds(iter(short))
        assert last.num_real == [-1, -1, 0]
        (last,) = Dealer(3, 2, False, False, False).rounds(iter(short))
        assert last.payloads[2] is NOTHING

    def test_batches_of_any_size(self):
        batches = [[1], [2, 2], [3, 3, 3]]
        rounds = list(Dealer(2, None, False, True, False).rounds(iter(batches)))
        assert [(one.payloads, one.num_real) for one in rounds] == [
            ([[1], [2, 2]], [-1, -1]),
            ([[3, 3, 3], [1]], [-1, 0]),
        ]
        assert len(list(Dealer(2, None, False, True, True).rounds(iter(batches)))) == 1
        with pytest.raises(ConfigError, match="a batch has 3 samples, but batch_size is 2"):
            list(Dealer(2, 2, False, True, False).rounds(iter([[3, 3, 3]])))
        with pytest.raises(ConfigError, match="a batch like 7 cannot be cut into pieces for 2"):
            list(Dealer(2, 2, True, True, False).rounds(iter([7])))
        (one,) = Dealer(2, 2, False, True, False).rounds(iter([7, 8]))
        assert one.payloads == [7, 8]

    def test_a_slice_function(self):
        seen = []

        def slice_fn(batch, rows, process_index, num_processes):
            seen.append((len(batch), rows.start, rows.stop, process_index, num_processes))
            return batch[rows] * 10

        loader = DataLoader(Stream(7), 2)
        rounds = dealt(loader, 2, slice_fn=slice_fn)
        assert [[one.tolist() for one in r.payloads] for r in rounds] == [[[0, 10], [20, 30]], [[40, 50], [60, 0]]]
        assert seen == [(4, 0, 2, 0, 2), (4, 2, 4, 1, 2), (4, 0, 2, 0, 2), (4, 2, 4, 1, 2)]
        with pytest.raises(ConfigError, match="cannot be joined"):
            list(Dealer(2, 2, False, True, False, slice_fn).rounds(iter([torch.ones(2, 1), torch.ones(2, 2)])))

    def test_rows(self):
        Pair = collections.namedtuple("Pair", "x text")
        batch = {"a": Pair(torch.arange(3), ["p", "q", "r"]), "b": [torch.arange(3)], "c": torch.tensor(5), "d": "word"}
        assert rows_of(batch) == 3 and rows_of(["a", "b"]) == 2 and rows_of("ab") is None and rows_of([]) is None
        part = cut(batch, slice(1, 3))
        assert part["a"].x.tolist() == [1, 2] and part["a"].text == ["q", "r"] and type(part["a"]) is Pair
        assert part["b"][0].tolist() == [1, 2] and part["c"] == 5 and part["d"] == "word"


class TestMessages:
    def test_tensors_of_any_kind_come_back(self):
        values = [
            torch.arange(12).reshape(3, 4)[:, 1:3],
            torch.tensor(True),
            torch.zeros(0, 3),
            torch.tensor([1.5], dtype=torch.bfloat16),
            torch.tensor([1 + 2j]),
            torch.tensor([1 + 2j]).conj(),
            torch.ones(3, requires_grad=True),
            torch.eye(3).to_sparse(),
            torch.nn.Parameter(torch.ones(2)),
        ]
        back = delivery.unpack(delivery.pack({"values": values, "text": "é"}))
        assert back["text"] == "é"
        for one, other in zip(values, back["values"], strict=True):
            assert type(one) is type(other) and one.dtype == other.dtype and one.requires_grad == other.requires_grad
            assert torch.equal(one.to_dense(), other.to_dense())
        part = torch.zeros(1_000_000)[:2]
        assert len(delivery.pack(part)) < 1000  # without the rest of its memory
        delivery.unpack(delivery.pack(part)).add_(1)  # its own memory, which can be written to


class TestDispatcher:
    """In a world of one; python/tests/test_data_loader_ranks.py has jobs of several processes."""

    def test_what_is_dispatched(self):
        assert type(prepare_data_loader(DataLoader(Stream(3)), put_on_device=True)) is DataLoaderDispatcher
        assert type(prepare_data_loader(DataLoader(Stream(3)))) is DataLoaderShard
        assert type(prepare_data_loader(DataLoader(range(3)), put_on_device=True)) is DataLoaderShard
        chosen = {"put_on_device": True, "dispatch_batches": False}
        assert type(prepare_data_loader(DataLoader(Stream(3)), **chosen)) is DataLoaderShard
        loader = prepare_data_loader(DataLoader(range(7), 2), put_on_device=True, dispatch_batches=True)
        assert prepare_data_loader(loader) is loader and type(loader) is DataLoaderDispatcher
        assert (len(loader), loader.batch_size, loader.total_batch_size, loader.total_dataset_length) == (4, 2, 2, 7)
        assert len(skip_first_batches(loader, 3)) == 1

    def test_passes(self):
        loader = prepare_data_loader(DataLoader(range(5), 2), put_on_device=True, dispatch_batches=True)
        state = GradientState()
        seen = [(b.tolist(), state.end_of_dataloader, state.remainder, state._native.valid_samples) for b in loader]
        assert seen == [([0, 1], False, 1, -1), ([2, 3], False, 1, -1), ([4], True, 1, 1)]
        assert loader.iteration == 1 and not state.in_dataloader
        for _ in loader:
            break
        assert loader.iteration == 1 and not state.in_dataloader
        assert indices(skip_first_batches(loader, 1)) == [[2, 3], [4]]
        empty = prepare_data_loader(DataLoader(Stream(0), 2), put_on_device=True)
        assert indices(empty) == [] and empty.iteration == 0

    def test_a_dataset_that_fails(self):
        class Broken(Stream):
            def __iter__(self):
                yield 1
                raise KeyError("mine")

        with pytest.raises(KeyError, match="mine"):
            list(prepare_data_loader(DataLoader(Broken(2), 1), put_on_device=True))
        assert not GradientState().in_dataloader

    def test_seeds_and_epochs(self):
        settings = {"put_on_device": True, "dispatch_batches": True, "use_seedable_sampler": True, "data_seed": 3}
        loader = prepare_data_loader(DataLoader(range(9), 9, shuffle=True), **settings)
        orders = [next(iter(loader)).tolist(), indices(loader)[0], indices(loader)[0]]
        expected = [torch.randperm(9, generator=torch.Generator().manual_seed(3 + e)).tolist() for e in (0, 0, 1)]
        assert orders == expected
