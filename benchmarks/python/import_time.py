"""benchmarks/python/import_time.py: seconds that `from accelerate import Accelerator` takes after `import torch`."""

import json
import time

import torch  # noqa: F401

start = time.perf_counter()
from accelerate import Accelerator  # noqa: E402, F401

print(json.dumps({"milliseconds": 1e3 * (time.perf_counter() - start)}))
