"""DeepSpeed: not supported yet."""

from .later import (  # noqa: F401
    DeepSpeedPlugin,
    DeepSpeedSchedulerWrapper,
    DummyOptim,
    DummyScheduler,
    HfDeepSpeedConfig,
)
