"""The way of a batch from process 0, which reads for all, to the process that it is for."""

import itertools
import pickle
import struct
from collections.abc import Iterator
from typing import Any

import torch

from . import _native
from .dispatch import NOTHING, Round
from .errors import CommError


class _Pickler(pickle.Pickler):
    """Leaves the contents of tensors to `buffer_callback`: slices go without the rest of their memory."""

    def reducer_override(self, value: Any) -> Any:
        if type(value) is not torch.Tensor or value.layout is not torch.strided or value.device.type != "cpu":
            return NotImplemented
        if value.requires_grad or value.is_quantized or value.is_conj() or value.is_neg():
            return NotImplemented
        contents = value.contiguous().reshape(-1).view(torch.uint8).numpy()
        return _tensor_of, (pickle.PickleBuffer(contents), value.dtype, tuple(value.shape))


def _tensor_of(contents, dtype, shape):
    if len(contents) == 0:
        return torch.empty(shape, dtype=dtype)
    return torch.frombuffer(contents, dtype=torch.uint8).clone().view(dtype).reshape(shape)


class _Sink:
    """Collects what a pickler writes."""

    def __init__(self):
        self.parts: list[bytes] = []

    def write(self, part):
        self.parts.append(bytes(part))


def pack(value: Any) -> bytes:
    """A value as bytes, tensors by their contents.

    Args:
        value: anything that can be pickled.
    """
    buffers: list[memoryview] = []
    sink = _Sink()

    def collect(buffer: pickle.PickleBuffer) -> None:
        buffers.append(buffer.raw())

    _Pickler(sink, protocol=5, buffer_callback=collect).dump(value)
    text = b"".join(sink.parts)
    sizes = [len(text), *(len(one) for one in buffers)]
    return b"".join([struct.pack(f"<q{len(sizes)}q", len(sizes), *sizes), text, *buffers])


def unpack(message: bytes | memoryview) -> Any:
    """What `pack` was given.

    Args:
        message: its bytes.
    """
    view = memoryview(message)
    (count,) = struct.unpack_from("<q", view)
    sizes = struct.unpack_from(f"<{count}q", view, 8)
    ends = list(itertools.accumulate(sizes, initial=8 * (count + 1)))
    parts = [view[begin:end] for begin, end in itertools.pairwise(ends)]
    return pickle.loads(parts[0], buffers=[bytearray(one) for one in parts[1:]])


class Delivery:
    """What one process gets: `payload` (or `NOTHING`), `num_real`, `remainder`; whether it is its last batch, and
    whether the pass ends with it for all.

    Args:
        payload, num_real, remainder: of a `Round`.
        is_last (`bool`): this process gets no other batch in this pass.
        is_final (`bool`): nobody does.
    """

    def __init__(self, payload: Any, num_real: int, remainder: int, is_last: bool, is_final: bool) -> None:
        self.payload = payload
        self.num_real = num_real
        self.remainder = remainder
        self.is_last = is_last
        self.is_final = is_final


_END = Delivery(NOTHING, -1, 0, is_last=True, is_final=True)


def _deliveries(current, following, num_processes):
    """What each process gets of a round, knowing the next one."""
    if current is None:
        return [_END] * num_processes
    lasts = [following is None or one is NOTHING for one in (following.payloads if following else current.payloads)]
    return [
        Delivery(payload, real, current.remainder, is_last, following is None)
        for payload, real, is_last in zip(current.payloads, current.num_real, lasts)
    ]


def deliver(group: _native.ProcessGroup, rounds: Iterator[Round]) -> Iterator[Delivery]:
    """On the process that reads: sends the others theirs and gives its own, one round ahead. Collective.

    Args:
        group: with whom.
        rounds: of a pass.
    """
    current, is_first = None, True
    while True:
        try:
            current = next(rounds, None) if is_first else current
            following = next(rounds, None) if current is not None else None
            deliveries = _deliveries(current, following, group.world_size)
            message = _message(deliveries) if group.world_size > 1 else b""
        except Exception as error:  # whatever the dataset raises: the others must not wait for ever
            if group.world_size > 1:
                _native.broadcast_bytes(group, _error_message(error), 0)
            raise
        if group.world_size > 1:
            _native.broadcast_bytes(group, message, 0)
        yield deliveries[0]
        if deliveries[0].is_final:
            return
        current, is_first = following, False


def _message(deliveries):
    segments = [
        pack((None if one.payload is NOTHING else (one.payload,), one.num_real, one.remainder, one.is_last, one.is_final))
        for one in deliveries[1:]
    ]
    sizes = [len(segment) for segment in segments]
    return b"".join([struct.pack(f"<{len(sizes)}q", *sizes), *segments])


def _error_message(error):
    # A size that no segment has.
    return struct.pack("<q", -1) + f"{type(error).__name__}: {error}".encode(errors="replace")


def receive(group: _native.ProcessGroup) -> Iterator[Delivery]:
    """On the other processes: what process 0 sends. Collective.

    Args:
        group: with whom.

    Raises:
        CommError: when process 0 failed while reading; with what it says.
    """
    at, others = group.global_rank - 1, group.world_size - 1
    while True:
        message = memoryview(_native.broadcast_bytes(group, b"", 0))
        if struct.unpack_from("<q", message)[0] == -1:
            text = bytes(message[8:]).decode(errors="replace")
            raise CommError(f"[data_loader.dispatch] process 0 failed while it read a batch: {text}")
        sizes = struct.unpack_from(f"<{others}q", message)
        begin = 8 * others + sum(sizes[:at])
        payload, num_real, remainder, is_last, is_final = unpack(message[begin : begin + sizes[at]])
        yield Delivery(NOTHING if payload is None else payload[0], num_real, remainder, is_last, is_final)
        if is_final:
            return
