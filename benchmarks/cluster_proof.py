"""A sweep of 12 runs on machines without a common folder, disturbed in three ways, next to one machine alone.

    python benchmarks/cluster_proof.py
    python benchmarks/cluster_proof.py --short

The machines are namespaces of this one (`tests/support/cluster.py` says what each is), so it needs Linux and the right
to make network namespaces. The network of one worker is down for 90 seconds, and all limits are those that users have:
60 seconds of silence for the store server, 30 for dask. With `--short` it is what `tests/contracts/test_cluster.py`
does: a cut of 14 seconds, limits of 8 and 11.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.support.cluster import LONG, SHORT, prove, reason_to_skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="as the test does")
    chosen = parser.parse_args()
    reason = reason_to_skip()
    if reason:
        raise SystemExit(reason)
    with tempfile.TemporaryDirectory() as folder:
        proof = prove(Path(folder), SHORT if chosen.short else LONG)
    print("| seconds | what happened |\n|---|---|")
    for seconds, what in proof.events:
        print(f"| {seconds:.0f} | {what} |")
    finished = sum(run["state"] == "finished" for run in proof.runs)
    same = sum(not run["difference"] for run in proof.runs)
    attempts = sorted((run["attempts"] for run in proof.runs), reverse=True)
    print("\n| | |\n|---|---|")
    print(f"| runs in the store, of them finished | {len(proof.runs)}, {finished} |")
    print(f"| the same as on one machine, bit for bit: history, predictions and weights | {same} |")
    print(f"| attempts at each run | {', '.join(map(str, attempts))} |")
    print(f"| left in the workers' temporary folders | {', '.join(proof.left) or 'nothing'} |")
    print(f"| seconds of the sweep on the cluster, as a whole | {proof.seconds['cluster']:.0f} |")
    print(f"| of the same sweep on this machine alone, at the same time | {proof.seconds['alone']:.0f} |")
    print(f"| load at the end | {os.getloadavg()[0]:.1f} |")
    print("\n| a stranger | gets |\n|---|---|")
    for how, answer in proof.strangers.items():
        print(f"| {how} | {answer} |")


if __name__ == "__main__":
    main()
