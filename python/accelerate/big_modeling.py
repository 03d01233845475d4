"""Models larger than one device: not supported yet."""

from .utils.later import (  # noqa: F401
    cpu_offload,
    cpu_offload_with_hook,
    disk_offload,
    dispatch_model,
    init_empty_weights,
    load_checkpoint_and_dispatch,
)
