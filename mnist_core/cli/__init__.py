"""The command line: one file a family of commands, which `parser` puts together."""

from mnist_core.cli.parser import main

__all__ = ["main"]
