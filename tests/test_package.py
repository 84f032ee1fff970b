"""The wheel: installed into an environment of its own, outside the project's folder, it gives both commands."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from mnist_core.runs.store import Store, default_root
from tests.support.browser import ROOT, end_everything, start_server

REFERENCE = default_root() / "reference"

LOOK = """
import json, sys
import dashboard.app as app_file
from streamlit.testing.v1 import AppTest
from mnist_core.runs.store import Store, default_root
page = AppTest.from_file(app_file.__file__, default_timeout=60).run()
print(json.dumps({
    "packages": [sys.modules["dashboard"].__file__, sys.modules["mnist_core"].__file__],
    "root": str(default_root()),
    "exceptions": [item.value for item in page.exception],
    "read_only": sorted({run.read_only for run in Store().runs()}),
    "text": " ".join(str(item.value) for item in [*page.markdown, *page.title, *page.header]),
}))
"""


class Installed:
    """An environment with the wheel in it, and a user who has used nothing of it yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.programs = folder / "environment" / ("Scripts" if os.name == "nt" else "bin")
        self.user = folder / "user"
        self.user.mkdir()
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MNIST_", "PYTHON"))}
        self.environment = kept | {
            "HOME": str(self.user),
            "XDG_DATA_HOME": str(self.user / "data"),
            "LOCALAPPDATA": str(self.user / "data"),
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }

    def run(self, *command: str) -> str:
        """Return what a program of the environment prints; it runs in a folder with nothing of the project."""
        done = subprocess.run(
            [self.programs / command[0], *command[1:]],
            cwd=self.user, env=self.environment, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel is built and installed without a network; what it depends on is what the tests run with."""
    folder = tmp_path_factory.mktemp("package")
    wheels, place = folder / "wheels", folder / "environment"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    for command in (
        [*pip, "wheel", "--no-build-isolation", "--no-deps", "--no-index", "-w", str(wheels), str(ROOT)],
        [sys.executable, "-m", "venv", "--without-pip", str(place)],
    ):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
    (wheel,) = wheels.glob("*.whl")
    (packages,) = place.glob("[Ll]ib/python*/site-packages") if os.name != "nt" else [place / "Lib/site-packages"]
    (packages / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    python = place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    done = subprocess.run(
        [*pip, "--python", str(python), "install", "--no-deps", "--no-index", "--no-compile", str(wheel)],
        cwd=folder, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return Installed(folder)


def test_the_command_line_lists_the_runs_that_ship(installed: Installed) -> None:
    listed = json.loads(installed.run("mnist-core", "runs", "--all", "--json"))
    assert {run["id"] for run in listed} == {path.name for path in REFERENCE.iterdir() if len(path.name) == 12}
    assert all(run["read_only"] for run in listed)


def test_a_run_of_the_user_goes_into_a_folder_of_the_user_and_stands_next_to_those_that_ship(
    installed: Installed,
) -> None:
    code = (
        "import mnist_core as mc\n"
        "labels = mc.Store().catalog.load('digits').y_test\n"
        "print(mc.record('mine', predicted=labels, dataset='digits').path)"
    )
    path = Path(installed.run("python", "-c", code).strip())
    assert installed.user in path.parents
    assert installed.folder / "environment" not in path.parents
    shown = json.loads(installed.run("mnist-core", "runs", "--json"))
    assert shown == json.loads(installed.run("mnist-core", "runs", "--json", "--store", str(path.parents[1])))
    assert {"mine", "notebook/model_1"} <= {run["name"] for run in shown}


def test_the_first_page_opens_on_the_runs_that_ship(installed: Installed) -> None:
    found = json.loads(installed.run("python", "-c", LOOK).splitlines()[-1])
    assert all(Path(file).is_relative_to(installed.folder / "environment") for file in found["packages"])
    assert Path(found["root"]).is_relative_to(installed.user)
    assert found["exceptions"] == []
    assert True in found["read_only"]


def test_the_dashboard_s_command_serves_with_the_project_s_configuration(installed: Installed, tmp_path: Path) -> None:
    """The list of host names that it answers to is in that file, and so is the light theme's colour."""
    server = start_server(
        Store(installed.user / "data" / "mnist-core"), tmp_path / "log",
        command=[str(installed.programs / "mnist-compare")], folder=installed.user, environment=installed.environment,
        warm_up=False,
    )  # fmt: skip
    try:
        statuses = []
        for host in (f"localhost:{server.port}", "attacker.example"):
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
            connection.request("GET", "/", headers={"Host": host})
            statuses.append(connection.getresponse().status)
            connection.close()
        assert statuses == [200, 403]
    finally:
        end_everything(server)
