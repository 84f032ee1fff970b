#!/usr/bin/env python3
"""Set up and start, with nothing but Python 3.11 to 3.13.

    python3 start.py               open the dashboard
    python3 start.py class         open the dashboard for a class on this network, after asking
    python3 start.py tests         run the tests
    python3 start.py cli ARGS …    the command line, as `python -m mnist_core ARGS …`

What is needed is installed once: into the active virtual environment, or else into `.venv` next to this file; the
system's own Python is never changed. Further arguments are passed on. Only the first start needs a network.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
SUPPORTED = ((3, 11), (3, 12), (3, 13))
COMMANDS = {
    "dashboard": ("requirements.txt", ["-m", "dashboard"]),
    "class": ("requirements.txt", ["-m", "dashboard", "class"]),
    # side by side, as many of them wait for browsers and workers; the tests of a file stay together, as they share what
    # they have started
    "tests": ("requirements-dev.txt", ["-m", "pytest", "-n", "4", "--dist", "loadfile", "--no-loadscope-reorder"]),
    "cli": ("requirements.txt", ["-m", "mnist_core"]),
}


def main() -> int:
    """Set up what the command needs, then run it in this process's place."""
    name, rest = (
        (sys.argv[1], sys.argv[2:]) if sys.argv[1:2] and sys.argv[1] in COMMANDS else ("dashboard", sys.argv[1:])
    )
    if rest[:1] in (["-h"], ["--help"]) and name not in ("cli", "class"):
        print(__doc__)
        return 0
    if sys.version_info[:2] not in SUPPORTED:
        return start_again_with_supported_python()
    requirements, arguments = COMMANDS[name]
    python = environment()
    install(python, ROOT / requirements)
    os.chdir(ROOT)
    if os.name == "nt":  # there, exec would return to the prompt while the child runs
        return subprocess.call([python, *arguments, *rest])
    return os.execv(python, [str(python), *arguments, *rest])


def start_again_with_supported_python() -> int:
    """Hand over to another Python on the path, as this one is too old or too new for TensorFlow."""
    for major, minor in reversed(SUPPORTED):
        found = shutil.which(f"python{major}.{minor}")
        # a version manager may put names on the path behind which there is nothing
        if found and not subprocess.call([found, "-c", ""], stderr=subprocess.DEVNULL):
            return subprocess.call([found, __file__, *sys.argv[1:]])
    given = ".".join(map(str, sys.version_info[:2]))
    print(
        f"This is Python {given}; TensorFlow needs 3.11, 3.12 or 3.13. Install one of these and start again.",
        file=sys.stderr,
    )
    return 1


def environment() -> Path:
    """The Python to use: that of the active virtual environment, or of `.venv`, made where it is missing."""
    if sys.prefix != sys.base_prefix:
        return Path(sys.executable)
    folder = ROOT / ".venv"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        print(f"Making a virtual environment in {folder.name} …", flush=True)
        made = subprocess.run([sys.executable, "-m", "venv", str(folder)], capture_output=True, text=True, check=False)
        if made.returncode:
            shutil.rmtree(folder, ignore_errors=True)
            print(made.stdout + made.stderr, file=sys.stderr)
            sys.exit("This Python cannot make a virtual environment. On Debian and Ubuntu: apt install python3-venv")
    return python


def install(python: Path, requirements: Path) -> None:
    """Install the requirements, unless exactly these were installed before."""
    wanted = "".join((ROOT / name).read_text() for name in ("requirements.txt", "requirements-dev.txt"))
    stamp = python.parent.parent / f".{ROOT.name}-{requirements.stem}"
    digest = hashlib.sha256(wanted.encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return
    print(f"Installing {requirements.name}: some minutes, this once …", flush=True)
    if subprocess.call([python, "-m", "pip", "--version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
        subprocess.call([python, "-m", "ensurepip"], stdout=subprocess.DEVNULL)
    if subprocess.call([python, "-m", "pip", "install", "--disable-pip-version-check", "-q", "-r", str(requirements)]):
        sys.exit("The installation failed; what pip said is above. Is there a network? Start again to try once more.")
    stamp.write_text(digest)


if __name__ == "__main__":
    sys.exit(main())
