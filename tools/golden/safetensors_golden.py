# tools/golden/safetensors_golden.py: writes tests/unit/io/golden with the Python
# package safetensors, for readers and writers to agree with.
#   python tools/golden/safetensors_golden.py tests/unit/io/golden
# Made with safetensors 0.8.0, torch 2.13.0,
# accelerate 1.15.0.
import pathlib
import sys

import torch
from accelerate import Accelerator
from safetensors.torch import save_file


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)

    def ramp(dtype):
        return torch.arange(6).reshape(2, 3).to(dtype)

    tensors = {
        "bool": torch.arange(3).remainder(2).to(torch.bool),
        "u8": ramp(torch.uint8),
        "i8": ramp(torch.int8) - 3,
        "i16": ramp(torch.int16) - 3,
        "f16": ramp(torch.float16) / 4,
        "bf16": ramp(torch.bfloat16) / 4,
        "i32": ramp(torch.int32) - 3,
        "f32": ramp(torch.float32) / 4,
        "f64": ramp(torch.float64) / 4,
        "i64": ramp(torch.int64) - 3,
        "f8_e4m3": ramp(torch.float32).to(torch.float8_e4m3fn),
        "f8_e5m2": ramp(torch.float32).to(torch.float8_e5m2),
        "u16": ramp(torch.int64).to(torch.uint16),
        "u32": ramp(torch.int64).to(torch.uint32),
        "u64": ramp(torch.int64).to(torch.uint64),
        "empty": torch.zeros(0, 4),
        "scalar": torch.tensor(2.5),
        'name with "quotes" and é': torch.ones(1),
    }
    save_file(tensors, folder / "all_dtypes.safetensors", {"format": "pt"})
    write_sharded(folder / "sharded")


def write_sharded(folder):
    """40 bytes per shard; the tensor of 48 bytes stands alone."""
    sizes = {"a": 4, "b": 5, "c": 2, "big": 12, "d": 1, "e": 9, "f": 0}
    model = torch.nn.Module()
    for index, (name, size) in enumerate(sizes.items()):
        values = torch.arange(size, dtype=torch.float32) + 100 * index
        model.register_parameter(name, torch.nn.Parameter(values))
    Accelerator(cpu=True).save_model(model, folder, max_shard_size=40)


main()
