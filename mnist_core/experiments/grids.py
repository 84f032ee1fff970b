"""Grids: what a sweep trains, described in a few readable lines.

    name = "dropout by width"
    base = "notebook/model_1"            # a preset, or a whole configuration as a table

    [fixed]                              # changes of the base that all runs share
    "training.epochs" = 5

    [grid]                               # every combination is a run
    "stack.units" = [32, 64, 128]
    "model.layers.*.dropout" = [0.0, 0.2, 0.4]

An axis is a field of the configuration by its dotted path, structures such as `model.layers` included; ``*`` stands for
every layer. `stack.*` builds the hidden layers again from a first width (`units`), a `depth` and a `ratio` from each
width to the next, so that 0.5 halves them. An axis without a dot in its name is linked: its values are tables of
fields that change together.
"""

from __future__ import annotations

import itertools
import json
import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, ValidationError, field_validator

from mnist_core.errors import ConfigError
from mnist_core.experiments.axis_words import point_words
from mnist_core.experiments.configs import RunConfig, with_values
from mnist_core.experiments.frozen import Frozen, explain
from mnist_core.experiments.presets import preset
from mnist_core.experiments.settings import LAYER_SETTINGS, SETTINGS, Setting, settings_of, values_of
from mnist_core.experiments.stack import Stack
from mnist_core.files import parse_json, printable, read_bytes

MOST_RUNS = 1000


def axes(base: RunConfig) -> dict[str, Setting]:
    """Return the settings that a sweep over `base` can vary, by path; ``*`` stands for every layer."""
    values = values_of(base)
    found = {
        path: item
        for path, item in SETTINGS.items()
        if path.startswith("training.") and path.count(".") == 1 and item.parts is None and item.shown(values)
    }
    fields = [LAYER_SETTINGS[layer.kind] for layer in base.model.layers]
    found |= {item.path: item for name, item in fields[0].items() if all(name in other for other in fields)}
    return found | settings_of(Stack, "stack.")


class SweepSpec(Frozen):
    """The specification of a sweep; the top of this module describes its form.

    source, note, assumptions: as for a preset.
    """

    kind: ClassVar[Literal["sweep"]] = "sweep"

    name: str = Field(min_length=1, max_length=60)
    base: str | RunConfig
    fixed: dict[str, Any] = Field(default_factory=dict)
    grid: dict[str, tuple[Any, ...]] = Field(min_length=1)
    source: str = ""
    note: str = ""
    assumptions: tuple[str, ...] = ()

    @field_validator("grid")
    @classmethod
    def _axes_have_values(cls, grid: dict[str, tuple[Any, ...]]) -> dict[str, tuple[Any, ...]]:
        for name, values in grid.items():
            if not values:
                raise ValueError(f"the axis {name!r} has no values; give at least one")
            if "." not in name and not all(isinstance(value, dict) and value for value in values):
                raise ValueError(
                    f"the axis {name!r} is no path of a field, such as training.{name}; "
                    "a linked axis needs tables of fields as its values"
                )
        return grid

    def with_fixed(self, values: Mapping[str, Any]) -> SweepSpec:
        """Return a copy with more fixed values, which take the place of an axis of the same name."""
        grid = {name: axis for name, axis in self.grid.items() if name not in values}
        try:
            return SweepSpec.model_validate(
                self.model_dump(mode="json") | {"grid": grid, "fixed": {**self.fixed, **values}}
            )
        except ValidationError as error:
            raise ConfigError(explain(error)) from None

    def base_config(self) -> RunConfig:
        """Return the configuration that the grid changes."""
        return self.base if isinstance(self.base, RunConfig) else preset(self.base).config


@dataclass(frozen=True)
class Point:
    """One combination of a grid: its values by path, linked ones separated, and the configuration of its run."""

    values: dict[str, Any]
    config: RunConfig


def expand(spec: SweepSpec) -> list[Point]:
    """Return all combinations, the last axis changing fastest.

    Raises
    ------
    ConfigError
        for more than MOST_RUNS combinations, an unknown path, or a value out of bounds, naming the combination.
    """
    size = math.prod(len(values) for values in spec.grid.values())
    if size > MOST_RUNS:
        raise ConfigError(f"the sweep {spec.name} has {size:,} combinations; at most {MOST_RUNS:,} are trained at once")
    points = []
    for combination in itertools.product(*spec.grid.values()):
        values: dict[str, Any] = {}
        for name, value in zip(spec.grid, combination, strict=True):
            values |= value if "." not in name else {name: value}
        try:
            points.append(Point(values, apply_point(spec.base_config(), spec.fixed, values)))
        except ConfigError as error:
            raise ConfigError(f"the sweep {spec.name}, at {point_words(values, spec.base_config())}: {error}") from None
    return points


def apply_point(base: RunConfig, fixed: Mapping[str, Any], values: Mapping[str, Any]) -> RunConfig:
    """Return `base` with the fixed values, and then those of one point; raises ConfigError."""
    stack: dict[str, Any] = {}
    # a point that builds the layers again does so from the fixed values too
    if any(path.startswith("stack.") for path in values):
        stack = {path: value for path, value in fixed.items() if path.startswith("stack.")}
    return apply_values(apply_values(base, fixed), {**stack, **values})


