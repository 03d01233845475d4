"""Sharding of models over processes: not supported yet."""

from .later import (  # noqa: F401
    get_parameters_from_modules,
    load_fsdp_model,
    load_fsdp_optimizer,
    merge_fsdp_weights,
    save_fsdp_model,
    save_fsdp_optimizer,
)
