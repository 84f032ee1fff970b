"""The Docker image: its steps are in one script, which runs here without Docker."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
STEPS = re.compile(r'sh docker/steps\.sh \w+|\["sh", "docker/steps\.sh", "\w+"\]')

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the steps of the image are for a POSIX shell")


def instructions() -> list[tuple[str, str]]:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in lines if line and not line.startswith("#")]


def test_whatever_the_image_runs_is_a_step_of_the_script_that_is_tested() -> None:
    runs = [
        text.partition("CMD ")[2] if word == "HEALTHCHECK" else text
        for word, text in instructions()
        if word in ("RUN", "CMD", "ENTRYPOINT", "HEALTHCHECK")
    ]
    assert len(runs) == 4
    assert [text for text in runs if not STEPS.fullmatch(text)] == []
    script = (ROOT / "docker" / "steps.sh").read_text(encoding="utf-8")
    for step in re.findall(r'steps\.sh"?,? "?(\w+)', " ".join(runs)):
        assert f"\n{step}() {{" in script


def test_the_image_serves_as_an_account_without_rights_and_keeps_runs_in_a_volume() -> None:
    found = dict(instructions())
    words = [word for word, _ in instructions()]
    assert found["USER"] not in ("root", "0")
    assert words.index("USER") < words.index("ENTRYPOINT")
    assert words[words.index("USER") :].count("RUN") == 0
    copied = [text for word, text in instructions() if word in ("COPY", "ADD")]
    assert copied
    assert [text for text in copied if "--ch" in text] == []  # so that the program's files belong to root
    assert "COPY" not in words[words.index("USER") :]
    assert found["VOLUME"] in found["ENV"].partition("MNIST_CORE_STORE=")[2].split()


def test_the_files_of_the_image_are_enough_to_serve_and_it_ends_when_docker_stops_it(tmp_path: Path) -> None:
    image = tmp_path / "app"
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        if line.startswith("!"):
            wanted = ROOT / line[1:]
            if wanted.is_dir():
                shutil.copytree(wanted, image / line[1:], ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(wanted, image)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MNIST_", "PYTHON"))}
    environment = kept | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"}
    done = subprocess.run(
        ["sh", image / "docker" / "steps.sh", "check"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=150,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "started, was healthy and ended" in done.stdout
