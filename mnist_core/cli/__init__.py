"""The command line: `parser` has the commands for single runs, and each other family of commands its own file."""

from mnist_core.cli.parser import main

__all__ = ["main"]
