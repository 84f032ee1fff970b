"""From the end of a stroke on the Draw page to the server's bars, in several browser windows that draw at once.

    python benchmarks/draw_latency.py --windows 5 --strokes 20

Each window is a browser context with a renderer of its own, on the same machine as the server. What is timed, within
the page, is from the pointer's release to the moment when all bars show the server's answer to that very stroke: two
dense nets and a convolutional one. The bars of dense nets have moved before that, while the stroke was being drawn.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from playwright.async_api import Page, async_playwright

from mnist_core.runs.store import Store, default_root
from tests.support import chromium as installed
from tests.support.browser import end_everything, start_server

RUNS = ("notebook/model_1", "notebook/model_2", "coursera/cnn")
WATCH = """() => {
  const find = (node) => node.querySelector?.('.draw') ?? [...node.querySelectorAll('*')]
    .map((each) => each.shadowRoot && find(each.shadowRoot)).find(Boolean);
  const root = find(document);
  window.times = [];
  root.querySelector('.pad').addEventListener('pointerup', () => { window.released = performance.now(); }, true);
  new MutationObserver(() => {
    if (window.released && root.dataset.answered === root.dataset.sent) {
      window.times.push(performance.now() - window.released);
      window.released = undefined;
    }
  }).observe(root, { attributes: true, attributeFilter: ['data-answered'] });
}"""


async def drawn(page: Page, url: str, strokes: int, ready: asyncio.Barrier, seed: int) -> list[float]:
    """Open the page, wait for the other windows, draw so many strokes; return the milliseconds of each."""
    chance = random.Random(seed)
    await page.goto(url)
    pad = page.locator(".draw .pad")
    await pad.wait_for(timeout=60_000)
    await page.wait_for_timeout(4_000)
    await page.evaluate(WATCH)
    await ready.wait()
    for number in range(strokes):
        box = await pad.bounding_box()
        assert box is not None
        points = [
            (box["x"] + chance.uniform(0.2, 0.8) * box["width"], box["y"] + chance.uniform(0.2, 0.8) * box["height"])
            for _ in range(3)
        ]
        await page.mouse.move(*points[0])
        await page.mouse.down()
        for point in points[1:]:
            await page.mouse.move(*point, steps=8)
        await page.mouse.up()
        await page.wait_for_function("(count) => window.times.length === count", arg=number + 1, timeout=30_000)
        await page.wait_for_timeout(chance.uniform(300, 900))  # people pause between strokes
    found: list[float] = await page.evaluate("window.times")
    return found


async def measure(windows: int, strokes: int, folder: Path) -> list[float]:
    (folder / "artifacts").mkdir()
    shutil.copytree(default_root() / "reference", folder / "artifacts" / "reference")
    store = Store(folder / "artifacts")
    server = start_server(store, folder / "server.log")
    try:
        chosen = [next(run for run in store.runs() if run.name == name and run.model_file) for name in RUNS]
        url = f"{server.url}/draw?runs={','.join(run.id for run in chosen)}"
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=installed.PATH or installed.FOR_TESTS, args=installed.ARGUMENTS
            )
            pages = [await (await browser.new_context()).new_page() for _ in range(windows)]
            ready = asyncio.Barrier(windows)
            rounds = [drawn(page, url, strokes, ready, seed) for seed, page in enumerate(pages)]
            found = await asyncio.gather(*rounds)
            await browser.close()
        return [value for part in found for value in part]
    finally:
        end_everything(server)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--windows", type=int, default=5)
    parser.add_argument("--strokes", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        times = np.array(asyncio.run(measure(options.windows, options.strokes, Path(folder))))
    print(
        f"{options.windows} windows, {len(times)} strokes: median {np.median(times):.0f} ms, "
        f"p95 {np.percentile(times, 95):.0f} ms, longest {times.max():.0f} ms"
    )


if __name__ == "__main__":
    main()
