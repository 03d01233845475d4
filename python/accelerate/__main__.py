"""``python -m accelerate``."""

from .commands.accelerate_cli import main

if __name__ == "__main__":
    main()
