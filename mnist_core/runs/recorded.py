"""The record of a run that was made outside: by `model.fit`, in another framework, or by hand.

Only its predictions are required. It has no configuration, so nothing here can train it again.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from mnist_core.constants import CLASSES, MOST_CLASSES
from mnist_core.errors import ConfigError
from mnist_core.experiments.frozen import Frozen, explain

DIGITS = tuple(str(digit) for digit in range(CLASSES))
"""The names of the classes of the digit datasets."""
OUTSIDE = "recorded from outside: no configuration"
"""The text shown in place of a configuration."""
NO_NETWORK = "it was recorded from outside, without its network"
NO_HISTORY = "It was recorded without a history of its epochs."
FORMAT = 1

Source = Literal["record", "keras", "file"]
"""The way a run was recorded: by `record`, by the Keras callback, or from a file."""


class LayerNote(Frozen):
    """A layer of a model as its own framework describes it. shape: of its output, in words."""

    name: str = Field(max_length=200)
    kind: str = Field(max_length=200)
    shape: str = Field("", max_length=200)
    parameters: int = Field(0, ge=0)


class Recorded(Frozen):
    """`config.json` of a run from outside, under the key `recorded`.

    dataset: what the test images are called. classes: the names of the classes, in the order of the columns.
    pictures: True if the images are those of a dataset that can be loaded here. images: 16 hexadecimal digits that
    stand for the test images, where they were given and are no such dataset's. content: 64 hexadecimal digits of a
    SHA-256 over the predictions, or of a random number where they come only at the end. parameters: how many numbers
    the model learned. epochs: how many were planned. The run's id follows from the data and `content` alone.
    """

    format: Literal[1] = 1
    source: Source = "record"
    framework: str = Field("", max_length=200)
    dataset: str = Field(min_length=1, max_length=64)
    classes: tuple[Annotated[str, Field(min_length=1, max_length=60)], ...] = Field(
        DIGITS, min_length=2, max_length=MOST_CLASSES
    )
    pictures: bool = False
    images: str | None = Field(None, pattern=r"^[0-9a-f]{16}$")
    content: str = Field(pattern=r"^[0-9a-f]{64}$")
    parameters: int | None = Field(None, ge=0)
    epochs: int | None = Field(None, ge=1, le=1_000_000)
    layers: tuple[LayerNote, ...] = Field((), max_length=1000)

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        twice = sorted({name for name in self.classes if self.classes.count(name) > 1})
        if twice:
            raise ValueError(f"two classes are called {twice[0]!r}; give each a name of its own")
        return self

    def run_id(self, fingerprint: str) -> str:
        """Return the run's identity: 12 hexadecimal digits of a SHA-256 over the data and the content."""
        return hashlib.sha256(f"recorded {FORMAT}\n{fingerprint}\n{self.content}".encode()).hexdigest()[:12]

    def words(self) -> str:
        """Return in a few words what the run is, such as ``recorded from outside: no configuration``."""
        return f"{OUTSIDE} ({self.framework})" if self.framework else OUTSIDE


def parse_recorded(data: Any) -> Recorded:
    """Return a Recorded from plain data; raise ConfigError with one sentence for each field that is wrong."""
    try:
        return Recorded.model_validate(data)
    except ValidationError as error:
        raise ConfigError(explain(error)) from None
