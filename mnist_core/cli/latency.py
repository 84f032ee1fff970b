"""The command `latency`: how long the models of runs take to answer."""

from __future__ import annotations

import argparse

from mnist_core.cli.terminal import Reporter
from mnist_core.jobs.latency import measure_run
from mnist_core.runs.store import Store


def latency(options: argparse.Namespace, reporter: Reporter) -> int:
    """Print how long the models of runs take to answer, measured in this process."""
    store = Store(options.store)
    found = [(run, measure_run(store, run)) for run in [store.find(text) for text in options.runs]]
    if reporter.as_json:
        return reporter.json([{"id": run.id, "name": run.name} | item.model_dump(mode="json") for run, item in found])
    rows = [
        {
            "id": run.id,
            "name": run.name,
            "images": batch.images,
            "compiled_ms": f"{1000 * batch.compiled_s:.3f}",
            "predict_ms": f"{1000 * batch.predict_s:.2f}",
            "calls": f"{batch.compiled_calls} and {batch.predict_calls}",
        }
        for run, item in found
        for batch in item.batches
    ]
    last = found[-1][1]
    reporter.say(
        f"Medians, {last.threads} thread{'' if last.threads == 1 else 's'} inside an operation, {last.cores} cores, "
        f"{last.processor}" + (f", load {last.load:.1f}" if last.load is not None else "")
    )
    return reporter.table(rows, ["id", "name", "images", "compiled_ms", "predict_ms", "calls"])
