"""`python -m mnist_core` is the command line."""

import sys

from mnist_core.cli import main

if __name__ == "__main__":
    sys.exit(main())
