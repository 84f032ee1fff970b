"""Which of several trained runs is better than a baseline, whether that is real, and what the answer does not cover.

A verdict is about two trained networks and the same test images; `recipe_verdicts` compares recipes over their seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from mnist_core.comparison.comparability import Concern, concerns
from mnist_core.errors import ComparisonError
from mnist_core.evaluation.predictions import Predictions
from mnist_core.evaluation.statistics import (
    Agreement,
    Difference,
    accuracy_difference,
    agreement,
    holm,
    loss_difference,
    mcnemar_mid,
)
from mnist_core.experiments.configs import TestValidation
from mnist_core.runs.records import ChosenEpoch
from mnist_core.runs.run import Run

Outcome = Literal["better", "worse", "close"]
"""close: too close to call."""

ALPHA = 0.05
"""A difference counts where its p value, adjusted for the number of comparisons, is less."""

Ask = Callable[[Run], Predictions | None]


@dataclass(frozen=True)
class Verdict:
    """A run against the baseline, on the same test images. Differences are the run's minus the baseline's.

    epochs: those that are compared, the baseline's first; None where it is not known.
    accuracy: as a share of the images, with McNemar's exact p. loss: in nats, with the p of a paired t test.
    mid_p: McNemar's mid-p. comparisons: how many runs are compared with this baseline at once.
    p_adjusted, loss_p_adjusted: p values adjusted for that many (Holm); the outcomes follow from these.
    """

    baseline: str
    run: str
    epochs: tuple[int | None, int | None]
    table: Agreement
    accuracy: Difference
    mid_p: float
    loss: Difference
    comparisons: int
    p_adjusted: float
    loss_p_adjusted: float
    sentence: str
    loss_sentence: str
    limits: tuple[str, ...]
    concerns: tuple[Concern, ...]

    @property
    def outcome(self) -> Outcome:
        """By accuracy."""
        return outcome_of(self.accuracy.value, self.p_adjusted)

    @property
    def loss_outcome(self) -> Outcome:
        """By loss, of which less is better."""
        return outcome_of(-self.loss.value, self.loss_p_adjusted)

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        table = self.table._asdict() | {"images": self.table.images}
        return asdict(self) | {
            "table": table,
            "accuracy": difference_json(self.accuracy),
            "loss": difference_json(self.loss),
            "outcome": self.outcome,
            "loss_outcome": self.loss_outcome,
        }


@dataclass(frozen=True)
class Refusal:
    """A run that cannot be compared with the baseline, and why."""

    baseline: str
    run: str
    reason: str

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


@dataclass(frozen=True)
class Judgement:
    """All other runs against one baseline, in their order. chosen: the epoch whose predictions are compared."""

    baseline: str
    chosen: ChosenEpoch
    results: tuple[Verdict | Refusal, ...]

    @property
    def verdicts(self) -> list[Verdict]:
        """Of the runs that can be compared."""
        return [item for item in self.results if isinstance(item, Verdict)]

    @property
    def refusals(self) -> list[Refusal]:
        """The runs that cannot."""
        return [item for item in self.results if isinstance(item, Refusal)]

    def headline(self, names: Mapping[str, str]) -> str:
        """The verdicts in one sentence; empty where there are none."""
        verdicts = self.verdicts
        if len(verdicts) < 2:
            return verdicts[0].sentence if verdicts else ""
        parts = []
        for outcome, words in (("better", "better"), ("worse", "worse"), ("close", "too close to call")):
            members = [names.get(item.run, item.run) for item in verdicts if item.outcome == outcome]
            if members:
                parts.append(f"{_listed(members)} {'is' if len(members) == 1 else 'are'} {words}")
        return f"Against {names.get(self.baseline, self.baseline)}: {'; '.join(parts)}."

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "baseline": self.baseline,
            "epoch": self.chosen,
            "verdicts": [item.to_json() for item in self.verdicts],
            "refused": [item.to_json() for item in self.refusals],
        }


def judge(
    runs: Sequence[Run],
    baseline: Run,
    chosen: ChosenEpoch = "kept",
    *,
    names: Mapping[str, str] | None = None,
    predictions: Ask | None = None,
) -> Judgement:
    """Compare every other one of `runs` with `baseline`, image by image.

    Parameters
    ----------
    runs
        in the order of the answers; the baseline among them is passed over.
    baseline
        what they are measured against.
    chosen
        the epoch whose predictions are compared.
    names
        run id → what to call it in sentences; its display name where it is missing.
    predictions
        gives the predictions of a run's chosen epoch, for a caller that caches.
    """
    ask = predictions or (lambda run: run.predictions(chosen))
    called = {run.id: run.name for run in (*runs, baseline)} | dict(names or {})
    results: list[Verdict | Refusal] = []
    for run in runs:
        if run.id == baseline.id:
            continue
        try:
            results.append(_verdict(baseline, run, chosen, called, ask))
        except ComparisonError as error:
            results.append(Refusal(baseline.id, run.id, str(error)))
    return Judgement(baseline.id, chosen, _adjusted(results, called))


def check_comparable(
    baseline: Run, run: Run, chosen: ChosenEpoch, names: Mapping[str, str], ask: Ask
) -> tuple[Predictions, Predictions]:
    """The predictions of both runs, where these can be compared image by image.

    Raises
    ------
    ComparisonError
        where they were tested on different images, or one has no predictions of the chosen epoch.
    """
    first, second = names[baseline.id], names[run.id]
    if baseline.status.fingerprint != run.status.fingerprint:
        data = baseline.config.dataset.name, run.config.dataset.name
        what = (
            f"on {data[0]} and {second} on {data[1]}"
            if data[0] != data[1]
            else f"and {second} on different data, both called {data[0]} (fingerprints "
            f"{baseline.status.fingerprint} and {run.status.fingerprint})"
        )
        raise ComparisonError(
            f"{first} was tested {what}: their accuracies are of different images and cannot be compared; "
            "train both on the same data"
        )
    found = ask(baseline), ask(run)
    for item, said in ((baseline, found[0]), (run, found[1])):
        if said is None:
            raise ComparisonError(_why_none(item, chosen, names[item.id]))
    assert found[0] is not None
    assert found[1] is not None
    return found[0], found[1]


def _why_none(run: Run, chosen: ChosenEpoch, name: str) -> str:
    if not run.ended:
        return f"{name} is {run.state} and has no test result yet; wait until it has ended"
    if run.epoch("kept") is None:
        return f"{name} is {run.state} and has no test result; train it again"
    if chosen != "kept":
        return (
            f"no predictions of the {chosen} epoch ({run.epoch(chosen)}) of {name} are stored; "
            "choose the kept epoch, or train it again"
        )
    return f"{name} is {run.state} without stored predictions; train it again"


def _verdict(baseline: Run, run: Run, chosen: ChosenEpoch, names: Mapping[str, str], ask: Ask) -> Verdict:
    """One comparison as if it were the only one; `_adjusted` completes it."""
    first, second = check_comparable(baseline, run, chosen, names, ask)
    table = agreement(first, second)
    accuracy, loss = accuracy_difference(table), loss_difference(first, second)
    return Verdict(
        baseline=baseline.id,
        run=run.id,
        epochs=(baseline.epoch(chosen), run.epoch(chosen)),
        table=table,
        accuracy=accuracy,
        mid_p=mcnemar_mid(table.only_baseline, table.only_run),
        loss=loss,
        comparisons=1,
        p_adjusted=accuracy.p,
        loss_p_adjusted=loss.p,
        sentence="",
        loss_sentence="",
        limits=tuple(_limits(baseline, run, names)),
        concerns=concerns(baseline, run, chosen, names),
    )


def _adjusted(results: Sequence[Verdict | Refusal], names: Mapping[str, str]) -> tuple[Verdict | Refusal, ...]:
    """The same with p values for that many comparisons, and the sentences that follow from these."""
    verdicts = [item for item in results if isinstance(item, Verdict)]
    p_values, loss_p_values = holm([item.accuracy.p for item in verdicts]), holm([item.loss.p for item in verdicts])
    adjusted = {}
    for item, p, loss_p in zip(verdicts, p_values, loss_p_values, strict=True):
        full = replace(item, comparisons=len(verdicts), p_adjusted=p, loss_p_adjusted=loss_p)
        limits = item.limits
        if len(verdicts) > 1:
            limits += (
                f"{len(verdicts)} runs are compared with {names[item.baseline]} at once, which gives chance more "
                "opportunities: the p values are adjusted for that (Holm's method), the intervals are not.",
            )
        adjusted[item.run] = replace(
            full, sentence=_sentence(full, names), loss_sentence=_loss_sentence(full, names), limits=limits
        )
    return tuple(adjusted[item.run] if isinstance(item, Verdict) else item for item in results)


def outcome_of(gain: float, p: float) -> Outcome:
    """What a lead and its p value, adjusted for the number of comparisons, come to."""
    return "close" if p >= ALPHA or gain == 0 else "better" if gain > 0 else "worse"


def p_words(p: float, comparisons: int = 1) -> str:
    """A p value as it is written, such as ``p = 0.082`` or ``p < 0.001, adjusted for 3 comparisons``."""
    text = "p < 0.001" if p < 0.001 else "p > 0.999" if 0.999 < p < 1 else f"p = {p:.3f}"
    return text + (f", adjusted for {comparisons} comparisons" if comparisons > 1 else "")


def points_words(difference: Difference, *, sign: bool = False) -> str:
    """A difference in accuracy with its interval in percentage points, such as ``0.86 points [0.61, 1.11]``."""
    return f"{_number(100 * difference.value, 2, sign=sign)} points {_interval(difference, 100, 2)}"


def loss_words(difference: Difference, *, sign: bool = False) -> str:
    """A difference in loss with its interval, such as ``0.0302 [0.0241, 0.0363]``."""
    return f"{_number(difference.value, 4, sign=sign)} {_interval(difference, 1, 4)}"


def _interval(difference: Difference, scale: float, digits: int) -> str:
    low, high = (_number(scale * end, digits) for end in difference.interval)
    return f"[{low}, {high}]"


def _number(value: float, digits: int, *, sign: bool = False) -> str:
    text = f"{value:{'+' if sign else ''}.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("+-")
    return text.replace("-", "−")


def turned(difference: Difference) -> Difference:
    """The same the other way round, so that the better one's lead is positive."""
    low, high = difference.interval
    return difference._replace(value=-difference.value, interval=difference.interval._replace(low=-high, high=-low))


