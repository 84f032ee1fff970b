"""Search spaces: what a search may try, described in a few readable lines, and what it tries next.

    base = "tuning/best_mlp"             # a preset, or a whole configuration as a table
    sampler = "tpe"                      # or "random"
    trials = 30

    [fixed]                              # as in a sweep
    "training.epochs" = 10

    [space]
    "stack.units" = { low = 32, high = 512, step = 32 }
    "stack.activation" = ["relu", "tanh"]
    "training.learning_rate" = { low = 1e-4, high = 1e-2, log = true }

    [hyperband]                          # optional; it decides the number of trials
    min_epochs = 1
    factor = 3

Fields are named as in a grid (see `grids`). The samplers are optuna's; nothing else knows it.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, ValidationError, model_validator

from mnist_core.errors import ConfigError
from mnist_core.experiments.configs import RunConfig
from mnist_core.experiments.frozen import Frozen, explain
from mnist_core.experiments.grids import apply_point, read_table
from mnist_core.experiments.presets import preset

Sampler = Literal["tpe", "random"]
Metric = Literal["val_loss", "val_accuracy"]


LARGEST = 10**12
"""The largest number of a range: far beyond what any field allows, and safe to reckon with."""


class Range(Frozen):
    """Numbers from `low` to `high`, both included: whole ones where both are, in steps of `step` where it is given."""

    low: int | float = Field(ge=-LARGEST, le=LARGEST)
    high: int | float = Field(ge=-LARGEST, le=LARGEST)
    step: int | float | None = Field(None, gt=0, le=LARGEST)
    log: bool = False

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low {self.low:g} is not below high {self.high:g}; swap them, or fix the field")
        if self.log and (self.low <= 0 or self.step is not None):
            raise ValueError("a logarithmic range needs low above 0, and takes no step")
        return self

    @property
    def whole(self) -> bool:
        """True if its numbers are integers."""
        return all(isinstance(value, int) for value in (self.low, self.high) if value is not None) and (
            self.step is None or isinstance(self.step, int)
        )


class Hyperband(Frozen):
    """Hyperband (Li et al. 2018): many trials for a few epochs, the best `1/factor` of them for `factor` times as many.

    A promoted trial goes on from where it was paused; nothing is trained twice.
    """

    min_epochs: int = Field(1, ge=1, le=LARGEST, description="epochs before the first choice")
    factor: int = Field(3, ge=2, le=10, description="of how many trials one is promoted")


@dataclass(frozen=True)
class Bracket:
    """One bracket of Hyperband: `trials` begin, and after each of `rungs` epochs the best are promoted."""

    trials: int
    rungs: tuple[int, ...]


def brackets(rule: Hyperband, epochs: int) -> list[Bracket]:
    """Return the brackets for trainings of `epochs` epochs, the one with the most and shortest trials first."""
    most, ratio = 0, epochs / rule.min_epochs
    while rule.factor ** (most + 1) <= ratio:
        most += 1
    found = []
    for halvings in range(most, -1, -1):
        trials = math.ceil((most + 1) / (halvings + 1) * rule.factor**halvings)
        rungs = tuple(max(1, round(epochs / rule.factor**left)) for left in range(halvings, -1, -1))
        found.append(Bracket(trials, rungs))
    return found


class SearchSpec(Frozen):
    """The specification of a search; the top of this module describes its form.

    trials: how many, without Hyperband. metric: the metric that ranks the trials, always on held-out images.
    source, note, assumptions: as for a preset.
    """

    kind: ClassVar[Literal["search"]] = "search"

    name: str = Field(min_length=1, max_length=60)
    base: str | RunConfig
    fixed: dict[str, Any] = Field(default_factory=dict)
    space: dict[str, Range | tuple[Any, ...]] = Field(min_length=1)
    sampler: Sampler = "tpe"
    trials: int = Field(30, ge=1, le=1000)
    hyperband: Hyperband | None = None
    metric: Metric = "val_loss"
    seed: int = Field(0, ge=0, le=2**31 - 1)
    source: str = ""
    note: str = ""
    assumptions: tuple[str, ...] = ()

    def base_config(self) -> RunConfig:
        """Return the configuration that the trials change."""
        return self.base if isinstance(self.base, RunConfig) else preset(self.base).config

    def config(self, values: Mapping[str, Any]) -> RunConfig:
        """Return the configuration of a trial; raises ConfigError."""
        return apply_point(self.base_config(), self.fixed, values)

    def with_fixed(self, values: Mapping[str, Any]) -> SearchSpec:
        """Return a copy with more fixed values, which are then no longer searched; checked again."""
        space = {path: item for path, item in self.space.items() if path not in values}
        data = self.model_dump(mode="json")
        kept = {path: item for path, item in data["space"].items() if path in space}
        return parse_search(data | {"space": kept, "fixed": {**self.fixed, **values}})

    @property
    def dataset(self) -> str:
        """The dataset of all trials."""
        return self.config(extreme_values(self, 0)).dataset.name

    @property
    def epochs(self) -> int:
        """Epochs of a whole training."""
        return self.config(extreme_values(self, 0)).training.epochs

    @property
    def trial_count(self) -> int:
        """Number of trials planned."""
        if self.hyperband is None:
            return self.trials
        return sum(bracket.trials for bracket in brackets(self.hyperband, self.epochs))


def extreme_values(spec: SearchSpec, end: int) -> dict[str, Any]:
    """Return the first (`end` 0) or the last (-1) value of every field."""
    return {
        path: (item.low, item.high)[end] if isinstance(item, Range) else item[end] for path, item in spec.space.items()
    }


def parse_search(data: Mapping[str, Any]) -> SearchSpec:
    """Return a search from plain data, its extreme combinations checked.

    Raises
    ------
    ConfigError
        saying what is wrong, and where.
    """
    try:
        spec = SearchSpec.model_validate(data)
    except ValidationError as error:
        raise ConfigError(explain(error)) from None
    check(spec)
    return spec


def check(spec: SearchSpec) -> None:
    """Raise ConfigError where a search cannot be carried out, its extreme combinations tried."""
    empty = [path for path, item in spec.space.items() if not isinstance(item, Range) and not item]
    if empty:
        raise ConfigError(f"{empty[0]} has no values to choose from; give at least one")
    for path in {"training.epochs", "dataset.name"} & set(spec.space):
        raise ConfigError(f"{path} cannot be searched, as its values could not be compared; fix it")
    for end in (0, -1):
        config = spec.config(extreme_values(spec, end))
        if config.training.validation.source == "test":
            raise ConfigError(
                f"the search {spec.name} would choose by the test set, which must stay unseen; "
                'hold out training images, by training.validation={"source": "held_out", "fraction": 0.2}'
            )
    if spec.hyperband and spec.hyperband.min_epochs * spec.hyperband.factor > spec.epochs:
        raise ConfigError(
            f"hyperband cannot promote from {spec.hyperband.min_epochs} epochs by a factor of {spec.hyperband.factor} "
            f"within {spec.epochs}; raise training.epochs, or lower one of the two"
        )


def holds(spec: SearchSpec, values: Mapping[str, Any]) -> bool:
    """True if the values of a trial lie in the space of a search."""
    return set(values) == set(spec.space) and all(_lies_in(spec.space[path], value) for path, value in values.items())


def _lies_in(item: Range | tuple[Any, ...], value: Any) -> bool:
    if not isinstance(item, Range):
        return _text(value) in map(_text, item)
    if isinstance(value, bool) or not isinstance(value, int if item.whole else int | float):
        return False
    # the same rule as optuna's, which refuses anything else
    steps = (value - item.low) / item.step if item.step else 0.0
    return bool(item.low <= value <= item.high) and abs(steps - round(steps)) < 1e-8


def search_spec(text: str) -> SearchSpec:
    """Return the published search of this name, or the one described by a TOML or JSON file; raises ConfigError."""
    return SEARCHES[text] if text in SEARCHES else parse_search(read_table(text, "search", SEARCHES))


# -- what to try next --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Observation:
    """A trial as the sampler sees it: its values and their result, None while that is unknown."""

    values: Mapping[str, Any]
    value: float | None
    epochs: int = 0
    pruned: bool = False


def suggest(spec: SearchSpec, observations: Sequence[Observation]) -> dict[str, Any]:
    """Return the values of the next trial; they depend on spec and observations only, so a search can be resumed."""
    import optuna

    distributions = _distributions(spec)
    seed = (spec.seed * 1_000_003 + len(observations)) % 2**32  # another draw for each trial
    samplers = optuna.samplers
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that an option is experimental
        sampler = samplers.RandomSampler(seed) if spec.sampler == "random" else samplers.TPESampler(seed=seed)
        trial = _study(spec, observations, sampler).ask(distributions)
    return {path: _decoded(spec, path, trial.params[path]) for path in spec.space}


def importances(spec: SearchSpec, observations: Sequence[Observation]) -> dict[str, float]:
    """Return each field's share of the variance (fANOVA, Hutter et al. 2014), greatest first; they add up to 1.

    Empty if fewer than four trials have a value, or all have the same.
    """
    import optuna

    known = [
        Observation(item.values, item.value)
        for item in observations
        if item.value is not None and math.isfinite(item.value)
    ]
    if len(known) < 4 or len({item.value for item in known}) == 1:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
        found = optuna.importance.get_param_importances(_study(spec, known, None), evaluator=evaluator)
    return {str(path): float(value) for path, value in found.items()}


def _study(spec: SearchSpec, observations: Sequence[Observation], sampler: Any) -> Any:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="minimize" if spec.metric == "val_loss" else "maximize", sampler=sampler)
    states, distributions = optuna.trial.TrialState, _distributions(spec)
    for item in observations:
        known = item.value is not None and math.isfinite(item.value)
        reached = {item.epochs: item.value} if item.value is not None and known else {}
        state = (states.PRUNED if item.pruned else states.COMPLETE) if known else states.FAIL
        study.add_trial(
            optuna.trial.create_trial(
                params={path: _encoded(spec, path, item.values[path]) for path in spec.space},
                distributions=distributions,
                value=item.value if state == states.COMPLETE else None,
                intermediate_values=reached,
                state=state,
            )
        )
    return study


def _distributions(spec: SearchSpec) -> dict[str, Any]:
    from optuna import distributions as kinds

    found: dict[str, Any] = {}
    for path, item in spec.space.items():
        if not isinstance(item, Range):
            found[path] = kinds.CategoricalDistribution([_text(value) for value in item])
        elif item.whole:
            found[path] = kinds.IntDistribution(int(item.low), int(item.high), log=item.log, step=int(item.step or 1))
        else:
            found[path] = kinds.FloatDistribution(item.low, item.high, log=item.log, step=item.step)
    return found


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _encoded(spec: SearchSpec, path: str, value: Any) -> Any:
    return value if isinstance(spec.space[path], Range) else _text(value)


def _decoded(spec: SearchSpec, path: str, value: Any) -> Any:
    return value if isinstance(spec.space[path], Range) else json.loads(value)


# -- the published ones ------------------------------------------------------------------------------------------------

_ALL = (
    SearchSpec(
        name="tuning/hyperband_mlp",
        base="tuning/best_mlp",
        fixed={"training.epochs": 27, "training.early_stopping": None},
        space={
            "stack.units": Range(low=32, high=512, step=32),
            "stack.depth": Range(low=1, high=4),
            "stack.ratio": (1.0, 0.5),
            "stack.activation": ("relu", "elu", "tanh"),
            "stack.dropout": Range(low=0.0, high=0.5, step=0.1),
            "training.learning_rate": Range(low=1e-4, high=1e-2, log=True),
        },
        sampler="random",
        hyperband=Hyperband(),
        source="study of hyperparameter tuning on MNIST",
        note="fully connected networks, by Hyperband",
        assumptions=(
            "the space: that of the same source's grid, with dropout and the learning rate (not stated)",
            "at most 27 epochs, of which a third is kept at each rung (not stated)",
            "batch size 32, the Keras default (not stated)",
        ),
    ),
    SearchSpec(
        name="tuning/bayes_cnn",
        base="coursera/cnn",
        fixed={"training.epochs": 4, "training.validation": {"source": "held_out", "count": 10_000}},
        space={
            "model.layers.0.filters": Range(low=8, high=32, step=8),
            "model.layers.0.kernel": (3, 5),
            "model.layers.2.filters": Range(low=16, high=64, step=16),
            "model.layers.2.kernel": (3, 5),
            "model.layers.4.units": Range(low=32, high=256, step=32),
            "model.layers.4.dropout": Range(low=0.0, high=0.5, step=0.1),
            "training.learning_rate": Range(low=3e-4, high=1e-2, log=True),
        },
        sampler="tpe",
        trials=20,
        source="study of hyperparameter tuning on MNIST",
        note="convolutional networks, by Bayesian optimisation: a Tree-structured Parzen Estimator (TPE) proposes "
        "each trial from the results of those before",
        assumptions=(
            "the space: two convolutions, each with pooling, and a dense layer (not stated)",
            "20 trials of 4 epochs, so that a laptop can do it in minutes (not stated)",
            "no augmentation and no early stopping (not stated)",
            "10,000 training images held out to choose by, as in the source's other trainings",
            "Adam, batch size 128 (not stated)",
        ),
    ),
)

SEARCHES: dict[str, SearchSpec] = {spec.name: spec for spec in _ALL}
