"""Placing one model on several devices: not supported yet."""

from .later import (  # noqa: F401
    clean_device_map,
    get_balanced_memory,
    get_max_layer_size,
    get_max_memory,
    infer_auto_device_map,
    load_checkpoint_in_model,
)