def _sentence(verdict: Verdict, names: Mapping[str, str]) -> str:
    base, run, images = names[verdict.baseline], names[verdict.run], f"{verdict.table.images:,}"
    p = p_words(verdict.p_adjusted, verdict.comparisons)
    if verdict.table.split == 0:
        return f"{run} and {base} are right on the very same of these {images} images: no difference between them."
    if verdict.outcome == "close":
        return (
            f"{run} and {base} are too close to call: a difference of {points_words(verdict.accuracy, sign=True)} "
            f"could well arise by chance on these {images} images ({p})."
        )
    lead = verdict.accuracy if verdict.outcome == "better" else turned(verdict.accuracy)
    chance = "would hardly arise" if verdict.p_adjusted < 0.001 else "would seldom arise"
    return (
        f"{run} is {verdict.outcome} than {base} by {points_words(lead)}; "
        f"a difference this large {chance} by chance on these {images} images ({p})."
    )


def _loss_sentence(verdict: Verdict, names: Mapping[str, str]) -> str:
    base, run, outcome = names[verdict.baseline], names[verdict.run], verdict.loss_outcome
    p = p_words(verdict.loss_p_adjusted, verdict.comparisons)
    if outcome == "close":
        difference = loss_words(verdict.loss, sign=True)
        return f"By loss, {run} and {base} are too close to call: a difference of {difference} ({p})."
    lower = outcome == "better"
    lead = loss_words(turned(verdict.loss) if lower else verdict.loss)
    change = f"{'lower' if lower else 'higher'} by {lead} ({p})"
    if verdict.outcome == "close":
        return f"By loss, {run} is {outcome}: {change}."
    if verdict.outcome == outcome:
        return f"Its loss says the same: {change}."
    often, much = ("wrong", "more") if lower else ("right", "less")
    return f"But its loss is {change}: {often} more often, it gives the true digits {much} probability on the whole."


def _limits(baseline: Run, run: Run, names: Mapping[str, str]) -> list[str]:
    found = [
        "One training of each: the verdict is about these two trained networks. Another seed would give others; "
        "whether one recipe is better than the other, only several seeds a side can tell."
    ]
    who = [names[item.id] for item in (baseline, run) if isinstance(item.config.training.validation, TestValidation)]
    if who:
        found.append(
            f"{_listed(who)} used the test images for validation too: whatever was chosen by looking at that curve "
            "(epochs, settings) makes the test accuracy look better than it would be on new digits."
        )
    return found


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def difference_json(difference: Difference) -> dict[str, Any]:
    """A difference as plain data."""
    return {"value": difference.value, "interval": list(difference.interval), "p": difference.p}
