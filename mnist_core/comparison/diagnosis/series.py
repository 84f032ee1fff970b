"""Curves as the diagnosis reads them: the columns of a history, means over windows, noise, and swings.

A validation loss moves up and down from epoch to epoch by chance, and one epoch's chance often lasts into the next. The
standard errors here allow for both.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnist_core.errors import ConfigError
from mnist_core.runs.records import FROM_FILE, HISTORY_COLUMNS, EpochRow

if TYPE_CHECKING:
    import pandas as pd

SeriesValues = NDArray[np.float64]

WINDOW_SHARE, WINDOW_LEAST, WINDOW_MOST = 5, 2, 7
"""A mean is taken over a fifth of the epochs, from 2 to 7: longer ones would blur the epoch where the loss turns."""
NOISE_LEAST = 6
"""Fewer epochs do not give a noise estimate."""
SWING = math.log(1.5)
"""A swing is a change of the loss by a factor of 1.5 or more before it turns back. Shipped runs on MNIST have none
after their first fall."""
FLOOR = 1e-3
"""Losses below a thousandth of a nat count as that: a factor between two of them means nothing."""
NEEDED_COLUMNS = ("loss", "val_loss")


@dataclass(frozen=True, eq=False)
class History:
    """The columns of one history.

    epochs: int, shape (n,), from 1. columns: name as in EpochRow → float64, shape (n,); `loss` and `val_loss` always.
    """

    epochs: NDArray[np.int64]
    columns: Mapping[str, SeriesValues]

    def __len__(self) -> int:
        return len(self.epochs)

    def __getitem__(self, name: str) -> SeriesValues:
        return self.columns[name]

    def __contains__(self, name: str) -> bool:
        return name in self.columns

    @property
    def training_column(self) -> str:
        """The training loss to compare with `val_loss`: the one measured with dropout off, if the history has it."""
        return "train_eval_loss" if "train_eval_loss" in self.columns else "loss"

    def only(self, kept: Any) -> History:
        """Return the epochs that a slice or a mask selects."""
        return History(self.epochs[kept], {name: values[kept] for name, values in self.columns.items()})

    def finite_part(self) -> History:
        """Return the epochs before the first one in which a loss, or an accuracy, is not finite."""
        checked = [
            self.columns[name]
            for name in ("loss", "val_loss", "train_eval_loss", "accuracy", "val_accuracy", "train_eval_accuracy")
            if name in self.columns
        ]
        broken = np.flatnonzero(~np.isfinite(np.stack(checked)).all(axis=0))
        return self.only(slice(0, int(broken[0]) if len(broken) else len(self)))


def read_history(history: pd.DataFrame | Mapping[str, Sequence[float]] | Sequence[EpochRow]) -> History:
    """Return the columns of a history.

    Parameters
    ----------
    history
        a DataFrame or mapping of columns with at least `loss` and `val_loss`, one value an epoch, such as
        `pandas.DataFrame(model.fit(…).history)`; or rows. `epoch` counts from 1 where it is given.

    Raises
    ------
    ConfigError
        if a column is missing, or is not made of numbers.
    """
    if isinstance(history, Sequence):
        columns: dict[str, Any] = {name: [getattr(row, name) for row in history] for name in HISTORY_COLUMNS}
    else:
        table: Any = history
        columns = {FROM_FILE.get(str(name), str(name)): table[name] for name in list(table)}
    missing = [name for name in NEEDED_COLUMNS if name not in columns]
    if missing:
        raise ConfigError(
            f"a history needs the columns {' and '.join(NEEDED_COLUMNS)}; this one has "
            f"{', '.join(columns) or 'no columns'}; add {' and '.join(missing)}"
        )
    arrays: dict[str, SeriesValues] = {}
    for name in ("epoch", *HISTORY_COLUMNS):
        if name in columns:
            try:
                arrays[name] = np.asarray(columns[name], dtype=np.float64).reshape(-1)
            except (TypeError, ValueError) as error:
                raise ConfigError(f"the column {name} of a history is not made of numbers ({error})") from None
    count = len(arrays["loss"])
    odd = [name for name, values in arrays.items() if len(values) != count]
    if odd:
        raise ConfigError(
            f"the column {odd[0]} has {len(arrays[odd[0]])} values and loss has {count}; give one an epoch"
        )
    epochs = arrays.pop("epoch", np.arange(1.0, count + 1))
    for name in ("loss", "val_loss", "train_eval_loss"):
        if name in arrays and (arrays[name] < 0).any():
            raise ConfigError(f"{name} is {arrays[name].min():g} in a history; a cross-entropy is never below 0")
    if count and (not np.isfinite(epochs).all() or (np.diff(epochs) <= 0).any() or epochs[0] < 1):
        raise ConfigError("the column epoch must count upwards from 1; sort the history, or leave epoch out")
    return History(epochs.astype(np.int64), arrays)


class CurveNoise(NamedTuple):
    """The variation of a curve around its trend.

    sd: standard deviation, in the units of the curve. autocorrelation: between neighbouring epochs, 0 to 0.8.
    """

    sd: float
    autocorrelation: float

    def error(self, window: int) -> float:
        """Return the standard error of the difference of the means of two windows of so many epochs.

        The variance of a mean of w values with autocorrelation ρ is σ²/w · (1 + 2 Σ (1 − k/w) ρᵏ), k from 1 to w − 1.
        """
        lags = np.arange(1, window)
        more = 1 + 2 * float(((1 - lags / window) * self.autocorrelation**lags).sum())
        return self.sd * math.sqrt(2 / window * more)


def noise_of(values: SeriesValues) -> CurveNoise:
    """Return the noise of a curve, from its last two thirds, where it bends least.

    Two estimates of the standard deviation are made, and the larger holds: from the second differences (variance 6σ²
    for independent noise; a smooth trend hardly counts), and from the residuals of a cubic (which also contain slow
    noise). The autocorrelation of residuals is biased downwards by about one over their number for each parameter that
    was fitted, which is added back. Few values tell little, so the standard deviation is taken larger then, by 1 + 2/m.
    """
    late = values[min(len(values) // 3, max(0, len(values) - NOISE_LEAST)) :]
    count = len(late)
    if count < 4:
        return CurveNoise(float(np.std(late)) if count else 0.0, 0.0)
    second = np.diff(late, 2)
    by_differences = 1.4826 * float(np.median(np.abs(second))) / math.sqrt(6) * (1 + 2 / len(second))
    degree = max(1, min(3, (count - 2) // 2))
    places = np.linspace(-1, 1, count)
    residuals = late - np.polynomial.Polynomial.fit(places, late, degree)(places)
    free = count - degree - 1
    by_residuals = float(np.sqrt((residuals**2).sum() / free)) * (1 + 1 / free)
    power = float((residuals**2).sum())
    measured = float((residuals[1:] * residuals[:-1]).sum()) / power if power > 0 else 0.0
    # with few values this is mere chance: an autocorrelation must be clear to count in full
    corrected = measured + (degree + 1) / count
    return CurveNoise(max(by_differences, by_residuals), min(0.8, max(0.0, corrected)))


class Series:
    """A curve that moves up and down by chance, and means over windows of it.

    values: shape (n,). epochs: shape (n,). window: epochs that a mean is taken over. means: shape (n − window + 1,), by
    the first epoch of the window. noise: around the trend. error: standard error of the difference of two means.
    """

    def __init__(self, values: SeriesValues, epochs: NDArray[np.int64], window: int | None = None) -> None:
        self.values, self.epochs = values, epochs
        self.window = window or window_of(len(values))
        self.means = np.convolve(values, np.full(self.window, 1 / self.window), mode="valid")
        self.noise = noise_of(values)
        self.error = self.noise.error(self.window)

    @property
    def best(self) -> int:
        """Index of the window with the lowest mean; the last of several that are equal."""
        return len(self.means) - 1 - int(self.means[::-1].argmin())

    @property
    def turn(self) -> int:
        """The epoch with the lowest value in the middle of the window with the lowest mean.

        The ends are left out, since a single low value there is more likely chance than the bottom of the valley.
        """
        edge = self.window // 4
        start = self.best + edge
        return int(self.epochs[start + int(self.values[start : self.best + self.window - edge].argmin())])

    @property
    def low(self) -> float:
        """The lowest mean."""
        return float(self.means[self.best])

    @property
    def last(self) -> float:
        """Mean of the last window."""
        return float(self.means[-1])


def window_of(count: int) -> int:
    """Return how many epochs of so many a mean is taken over."""
    return max(WINDOW_LEAST, min(WINDOW_MOST, count // WINDOW_SHARE))


def logarithms(values: SeriesValues) -> SeriesValues:
    """Return the logarithms of losses, none below that of FLOOR."""
    found: SeriesValues = np.log(np.maximum(values, FLOOR))
    return found


def pivots(values: SeriesValues, least: float = SWING) -> list[int]:
    """Return the indices where a curve turns, such that it moves by at least `least` between neighbours.

    The curve is that of the logarithms of `values`, so that `least` is a factor. The first index is 0 and the last one
    is the furthest point of the last move; a curve that never moves so far has no pivots.
    """
    logs = logarithms(values)
    found: list[int] = []
    low = high = furthest = direction = 0
    for index in range(len(logs)):
        if direction == 0:
            low = index if logs[index] < logs[low] else low
            high = index if logs[index] > logs[high] else high
            if logs[index] - logs[low] >= least:
                found, direction, furthest = [low], 1, index
            elif logs[high] - logs[index] >= least:
                found, direction, furthest = [high], -1, index
        elif direction * (logs[index] - logs[furthest]) >= 0:
            furthest = index
        elif direction * (logs[furthest] - logs[index]) >= least:
            found.append(furthest)
            furthest, direction = index, -direction
    return [*found, furthest] if direction else []


class Spike(NamedTuple):
    """A rise that went away again, as indices into the curve.

    low: where the curve turned upwards. start, end: next to the spike, outside of it. peak: its highest.
    """

    low: int
    start: int
    peak: int
    end: int


def spikes_of(values: SeriesValues, turns: Sequence[int]) -> list[Spike]:
    """Return the rises by a factor of 1.5 or more that came back to within a quarter of where they had begun."""
    found: list[Spike] = []
    for start, peak, bottom in zip(turns, turns[1:], turns[2:], strict=False):
        before = max(values[start], FLOOR)
        if values[peak] <= values[start] or values[bottom] > RECOVERED * before:
            continue
        end = next(index for index in range(peak, bottom + 1) if values[index] <= RECOVERED * before)
        first = next(index for index in range(peak, start - 1, -1) if values[index] <= RECOVERED * before)
        if end - first <= len(values) // 2:
            found.append(Spike(start, first, peak, end))
    return found


RECOVERED = 1.25
"""A spike is over where the loss is back within a quarter of where it began."""
