"""``accelerate-launch`` and ``python -m accelerate.commands.launch``: the same as ``accelerate launch``."""

import sys
from typing import NoReturn

from .accelerate_cli import run


def main() -> NoReturn:
    """Becomes ``accelerate launch`` with the arguments of this process."""
    run("launch", *sys.argv[1:])


if __name__ == "__main__":
    main()
