"""Processor seconds that one rerun of each page costs the server when nothing has changed.

    python benchmarks/view_cost.py --repeats 7
    python benchmarks/view_cost.py --runs 2000 --page views/compare/page.py

The pages are run without a browser, on a copy of the shipped runs. With `--runs`, so many made-up finished runs of 20
epochs are added, ten seeds of each recipe, and the first `--link` of them are chosen by the link: their curves are
drawn.
"""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import statistics
import sys
import tempfile
import time
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from streamlit.testing.v1 import AppTest

from mnist_core import files
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store, default_root
from tests.support.pages import APP, PAGES
from tests.support.synthetic import FINGERPRINT, config, epoch_row, guesses

FIRST = PAGES[0]


def made_up(store: Store, count: int) -> list[Run]:
    """Put finished runs into the store that nobody has trained, ten seeds of each recipe."""
    files.os.fsync = lambda handle: None  # type: ignore[attr-defined]  # 2,000 times to the disk would take minutes
    found = []
    for number in range(count):
        made = config((8 + number // 10,), epochs=20, seed=number % 10)
        run, _ = store.add(made, name=f"made up {number}", fingerprint=FINGERPRINT)
        writer = store.open_writer(run.id)
        assert writer is not None
        writer.started([epoch_row(epoch, floor=0.1 + number / 50_000) for epoch in range(1, 21)])
        writer.predictions(guesses(10 + number % 40, images=100, seed=number))
        writer.ended("finished", "all epochs done", best_epoch=4, kept_epoch=20)
        found.append(run)
    return found


def measured(page: str, repeats: int, link: str) -> dict[str, float]:
    """Processor seconds of the first run of a page in a session, and of the reruns after it; and what a rerun takes."""
    test = AppTest.from_file(str(APP), default_timeout=300)
    if link:
        test.query_params["runs"] = link
    began = time.process_time()
    test.run()
    if page != FIRST:
        began = time.process_time()
        test.switch_page(page).run()
    found = {"first": time.process_time() - began}
    costs, times = [], []
    for _ in range(repeats):
        began, clock = time.process_time(), time.perf_counter()
        test.run()
        costs.append(time.process_time() - began)
        times.append(time.perf_counter() - clock)
        assert not test.exception, test.exception
    return found | {"rerun": statistics.median(costs), "most": max(costs), "seconds": statistics.median(times)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--page", action="append", choices=PAGES, help="only this page; may be repeated")
    parser.add_argument("--runs", type=int, default=0, help="made-up runs to add")
    parser.add_argument("--link", type=int, default=0, help="how many of these to choose")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "artifacts"
        shutil.copytree(default_root() / "reference", root / "reference")
        os.environ["MNIST_CORE_STORE"] = str(root)
        runs = made_up(Store(root), options.runs)
        link = ",".join(run.id for run in runs[: options.link])

        from dashboard import resources

        resources.warm_up = lambda: None  # no job service: its threads would be measured, too
        print(f"{len(resources.store().runs())} runs; load {os.getloadavg()[0]:.1f}; processor seconds")
        print(f"{'page':34} {'first':>7} {'rerun':>7} {'most':>7}   {'takes':>7}")
        for page in options.page or PAGES:
            found = measured(page, options.repeats, link)
            costs = " ".join(f"{found[name]:7.3f}" for name in ("first", "rerun", "most"))
            print(f"{page:34} {costs}   {found['seconds']:5.3f} s")


if __name__ == "__main__":
    main()
