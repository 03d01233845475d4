"""The error families of the engine.

``ConfigError`` (a ``ValueError``): the caller can fix it; nothing was changed.
``CommError`` (a ``RuntimeError``): another process is gone, late or disagrees; save what is local and end.
``DistributedOperationException`` (a ``CommError``): processes were about to exchange different things; raised on all of
them.
``CheckpointError`` (a ``RuntimeError``): a file could not be read or written; names the path.
``InternalError`` (a ``RuntimeError``): a defect of this package.
"""

from ._native import CheckpointError, CommError, ConfigError, DistributedOperationException, InternalError

for _family in (CheckpointError, CommError, ConfigError, DistributedOperationException, InternalError):
    _family.__module__ = __name__

__all__ = ["CheckpointError", "CommError", "ConfigError", "DistributedOperationException", "InternalError"]
