"""The first start, as the README has it, with no environment and no cache: seconds by step, megabytes by package.

    python3 benchmarks/set_up.py
    python3 benchmarks/set_up.py --wheel tensorflow-cpu

It needs Git, a network and about 4 GB of free disk, and nothing that has to be installed. Everything happens in a
temporary folder, which is removed at the end unless `--keep` names one. With `--wheel`, the clone requires this package
in the place of `tensorflow`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import defaultdict
from datetime import datetime
from importlib.metadata import distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIMIT_S = 1800
MB = 1e6
KINDS = ("tests", "bytecode", "headers", "everything else")


def start(clone: Path, environment: dict[str, str], log: Path) -> float:
    """Return the seconds from `python3 start.py` until the dashboard answers; end it then."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command = [sys.executable, "start.py", "dashboard", "--server.headless", "true", "--server.port", str(port)]
    began = time.perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=clone, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        while time.perf_counter() - began < LIMIT_S and process.poll() is None:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=2).close()
                return time.perf_counter() - began
            time.sleep(0.1)
        raise SystemExit(f"The dashboard did not start:\n{log.read_text(errors='replace')[-2000:]}")
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def pip_steps(log: Path) -> tuple[float, float]:
    """Return the seconds in which pip resolved and downloaded, and those in which it installed."""
    times = []
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        found = re.match(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d),(\d{3}) (.*)", line)
        if found:
            at = datetime.fromisoformat(found[1]).timestamp() + int(found[2]) / 1000
            times.append((at, found[3].strip()))
    installing = next(at for at, text in times if text.startswith("Installing collected packages"))
    return installing - times[0][0], times[-1][0] - installing


def kind(path: Path) -> str:
    """Return what a file is for, one of KINDS."""
    if path.suffix == ".pyc":
        return "bytecode"
    if {"tests", "test"} & set(path.parts):
        return "tests"
    return "headers" if "include" in path.parts else "everything else"


def megabytes(packages: Path) -> tuple[dict[str, float], dict[str, float]]:
    """Return the megabytes of each installed distribution, and of each of KINDS, in a folder of packages."""
    sizes: dict[str, float] = defaultdict(float)
    kinds: dict[str, float] = dict.fromkeys(KINDS, 0.0)
    for found in distributions(path=[str(packages)]):
        for file in found.files or []:
            path = packages / file
            if path.is_file() and packages in path.resolve().parents:
                size = path.stat().st_size / MB
                sizes[found.metadata["Name"]] += size
                kinds[kind(Path(file))] += size
    return sizes, kinds


def folder_megabytes(folder: Path) -> float:
    """Return the megabytes of all files in a folder and below it, links left out."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink()) / MB


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wheel", default="tensorflow", help="the package that brings TensorFlow")
    parser.add_argument("--keep", type=Path, help="a new folder, which stays, with the clone and its environment")
    parser.add_argument("--rows", type=int, default=10, help="how many packages are listed")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = chosen.keep or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        clone, pip_log = folder / "clone", folder / "pip.log"
        began = time.perf_counter()
        subprocess.run(["git", "clone", "--quiet", "--no-local", "--depth", "1", ROOT.as_uri(), str(clone)], check=True)
        steps = [("git clone, its last commit", time.perf_counter() - began)]
        cloned = folder_megabytes(clone)
        required = clone / "requirements.txt"
        required.write_text(re.sub(r"^tensorflow(?=[<>=])", chosen.wheel, required.read_text(), flags=re.MULTILINE))
        environment = {key: value for key, value in os.environ.items() if key not in ("VIRTUAL_ENV", "PYTHONPATH")}
        environment |= {
            "PIP_NO_CACHE_DIR": "1",
            "PIP_LOG": str(pip_log),
            "MNIST_CORE_STORE": str(folder / "store"),
            "MNIST_CORE_WARM_UP": "0",
        }
        whole = start(clone, environment, folder / "first.log")
        collected, installed = pip_steps(pip_log)
        again = start(clone, environment, folder / "second.log")
        steps += [
            ("a virtual environment is made, and the dashboard starts", whole - collected - installed),
            ("pip finds and fetches the packages", collected),
            ("pip installs them", installed),
            ("`python3 start.py` until the dashboard answers, the first time", whole),
            ("the same, the second time", again),
        ]
        place = "Lib/site-packages" if os.name == "nt" else "lib/python*/site-packages"
        (packages,) = (clone / ".venv").glob(place)
        sizes, kinds = megabytes(packages)
        environment_size = folder_megabytes(clone / ".venv")
        print(f"Python {platform.python_version()}, {platform.system()}, load {os.getloadavg()[0]:.1f}\n")
        print("| step | seconds |\n|---|---|")
        for step, seconds in steps:
            print(f"| {step} | {seconds:.1f} |")
        print(f"\n| of {len(sizes)} packages | MB |\n|---|---|")
        largest = sorted(sizes.items(), key=lambda item: -item[1])
        for package, size in largest[: chosen.rows]:
            print(f"| {package} | {size:.0f} |")
        print(f"| the other {len(sizes) - chosen.rows} | {sum(size for _, size in largest[chosen.rows :]):.0f} |")
        print(f"| **the environment** | **{environment_size:.0f}** |")
        print(f"| the clone | {cloned:.0f} |")
        print("\n| of the packages' files | MB |\n|---|---|")
        for what, size in kinds.items():
            print(f"| {what} | {size:.0f} |")


if __name__ == "__main__":
    main()
