"""The messages between a store server and the machines that send runs to it: JSON, and files with their hashes.

    POST /v1/recorded                              NewRun → Claimed: make a run from outside, and claim it
    POST /v1/runs/ID/REQUESTS/claim                AttemptClaim → a zip file with what the run's folder needs
    POST /v1/runs/ID/REQUESTS/heartbeat            Heartbeat → Wishes
    PUT  /v1/runs/ID/REQUESTS/files/NAME           a file, with its hash in the header Content-Digest (RFC 9530)
    POST /v1/runs/ID/REQUESTS/end                  End → {}: the server compares all hashes, then ends the run
    POST /v1/runs/ID/REQUESTS/release              Release → {}: the attempt is over, and the run did not end
    GET  /v1/runs/ID/REQUESTS/data                 the file of the data set

REQUESTS is `Status.requests`, so that the attempt of an earlier request is never taken for one of a later request.
Every request has a token (`Authorization: Bearer …`); those about a run, except the claim, also the secret of the
attempt (`X-Attempt`). Answers: 409 the attempt no longer holds the run; 410 there is nothing to train; 423 somebody
else trains the run; 401, 404, 405, 413 and 422 the request is refused; 408 and 5xx try again.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from mnist_core.experiments.frozen import Frozen
from mnist_core.runs.recorded import Recorded
from mnist_core.runs.records import LONGEST_NAME, LONGEST_TAG, MOST_TAGS, OTHER_PREDICTIONS, SCORES, Pause, SlowMotion
from mnist_core.runs.states import Ending

ATTEMPT_HEADER = "X-Attempt"
DIGEST_HEADER = "Content-Digest"
MOST_FILE_BYTES = 256 * 2**20
"""The largest file of a run that is sent."""
MOST_MESSAGE_BYTES = 8 * 2**20
MOST_OTHER_EPOCHS = 8
"""The most files `predictions-N.npz` of a run; a training makes two at most."""
MOST_ROWS = 10_000
"""The most epochs in one message; a longer history is sent in several."""
MOST_EPOCHS = 50_000
"""The most epochs of a run, where it states no smaller number: so many can be read again (`files.MOST_JSON_BYTES`)."""

HISTORY = "history.jsonl"
PREDICTIONS = "predictions.npz"
OF_TRAINED_RUNS = ("checkpoint.npz", "model.keras")
"""The files that a run from outside cannot have, as it has no configuration that they could be compared with."""
FOR_THE_NEXT_ATTEMPT = ("attempts.jsonl", "checkpoint.npz")
"""The files that are no results: they are for whoever goes on with the run."""
_SENT = ("environment.json", "error.txt", SCORES, PREDICTIONS, *OF_TRAINED_RUNS, *FOR_THE_NEXT_ATTEMPT)
_SENT_PATTERN = re.compile("|".join([*map(re.escape, _SENT), OTHER_PREDICTIONS]))
GIVEN = (
    "config.json", "meta.json", "status.json", HISTORY, "attempts.jsonl", "checkpoint.npz", "pause.json",
    "slow_motion.json", "cancel",
)  # fmt: skip
"""The files of a run that a claim is answered with, where they exist."""
GIVEN_OF_PARENT = ("config.json", "meta.json", "status.json", "model.keras")
"""The files of the run that it continues, for one that begins with those weights."""

RunId = Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def may_be_sent(name: str) -> bool:
    """True if a worker may send a file of this name."""
    return _SENT_PATTERN.fullmatch(name) is not None


def most_bytes(name: str) -> int:
    """Return the largest size that a file of this name may have."""
    return MOST_FILE_BYTES if name.endswith((".npz", ".keras")) else MOST_MESSAGE_BYTES


def sha256(content: bytes) -> str:
    """Return 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def digest(content: bytes) -> str:
    """Return the value of the header Content-Digest."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(content).digest()).decode()}:"


class Tokens:
    """The tokens of a store server. Each is for one purpose, and follows from the server's secret.

    secret: known to the server, and to whoever may read the file of the account that it belongs to.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def _of(self, purpose: str) -> str:
        return hmac.new(self._secret, purpose.encode(), hashlib.sha256).hexdigest()

    @property
    def recording(self) -> str:
        """The token with which runs from outside may be added."""
        return self._of("record runs")

    def training(self, run_id: str, requests: int) -> str:
        """Return the token with which one run may be trained, for one request of it."""
        return self._of(f"train {run_id} {requests}")


class AttemptClaim(Frozen):
    """attempt: 64 hexadecimal digits that the worker has drawn; the secret of its attempt."""

    attempt: Sha256


class NewRun(Frozen):
    """A run from outside, as `Store.add_recorded` takes it, and the attempt at it."""

    attempt: Sha256
    recorded: Recorded
    name: str = Field(min_length=1, max_length=LONGEST_NAME)
    tags: tuple[Annotated[str, Field(max_length=LONGEST_TAG)], ...] = Field((), max_length=MOST_TAGS)
    note: str = Field("", max_length=4000)
    fingerprint: str = Field(min_length=1, max_length=64)


class Claimed(Frozen):
    """The attempt holds the run.

    token: for all further messages about the run. lease: number of the attempt, from 1. requests: as `Status` has it.
    """

    run_id: RunId
    requests: int = Field(ge=0)
    lease: int = Field(ge=1)
    token: Sha256


class SentProgress(Frozen):
    """As `LiveProgress`, without the time, which the server adds by its own clock."""

    epoch: int = Field(ge=1)
    epochs: int = Field(ge=1, le=1_000_000)
    step: int = Field(ge=0)
    steps: int = Field(ge=0)
    loss: float | None
    accuracy: float | None
    seconds: float

    @model_validator(mode="after")
    def _is_within(self) -> Self:
        if self.epoch > self.epochs or self.step > self.steps:
            raise ValueError(
                f"epoch {self.epoch} of {self.epochs}, step {self.step} of {self.steps}: none may be above its number"
            )
        return self


class Heartbeat(Frozen):
    """A sign of life, and what is new.

    began: whether training has begun. rows: epochs as in `history.jsonl`, which take the place of all from `rows_from`
    (counted from 0) on; None for no change.
    """

    began: bool
    rows_from: int = Field(0, ge=0)
    rows: list[dict[str, Any]] | None = Field(None, max_length=MOST_ROWS)
    progress: SentProgress | None = None


class Wishes(Frozen):
    """The answer to a heartbeat: what people want of the run, and how many epochs the store has."""

    epochs: int = Field(ge=0)
    cancel: bool = False
    pause: Pause | None = None
    slow_motion: SlowMotion | None = None


class End(Frozen):
    """The attempt is over. files: SHA-256 by name of all that it has sent, with `history.jsonl`."""

    state: Ending
    reason: str = Field("", max_length=4000)
    best_epoch: int | None = Field(None, ge=1)
    kept_epoch: int | None = Field(None, ge=1)
    files: dict[str, Sha256] = Field(max_length=1000)


class Release(Frozen):
    """The attempt is over, and the run is interrupted; `reason` is why, where the worker knows it."""

    reason: str = Field("", max_length=500)
