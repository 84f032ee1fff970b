"""Spoil valid samples of everything that is read from outside, and print what comes out: `--minutes` long.

    python -m benchmarks.fuzzing --minutes 10

Only the project's own errors may come out. What else does is printed with the seed that made it; so are the slowest
read and the most by which the resident memory of the process grew during one (Linux), which sees HDF5, zlib and Pillow.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections import Counter
from pathlib import Path

from mnist_core.errors import MnistCoreError
from mnist_core.runs.store import Store
from tests.support.memory import measured
from tests.support.parsers import emptied, parsers
from tests.support.seed import trained
from tests.support.synthetic import config


def main() -> None:
    """Run until the minutes are over."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--minutes", type=float, default=10)
    options.add_argument("--start", type=int, default=1_000_000, help="the first seed")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = Store(folder / "artifacts")
        known = parsers(store, trained(store, config((8,), epochs=1), "a run"), folder)
        tries, refused, other = Counter[str](), Counter[str](), Counter[str]()
        slowest: dict[str, float] = dict.fromkeys((parser.name for parser in known), 0.0)
        most = dict.fromkeys(slowest, 0)
        end, seed = time.monotonic() + 60 * given.minutes, given.start
        while time.monotonic() < end:
            for parser in known:
                content = parser.spoil(parser.sample, random.Random(f"{parser.name} {seed}"))
                with emptied(folder / "read") as empty:
                    began = time.perf_counter()
                    try:
                        with measured() as peak:
                            parser.read(content, empty)
                    except MnistCoreError:
                        refused[parser.name] += 1
                    except Exception as error:
                        other[f"{parser.name}: {type(error).__name__}"] += 1
                        print(f"{parser.name}, seed {seed}: {type(error).__name__}: {str(error)[:200]}", flush=True)
                    slowest[parser.name] = max(slowest[parser.name], time.perf_counter() - began)
                    most[parser.name] = max(most[parser.name], peak.bytes)
                    tries[parser.name] += 1
            seed += 1
    print(
        "| what is read | spoiled samples | refused | other errors | slowest | most memory |\n|---|---|---|---|---|---|"
    )
    for name in slowest:
        errors = sum(count for text, count in other.items() if text.startswith(f"{name}: "))
        print(
            f"| {name} | {tries[name]:,} | {refused[name]:,} | {errors} | {1000 * slowest[name]:.0f} ms | "
            f"{most[name] / 2**20:.1f} MB |"
        )


if __name__ == "__main__":
    main()