def apply_values(config: RunConfig, values: Mapping[str, Any]) -> RunConfig:
    """Return `config` with values by dotted path; ``*`` stands for each layer, ``stack.…`` builds all layers again.

    Raises
    ------
    ConfigError
        as `with_values`.
    """
    stack = {path.removeprefix("stack."): value for path, value in values.items() if path.startswith("stack.")}
    if stack:
        try:
            layers = Stack.model_validate(stack).layers()
        except ValidationError as error:
            raise ConfigError(f"stack: {explain(error)}") from None
        config = with_values(config, {"model.layers": layers})
    plain: dict[str, Any] = {}
    for path, value in values.items():
        if path.startswith("stack."):
            continue
        head, star, tail = path.partition(".*.")
        if not star:
            plain[path] = value
        elif head != "model.layers":
            raise ConfigError(f"{path}: * stands for each layer only, as in model.layers.*.dropout")
        else:
            plain |= {f"{head}.{index}.{tail}": value for index in range(len(config.model.layers))}
    # a structure first, so that a field inside it is that of the new structure
    return with_values(config, dict(sorted(plain.items(), key=lambda item: item[0].count("."))))


# -- reading a spec ----------------------------------------------------------------------------------------------------


def parse_spec(data: Mapping[str, Any]) -> SweepSpec:
    """Return a spec from plain data, all its combinations checked.

    Raises
    ------
    ConfigError
        saying what is wrong, and where.
    """
    try:
        spec = SweepSpec.model_validate(data)
    except ValidationError as error:
        raise ConfigError(explain(error)) from None
    expand(spec)
    return spec


def sweep_spec(text: str) -> SweepSpec:
    """Return the published sweep of this name, or the one described by a TOML or JSON file.

    Raises
    ------
    ConfigError
        where there is neither, or the file is wrong.
    """
    return SWEEPS[text] if text in SWEEPS else parse_spec(read_table(text, "sweep", SWEEPS))


def read_table(text: str, what: str, published: Iterable[str]) -> dict[str, Any]:
    """Return the specification in a TOML or JSON file, which is its name where it gives none.

    text: the path. what: a sweep or a search, and published: the names of those, for whoever meant one of them.
    Raises ConfigError.
    """
    path = Path(text)
    if path.suffix not in (".toml", ".json"):
        raise ConfigError(
            f"there is no {what} {text!r}; there are {', '.join(published)}, or give a file that ends in .toml or .json"
        )
    try:
        content = read_bytes(path)
        data = parse_json(_from_toml(content) if path.suffix == ".toml" else content)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{printable(path)} cannot be read: {printable(error)}") from None
    if not isinstance(data, dict):
        raise ConfigError(f"{path} holds a {type(data).__name__}; it must hold one table")
    return {"name": path.stem[:60]} | data


def _from_toml(content: bytes) -> str:
    """Return TOML as JSON, which has no dates and no NaN, so that both are checked in one way; raises ValueError."""
    try:
        return json.dumps(tomllib.loads(content.decode()), allow_nan=False)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except TypeError:
        raise ValueError("it holds a date or a time, which no setting is") from None


# -- the published ones ------------------------------------------------------------------------------------------------

_PAIRS = ((10, 5), (25, 10), (50, 20), (100, 40), (175, 70), (250, 100), (500, 200), (800, 320), (1200, 480))

_ALL = (
    SweepSpec(
        name="tuning/grid_90",
        base="tuning/baseline",
        grid={
            "stack.units": (32, 64, 128, 256, 512),
            "stack.ratio": (1.0, 0.5),
            "stack.depth": (2, 3, 4),
            "stack.activation": ("relu", "elu", "tanh"),
        },
        source="study of hyperparameter tuning on MNIST",
        note="90 dense networks, of which the best is chosen by validation; a ratio of 0.5 halves each width",
        assumptions=(
            "batch size 32, the Keras default (not stated)",
            "5 epochs, as the source's baseline (not stated)",
        ),
    ),
    SweepSpec(
        name="coursera/lambda",
        base="coursera/first",
        grid={"model.layers.*.l2": (0.0, 0.001, 0.01, 0.05, 0.1, 0.2, 0.3)},
        source="course exercise extended from handwritten digits to MNIST",
        note="L2 on a 25-15 network: training and test error both rise with it",
        assumptions=(
            "the values between 0 and 0.3 (not stated)",
            "Adam at the Keras default rate 0.001, batch size 32 and 20 epochs (not stated)",
        ),
    ),
    SweepSpec(
        name="coursera/neurons",
        base="coursera/best_mlp",
        grid={
            "widths": tuple({"model.layers.0.units": first, "model.layers.1.units": second} for first, second in _PAIRS)
        },
        source="course exercise extended from handwritten digits to MNIST",
        note="two layers from 10-5 to 1200-480: both errors fall, and the test error levels off at about 250 neurons",
        assumptions=(
            "the widths in between, at the ratio 1200 to 480 (not stated)",
            "Adam at the Keras default rate 0.001, batch size 32 and 20 epochs (not stated)",
        ),
    ),
)

SWEEPS: dict[str, SweepSpec] = {spec.name: spec for spec in _ALL}
