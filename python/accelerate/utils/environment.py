"""Environment variables, read and changed for a while."""

import contextlib
import functools
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from ..errors import ConfigError

_Decorated = TypeVar("_Decorated", bound=Callable)  # a class too

_TRUE = ("y", "yes", "t", "true", "on", "1")
_FALSE = ("n", "no", "f", "false", "off", "0")


def str_to_bool(value: str, to_bool: bool = False) -> int:
    """1 for y, yes, t, true, on, 1 and 0 for n, no, f, false, off, 0, in any case; as `bool` with `to_bool`.

    Raises:
        ValueError: for any other text.
    """
    text = value.lower()
    if text not in _TRUE + _FALSE:
        raise ValueError(f"[str_to_bool] got {value!r}, expected one of {', '.join(_TRUE + _FALSE)}")
    return text in _TRUE if to_bool else int(text in _TRUE)


def get_int_from_env(env_keys: Iterable[str], default: int) -> int:
    """The first of the variables `env_keys` that holds a number of at least 0, or `default`.

    Raises:
        ConfigError: when one holds something else than a whole number.
    """
    for key in env_keys:
        text = os.environ.get(key, "-1")
        try:
            value = int(text)
        except ValueError:
            raise ConfigError(f"[utils.environment] {key}='{text}', expected a number") from None
        if value >= 0:
            return value
    return default


def parse_flag_from_env(key: str, default: bool = False) -> bool:
    """The variable `key` as truth value, or `default`.

    Raises:
        ValueError: when it is neither true nor false; see `str_to_bool`.
    """
    try:
        return bool(str_to_bool(os.environ.get(key, str(default)), to_bool=True))
    except ValueError as error:
        raise ValueError(f"{error} in {key}") from None


def parse_choice_from_env(key: str, default: str = "no") -> str:
    """The variable `key` as text, or `default`."""
    return os.environ.get(key, str(default))


def are_libraries_initialized(*library_names: str) -> list[str]:
    """Those of the libraries that this process has imported."""
    return [name for name in library_names if name in sys.modules]


@contextlib.contextmanager
def _restored(is_ours):
    """Leaves variables that `is_ours` accepts as they were, whatever happens inside."""
    before = {key: value for key, value in os.environ.items() if is_ours(key)}
    try:
        yield
    finally:
        for key in [key for key in os.environ if is_ours(key)]:
            if key not in before:
                del os.environ[key]
        os.environ.update(before)


@contextlib.contextmanager
def clear_environment() -> Iterator[None]:
    """Context without any environment variable; afterwards they are as they were."""
    with _restored(lambda key: True):
        os.environ.clear()
        yield


@contextlib.contextmanager
def patch_environment(**kwargs: Any) -> Iterator[None]:
    """Context in which the variables named by `kwargs`, in capitals, have the given values; then they are as before."""
    values = {key.upper(): str(value) for key, value in kwargs.items()}
    with _restored(values.__contains__):
        os.environ.update(values)
        yield


def purge_accelerate_environment(function_or_class: _Decorated) -> _Decorated:
    """Decorator: variables ACCELERATE_* are after each call (or test method of a class) what they were before it."""
    if isinstance(function_or_class, type):
        for name, member in list(vars(function_or_class).items()):
            if name.startswith(("test", "setUp", "tearDown")) and callable(member):
                setattr(function_or_class, name, purge_accelerate_environment(member))
        return function_or_class

    @functools.wraps(function_or_class)
    def run(*args, **kwargs):
        with _restored(lambda key: key.startswith("ACCELERATE_")):
            return function_or_class(*args, **kwargs)

    return run  # type: ignore[return-value]
