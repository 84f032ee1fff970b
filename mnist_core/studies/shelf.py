"""The folders of the studies of one kind: sweeps or searches, the user's and those that ship.

A study is one file of JSON. The runs that it names are ordinary runs, and stay when the study is taken off its shelf.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from mnist_core.errors import ReadOnlyRun, RunNotFound, StoreError
from mnist_core.experiments.frozen import damage
from mnist_core.files import make_folder, printable, read_json, write_json, writing
from mnist_core.jobs.runners import Runner
from mnist_core.runs.store import Problem, Store
from mnist_core.studies.study import Study

StudyT = TypeVar("StudyT", bound=Study)


@dataclass(frozen=True)
class Shelf(Generic[StudyT]):
    """All studies of a kind.

    word: what one is called, such as ``sweep``. folder: where they are below a root of the store. file: the name of a
    study's file in a folder of its own; empty where the file is called by the study's id.
    model: what a file holds. check: raises ValueError where that makes no sense. request: has the study of a spec
    trained, given the store, the runner, the spec, and whether new runs keep their weights, where that is a choice.
    """

    word: str
    folder: str
    file: str
    model: type[StudyT]
    check: Callable[[StudyT], None]
    request: Callable[[Store, Runner, Any, bool], StudyT]

    def path(self, root: Path, study_id: str) -> Path:
        """Return the file of the study with this id below a root."""
        return root / self.folder / study_id / self.file if self.file else root / self.folder / f"{study_id}.json"

    def files(self, root: Path) -> list[Path]:
        """Return the files of all studies below a root."""
        return sorted((root / self.folder).glob(f"*/{self.file}" if self.file else "*.json"))

    def all(self, store: Store) -> tuple[list[StudyT], list[Problem]]:
        """Return the studies of a store and those that ship, oldest first, and the files that cannot be read."""
        found: dict[str, StudyT] = {}
        problems = []
        for root in reversed(store.roots):  # the user's own hides the one that ships
            for path in self.files(root):
                try:
                    found[self._id(path)] = self._read(path)
                except StoreError as error:
                    problems.append(Problem(path, str(error)))
        return sorted(found.values(), key=lambda study: (study.created_at, study.id)), problems

    def get(self, store: Store, study_id: str) -> StudyT:
        """Return the study with exactly this id.

        Raises
        ------
        RunNotFound
            where there is none.
        StoreError
            where its file is damaged.
        """
        for root in store.roots:
            if study_id.isalnum() and self.path(root, study_id).is_file():
                return self._read(self.path(root, study_id))
        raise RunNotFound(f"there is no {self.word} {study_id!r} in {store.root}")

    def find(self, store: Store, text: str) -> StudyT:
        """Return the study that `text` means: an id, the beginning of one (4 characters or more), or a name.

        Of several the newest. Raises RunNotFound where there is none; the message lists them.
        """
        known = self.all(store)[0]
        found = [study for study in known if text in (study.id, study.name)]
        if not found and len(text) >= 4:
            found = [study for study in known if study.id.startswith(text)]
        if not found:
            listed = ", ".join(f"{study.id} ({study.name}, {study.dataset})" for study in known) or "none yet"
            raise RunNotFound(f"no {self.word} is called {text!r} in {store.root}; there are: {listed}")
        return found[-1]

    def put(self, store: Store, study: StudyT) -> None:
        """Write a study into the user's store, in place of the one with its id. Raises WriteError."""
        path = self.path(store.root, study.id)
        make_folder(path.parent)
        assert isinstance(study, BaseModel)
        write_json(path, study.model_dump(mode="json"))

    def forget(self, store: Store, study_id: str) -> None:
        """Take a study off the list; its runs stay.

        Raises
        ------
        ReadOnlyRun
            for one that ships.
        StoreError
            while a process is carrying it out.
        """
        study = self.get(store, study_id)
        path = self.path(store.root, study_id)
        if not path.is_file():
            raise ReadOnlyRun(f"the {self.word} {study.name} ships with the project and stays on the list")
        if study.carried_out(store):
            raise StoreError(f"the {self.word} {study.name} is being carried out; cancel it first")
        store.check("delete")
        with writing(path):
            path.unlink()
        if self.file:
            shutil.rmtree(path.parent, ignore_errors=True)  # its log, and who carried it out

    def _id(self, path: Path) -> str:
        return path.parent.name if self.file else path.stem

    def _read(self, path: Path) -> StudyT:
        try:
            study = self._parse(read_json(path))
            if study.id != self._id(path):
                raise ValueError(f"it holds the {self.word} {study.id}")
            self.check(study)
            return study
        except (OSError, ValueError) as error:
            remedy = "delete its folder" if self.file else "delete the file"
            called = printable(self._id(path))
            raise StoreError(f"the {self.word} {called} is damaged: {damage(path, error)}; {remedy}") from error

    def _parse(self, data: Any) -> StudyT:
        model: Any = self.model
        parsed: StudyT = model.model_validate(data)
        return parsed
