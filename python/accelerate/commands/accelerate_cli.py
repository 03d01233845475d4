"""``python -m accelerate``: the program `accelerate`, in place of this process."""

import os
import sys
from typing import NoReturn

from .program import native_program


def run(*arguments: str) -> NoReturn:
    """Becomes the program with these arguments; does not return.

    Raises:
        ConfigError: when it is not installed.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(native_program(), ["accelerate", *arguments])


def main() -> NoReturn:
    """Becomes ``accelerate`` with the arguments of this process."""
    run(*sys.argv[1:])


if __name__ == "__main__":
    main()
