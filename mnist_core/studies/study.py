"""The common part of sweeps and searches: many runs that are requested, followed and stopped together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from mnist_core.comparison.selection import StudyKind
from mnist_core.experiments.grids import SweepSpec
from mnist_core.experiments.spaces import Metric, SearchSpec
from mnist_core.jobs.runners import Runner
from mnist_core.runs.reader import PLAIN, Reader
from mnist_core.runs.run import Run, Runs
from mnist_core.runs.store import Store
from mnist_core.studies.progress import StudyProgress

if TYPE_CHECKING:
    import pandas as pd

StudyState = Literal["complete", "running", "stopped"]


class Candidates(NamedTuple):
    """What a study has to choose among.

    metric: what it chooses by. penalised: whether a loss counts with the L2 penalty. done: run id and figure, where
    there is one. size: how many there are. winner: the id of the run with the best figure; None of fewer than two.
    """

    metric: Metric
    penalised: bool
    done: list[tuple[str, float]]
    size: int
    winner: str | None


class Study(Protocol):
    """A sweep or a search, as its file describes it."""

    @property
    def kind(self) -> StudyKind:
        """Which of the two it is."""

    @property
    def id(self) -> str:
        """12 hexadecimal digits."""

    @property
    def name(self) -> str:
        """The name of its spec."""

    @property
    def dataset(self) -> str:
        """The name of its dataset; of several, with commas between."""

    @property
    def created_at(self) -> float:
        """Time of its request, in Unix seconds."""

    @property
    def spec(self) -> SweepSpec | SearchSpec:
        """The specification that was requested."""

    @property
    def optimistic(self) -> bool:
        """True if it chooses by results on the test set, which are then no longer those of unseen images."""

    @property
    def run_ids(self) -> list[str]:
        """The runs that it has so far, each once, in the order of asking."""

    @property
    def size(self) -> str:
        """Planned size in words, such as ``90 runs``."""

    @property
    def settings(self) -> int:
        """How many settings it varies, where those that change together count as one."""

    def candidates(self, everything: Sequence[Run]) -> Candidates:
        """Return what it has to choose among so far; `everything`: all runs of the store."""

    def progress(self, runs: Runs) -> StudyProgress:
        """Return how far it is."""

    def state(self, store: Store) -> StudyState:
        """Return whether something is left to train, and whether it is being trained."""

    def carried_out(self, store: Store) -> bool:
        """True if a separate process is carrying it out, which requests runs and decides about them."""

    def table(self, runs: Runs, *, reader: Reader = PLAIN, reveal: bool = False) -> pd.DataFrame:
        """Return the results of its runs; with `reveal`, with their test figures, which the caller counts."""

    def resume(self, store: Store, runner: Runner) -> None:
        """Have trained what is not finished; nothing is trained twice."""

    def cancel(self, store: Store, runner: Runner) -> None:
        """Ask all of it to stop; it can be resumed."""
