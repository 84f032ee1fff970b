"""The commands that answer questions about trained runs, beside those that train and list them."""

from __future__ import annotations

import argparse
from typing import Any

from mnist_core.diagnosis import diagnose_run
from mnist_core.store import Store
from mnist_core.terminal import Reporter


def diagnose(options: argparse.Namespace, reporter: Reporter) -> int:
    """What the curves of each run say, with the rule behind it."""
    store = Store(options.store)
    runs = [store.find(text) for text in options.runs]
    found = [(run, diagnose_run(run)) for run in runs]
    if reporter.as_json:
        documents: list[dict[str, Any]] = [
            {"id": run.id, "name": run.name, "findings": [item.to_json() for item in items]} for run, items in found
        ]
        return reporter.json(documents)
    for run, items in found:
        print(f"{run.name} ({run.id}), {run.epochs_done} epochs")
        for item in items:
            print(f"  {item.sentence}\n    Rule: {item.rule}")
        if not items:
            print("  Nothing unusual." if run.epochs_done else "  No epoch is finished yet.")
    return 0
