"""How long a newcomer waits: from a plain training of another framework to a paired decision on the screen.

    MNIST_NPZ=… python benchmarks/newcomer.py
    python benchmarks/newcomer.py --dataset digits

Each script of `examples/` runs in a process of its own, in turn as it is and without its lines marked `added`, in a
store that has the runs that ship and nothing else. Printed are the seconds of the whole process, from its start until
the decision is printed, and the part that the added lines take: the difference of the medians. The decisions go to
stderr. Frameworks that are not installed, here or in `.backends`, are left out.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from mnist_core.runs.store import Store  # noqa: E402

EXAMPLES = {"keras_mnist": "tensorflow", "scikit_learn_forest": "sklearn", "pytorch_mnist": "torch"}
BACKENDS = ROOT / ".backends"


def seconds(script: str, data: Path, folder: Path, store: Path) -> tuple[float, str]:
    """Return how long a script takes, and what it prints."""
    file = folder / "script.py"
    file.write_text(script, encoding="utf-8")
    paths = os.pathsep.join([str(ROOT), str(BACKENDS)])
    environment = os.environ | {"MNIST_CORE_STORE": str(store), "PYTHONPATH": paths, "TF_CPP_MIN_LOG_LEVEL": "3"}
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, str(file), str(data)], env=environment, cwd=folder, capture_output=True, text=True, check=False
    )
    taken = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(done.stderr.strip().splitlines()[-1])
    return taken, done.stdout.strip()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--dataset", default="mnist", choices=["mnist", "digits"])
    options.add_argument("--repeats", type=int, default=3)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = Store(folder / "catalog").catalog.load(chosen.dataset)
        data = folder / "data.npz"
        np.savez(data, **{part: getattr(found, part) for part in ("x_train", "y_train", "x_test", "y_test")})
        print(f"{chosen.dataset}, {chosen.repeats} times each, load {os.getloadavg()[0]:.1f}\n")
        print("| example | lines added | until the decision is printed | of it the added lines |\n|---|---|---|---|")
        for example, framework in EXAMPLES.items():
            if importlib.util.find_spec(framework) is None and not (BACKENDS / framework).is_dir():
                print(f"| {example} | | {framework} is not installed | |")
                continue
            text = (ROOT / "examples" / f"{example}.py").read_text(encoding="utf-8")
            lines = text.splitlines(keepends=True)
            plain = "".join(line for line in lines if not line.rstrip().endswith("# added"))
            with_lines, without = [], []
            for number in range(chosen.repeats):
                without.append(seconds(plain, data, folder, folder / "unused")[0])
                store = folder / f"{example}-{number}"
                shutil.copytree(ROOT / "artifacts" / "reference", store / "reference")
                taken, printed = seconds(text, data, folder, store)
                with_lines.append(taken)
            whole, part = statistics.median(with_lines), statistics.median(with_lines) - statistics.median(without)
            added = sum(line.rstrip().endswith("# added") for line in lines)
            print(f"| {example} | {added} | {whole:.1f} s ({max(with_lines):.1f} at most) | {part:.1f} s |")
            print(printed, file=sys.stderr)


if __name__ == "__main__":
    main()
