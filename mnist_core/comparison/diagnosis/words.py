"""Sentences about findings: a finding → what it says, by which rule, and what may help.

Each sentence is a template that states which comparisons of the finding's numbers it claims. Of the templates of a
code, the first whose claims hold is used, so a sentence cannot contradict the numbers that stand in it.
"""

from __future__ import annotations

import math
import operator
import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mnist_core.comparison.decide import STRICT_LEVEL
from mnist_core.comparison.diagnosis.endings import COLLAPSE
from mnist_core.comparison.diagnosis.findings import Code, Finding
from mnist_core.comparison.diagnosis.rules import GAP, LEAK_ERRORS, UNDERFIT_ACCURACY
from mnist_core.comparison.diagnosis.suggestions import (
    HIGHER_RATE,
    LESS_DROPOUT,
    LESS_L2,
    LOWER_RATE,
    MORE_DROPOUT,
    MORE_EPOCHS,
    MORE_FILTERS,
    MORE_PATIENCE,
    MORE_UNITS,
    STOP_EARLY,
    Suggestion,
)
from mnist_core.comparison.diagnosis.trends import (
    FALL,
    FEWEST_EPOCHS,
    LEVEL_ERRORS,
    LEVEL_LEAST,
    LEVEL_MOST,
    RELATIVE_FALL,
    RELATIVE_RISE,
    TRAINING_SHARE,
)
from mnist_core.comparison.words.numbers import rarity_words
from mnist_core.comparison.words.settings import setting_words
from mnist_core.experiments.axis_words import words_of
from mnist_core.experiments.configs import RunConfig
from mnist_core.experiments.fields import flatten
from mnist_core.runs.run import Run

TITLES: dict[Code, str] = {
    "not_finite": "diverged",
    "loss_explosion": "diverged",
    "dead_network": "dead network",
    "stuck_at_chance": "stuck at chance",
    "collapse": "collapsed",
    "got_worse": "got worse",
    "overfitting": "overfitting",
    "val_loss_rose": "validation loss rose",
    "still_improving": "still improving",
    "plateau": "plateau",
    "underfitting": "underfitting",
    "generalisation_gap": "generalisation gap",
    "oscillation": "unstable",
    "spike": "spike",
    "val_better_than_training": "validation better than training",
    "val_better_than_test": "validation better than test",
    "dropout_raises_training_loss": "dropout makes training look worse",
    "too_few_epochs": "not enough evidence",
    "unclear": "not enough evidence",
}
"""The name of each finding, as headings, counts and `kind` in JSON have it."""

_COMPARE = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}


@dataclass(frozen=True)
class Template:
    """A sentence with places for numbers, and what it claims about them.

    claims: such as ``last > low``; each side is a number's name or a number. A name that the finding does not have
    makes the claim false. lead: the beginning, in bold if something should be changed. text: the rest. so_far: the
    beginning while the training goes on; empty where it is the same.
    Places are written ``{name:format}``; the formats are those of `_Formatter`.
    """

    claims: tuple[str, ...]
    lead: str
    text: str
    so_far: str = ""

    def holds(self, numbers: Mapping[str, float]) -> bool:
        """True if all claims hold."""
        return all(claim_holds(claim, numbers) for claim in self.claims)

    def reads_well(self, numbers: Mapping[str, float]) -> bool:
        """True if two numbers that are claimed to differ are also shown as different after rounding."""
        formats = dict(re.findall(r"\{(\w+):(\w+)\}", f"{self.lead} {self.text}"))
        for claim in self.claims:
            left, sign, right = claim.split()
            if sign in "<>" and left in formats and right in formats:
                fill = _Formatter().format_field
                if fill(numbers[left], formats[left]) == fill(numbers[right], formats[right]):
                    return False
        return True


def claim_holds(claim: str, numbers: Mapping[str, float]) -> bool:
    """True if a comparison such as ``last > low`` holds for these numbers."""
    left, sign, right = claim.split()
    sides = [numbers[side] if side in numbers else _as_number(side) for side in (left, right)]
    return bool(_COMPARE[sign](*sides))  # NaN makes every comparison false


def _as_number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


class _Formatter(string.Formatter):
    """Formats: `loss` (nats), `percent` (of a share), `points` (percentage points of a share), `count`, `rate`."""

    def format_field(self, value: Any, format_spec: str) -> str:
        kinds = {"loss": _loss, "percent": _percent, "points": _points, "count": lambda v: f"{v:,.0f}", "rate": _rate}
        return kinds[format_spec](value)


def _loss(value: float) -> str:
    """Return four decimals, as the pages show it; large ones shorter, tiny ones with two digits."""
    size = abs(value)
    return f"{value:.2f}" if size >= 10 else f"{value:.4f}" if size >= 0.01 or not size else f"{value:.3g}"


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def _points(share: float) -> str:
    return f"{100 * share:.2f} points"


def _rate(value: float) -> str:
    return words_of("training.learning_rate", value)


_MEANS = "means of {window:count} epochs"
_ROSE = f"the validation loss rose from {{low:loss}} to {{last:loss}} ({_MEANS})"
_TRAINED = "the training loss went from {training_before:loss} to {training_last:loss}"

TEMPLATES: dict[Code, tuple[Template, ...]] = {
    "not_finite": (
        Template(("last >= 0",), "Diverged in epoch {epoch:count}:",
                 "a loss is no longer a number. The training loss was {last:loss} in the epoch before."),
        Template((), "Diverged in epoch {epoch:count}:", "a loss is no longer a number."),
    ),
    "loss_explosion": (
        Template(("last > low", "last > limit"), "Diverges since epoch {epoch:count}:",
                 "the training loss grew from {low:loss}, its lowest, to {last:loss} in the last epoch, which is worse "
                 "than guessing."),
    ),
    "dead_network": (
        Template(("accuracy <= chance", "last > dead"), "Dead since epoch {epoch:count}:",
                 "only {accuracy:percent} of the validation images are right, with a loss of {last:loss}. The network "
                 "gives a wrong answer with confidence, whatever the image shows. Start again from fresh weights."),
    ),
    "stuck_at_chance": (
        Template(("accuracy <= chance", "best > chance"), "Stuck at chance since epoch {epoch:count}:",
                 "{accuracy:percent} of the validation images are right, with a loss of {last:loss}. Before, it was up "
                 "to {best:percent}."),
        Template(("accuracy <= chance",), "Stuck at chance since epoch {epoch:count}:",
                 "{accuracy:percent} of the validation images are right, with a loss of {last:loss}. The network has "
                 "learnt nothing. Another seed may do better."),
    ),
    "collapse": (
        Template(("accuracy < best", "accuracy <= chance"), "Collapsed in epoch {epoch:count}:",
                 "the validation accuracy had reached {best:percent} and ended at {accuracy:percent}, which is no more "
                 "than chance."),
        Template(("accuracy < best", "last > low"), "Collapsed in epoch {epoch:count}:",
                 "the validation accuracy had reached {best:percent} and ended at {accuracy:percent}; the validation "
                 "loss had been down to {low:loss} and ended at {last:loss}."),
        Template(("last > low",), "Collapsed in epoch {epoch:count}:",
                 "the validation loss had been down to {low:loss} and ended at {last:loss}."),
    ),
    "got_worse": (
        Template(("last > low", "rise > needed", "training_last > training_before"),
                 "Gets worse since about epoch {epoch:count}:",
                 f"{_ROSE}, and the training loss rose "
                 "as well, from {training_before:loss} to {training_last:loss}. So this is not overfitting."),
    ),
    "overfitting": (
        Template(("last > low", "rise > needed", "training_last < training_before", "kept_epoch > 0"),
                 "Overfits since about epoch {epoch:count}:",
                 f"{_ROSE}, while the training loss fell "
                 "from {training_before:loss} to {training_last:loss}. Early stopping kept the weights of epoch "
                 "{kept_epoch:count}, so the kept model has little or nothing of it."),
        Template(("last > low", "rise > needed", "training_last < training_before"),
                 "Overfits since about epoch {epoch:count}:",
                 f"{_ROSE}, while the training loss fell "
                 "from {training_before:loss} to {training_last:loss}."),
        Template(("last > low", "rise > needed", "training_rise < rise"),
                 "Overfits since about epoch {epoch:count}:",
                 f"{_ROSE}, while {_TRAINED}."),
    ),
    "val_loss_rose": (
        Template(("rise > needed", "rise <= sampling"), "The validation loss rose since about epoch {epoch:count},",
                 f"from {{low:loss}} to {{last:loss}} ({_MEANS}). That is more than its noise, but on {{images:count}} "
                 "images it may still be chance."),
        Template(("rise > needed", "training_rise > 0"), "The validation loss rose since about epoch {epoch:count},",
                 f"from {{low:loss}} to {{last:loss}} ({_MEANS}); {_TRAINED}, which may be noise. Can't tell "
                 "overfitting from unsteady training."),
        Template(("rise > needed", "epochs > 0"), "The validation loss rose after epoch {epoch:count},",
                 "from {low:loss} to {last:loss}. Can't tell the reason from {epochs:count} epochs."),
    ),
    "still_improving": (
        Template(("last < before", "fall > needed_fall"), "Still improving at the end:",
                 f"the validation loss fell from {{before:loss}} to {{last:loss}} ({_MEANS}).", "Still improving:"),
        Template(("last < first",), "Still improving at the end:",
                 "the validation loss fell in every epoch, from {first:loss} to {last:loss}.", "Still improving:"),
    ),
    "plateau": (
        Template(("spread <= limit", "last <= highest_mean", "last >= lowest_mean"),
                 "Levelled off at about epoch {epoch:count}:",
                 f"in the {{epochs:count}} epochs since then, {_MEANS} stayed between {{lowest_mean:loss}} and "
                 "{highest_mean:loss}."),
    ),
    "underfitting": (
        Template(("best < limit",), "Underfits:",
                 "even of its training images at most {best:percent} were right (dropout off, " + _MEANS + "), and "
                 "{val_accuracy:percent} of the validation images."),
    ),
    "generalisation_gap": (
        Template(("training_accuracy > val_accuracy", "gap > limit"), "Generalises badly:",
                 "{training_accuracy:percent} of the training images are right, and {val_accuracy:percent} of the "
                 f"validation images ({_MEANS}), though the validation loss does not rise."),
    ),
    "oscillation": (
        Template(("peak > low", "until > start"), "Unstable:",
                 "between epochs {start:count} and {until:count} the validation loss moved up or down by a factor of "
                 "1.5 or more {swings:count} times, between {low:loss} and {peak:loss}. Which "
                 "epoch is the last is then a matter of luck."),
    ),
    "spike": (
        Template(("peak > before", "peak > recovered"), "Spike in epoch {epoch:count}:",
                 "the validation loss jumped from {before:loss} to {peak:loss}, and was back at {recovered:loss} in "
                 "epoch {after:count}."),
    ),
    "val_better_than_training": (
        Template(("val_accuracy > training_accuracy", "difference > limit"), "Possible leak:",
                 "{val_accuracy:percent} of the validation images are right, but only {training_accuracy:percent} of "
                 "the training images with dropout off. Chance does not explain that. Check whether validation "
                 "images, or copies of them, are used for training, or are easier."),
    ),
    "val_better_than_test": (
        Template(("val_accuracy > test_accuracy", "difference > limit"), "Possible leak:",
                 "{val_accuracy:percent} of the validation images are right in the kept epoch, but only "
                 "{test_accuracy:percent} of the test images. A gap this large comes by chance "
                 f"{rarity_words(STRICT_LEVEL)}. Check whether validation "
                 "images, or copies of them, are used for training, or whether the test images are harder."),
    ),
    "dropout_raises_training_loss": (
        Template(("clean < val", "val < shown", "dropout > 0"), "Dropout makes training look worse than it is:",
                 "the training loss, {shown:loss}, is above the validation loss, {val:loss}; with dropout off it is "
                 "{clean:loss}."),
        Template(("clean < val", "val < shown"), "Augmentation makes training look worse than it is:",
                 "the training loss, {shown:loss}, is above the validation loss, {val:loss}; with augmentation off it "
                 "is {clean:loss}."),
    ),
    "too_few_epochs": (
        Template((f"epochs < {FEWEST_EPOCHS}", "epochs > 1"), "Not enough evidence:",
                 "{epochs:count} epochs cannot tell a trend from chance."),
        Template((f"epochs < {FEWEST_EPOCHS}",), "Not enough evidence:", "one epoch cannot tell a trend from chance."),
    ),
    "unclear": (
        Template(("last > low", "rise <= needed"), "Can't tell where the validation loss is going:",
                 f"it ended {{rise:loss}} above its lowest level ({_MEANS}), and with this much noise a rise counts "
                 "from {needed:loss}."),
        Template(("fall > 0", "fall <= needed_fall"), "Can't tell where the validation loss is going:",
                 f"it fell by {{fall:loss}} at the end ({_MEANS}), and with this much noise a fall counts from "
                 "{needed_fall:loss}."),
        Template(("epochs > 0",), "Can't tell where the validation loss is going:",
                 "it has neither stayed level long enough nor clearly risen or fallen in {epochs:count} epochs."),
    ),
}  # fmt: skip
"""The sentences, by code; the first template whose claims hold is used."""

_RISE_RULE = (
    "A rise counts from {needed:loss}: about three standard errors of the difference of two means, and at least "
    f"{100 * RELATIVE_RISE:g} % of the loss. Noise from epoch to epoch: {{noise_sd:loss}} (standard deviation)."
)
RULES: dict[Code, tuple[tuple[str, str], ...]] = {
    "not_finite": (("learning_rate", "A loss is not finite; the learning rate was {learning_rate:rate}."),
                   ("", "A loss is not finite.")),
    "loss_explosion": (("", "The last training loss is above {limit:loss}, and the loss has stayed above twice its "
                            "lowest value since that epoch. The first epoch's loss was {first:loss}; guessing costs "
                            "{guessing:loss}."),),
    "dead_network": (("", "The validation accuracy has been at most {chance:percent} in all of the last {epochs:count} "
                          "epochs, and the loss is more than twice {guessing:loss}, that of guessing."),),
    "stuck_at_chance": (("images", "The validation accuracy has been at most {chance:percent} in all of the last "
                                   "{epochs:count} epochs: the commonest class's share, and three standard errors on "
                                   "{images:count} images."),
                        ("", "The validation accuracy has been at most {chance:percent}, the commonest class's share, "
                             "in all of the last {epochs:count} epochs.")),
    "collapse": (("chance", "The validation accuracy has been at most {chance:percent} in all of the last "
                            "{epochs:count} epochs."),
                 ("accuracy", f"The training accuracy fell by {100 * COLLAPSE:g} points or more, and stayed "
                              "down in the last {epochs:count} epochs."),
                 ("", "Training and validation loss were both high in the last {epochs:count} epochs.")),
    "got_worse": (("", _RISE_RULE + " The rise of the training loss counts from {training_needed:loss}."),),
    "overfitting": (("sampling", _RISE_RULE + " On {images:count} images, a rise of up to {sampling:loss} might be due "
                                 "to which images they are. The training loss did not rise by "
                                 f"{100 * TRAINING_SHARE:g} % of that."),
                    ("", _RISE_RULE + f" The training loss did not rise by {100 * TRAINING_SHARE:g} % of that.")),
    "val_loss_rose": (("sampling", _RISE_RULE + " On {images:count} images, a rise of up to {sampling:loss} might be "
                                   "due to which images they are."),
                      ("noise_sd", _RISE_RULE + " The rise of the training loss counts from {training_needed:loss}."),
                      ("", "Each epoch after the lowest has at least twice its loss.")),
    "still_improving": (("needed_fall", f"A fall counts from {{needed_fall:loss}}: {FALL:g} standard errors of the "
                                        f"difference of two means, and at least {100 * RELATIVE_FALL:g} % of the loss. "
                                        "Noise from epoch to epoch: {noise_sd:loss} (standard deviation)."),
                        ("", f"It fell by more than {100 * RELATIVE_FALL:g} % in each of its {{epochs:count}} "
                             "epochs.")),
    "plateau": (("", "Since then, the means of {window:count} epochs differ by {spread:loss}, and may differ by "
                     f"{{limit:loss}}: {LEVEL_ERRORS:g} standard errors, at least {100 * LEVEL_LEAST:g} % and at most "
                     f"{100 * LEVEL_MOST:g} % of the loss. Noise from epoch to epoch: {{noise_sd:loss}} (standard "
                     "deviation)."),),
    "underfitting": (("", f"No mean of {{window:count}} epochs is above {100 * UNDERFIT_ACCURACY:g} % of the training "
                          "images; the shipped models reach 97.5 to 99.9 %."),),
    "generalisation_gap": (("", f"The gap is above {{limit:points}}: {100 * GAP:g} points, or three standard errors "
                                "where the validation images are few."),),
    "oscillation": (("", "Each of the {swings:count} moves is by a factor of 1.5 or more before the loss turns back, "
                         "and there is at least one in six epochs."),),
    "spike": (("", "The loss rose by a factor of 1.5 or more, stood out of the noise, and came back to within a "
                   "quarter of where it had begun. The other findings leave the spike out."),),
    "val_better_than_training": (("", f"The difference, {{difference:points}}, is above {{limit:points}}: two points, "
                                      f"and {LEAK_ERRORS:g} standard errors on {{images:count}} images. Means of the "
                                      "last {window:count} epochs."),),
    "val_better_than_test": (("", f"The difference, {{difference:points}}, is above {{limit:points}}: half a point, "
                                  f"and what chance exceeds {rarity_words(STRICT_LEVEL)}."),),
    "dropout_raises_training_loss": (("", "Means of the last {window:count} epochs."),),
    "too_few_epochs": (("", f"A trend is looked for from {FEWEST_EPOCHS} epochs on."),),
    "unclear": (("", "A rise counts from {needed:loss} (about three standard errors), a fall from {needed_fall:loss} "
                     f"({FALL:g}); means of {{window:count}} epochs. Noise: {{noise_sd:loss}} (standard deviation)."),),
}  # fmt: skip
"""By which rule, by code: the first whose number the finding has, or that needs none."""


@dataclass(frozen=True)
class Words:
    """A finding in words. title: its name. lead, text: the two parts of the sentence. rule: how it was found."""

    title: str
    lead: str
    text: str
    rule: str

    @property
    def sentence(self) -> str:
        """The whole sentence."""
        return f"{self.lead} {self.text}"

    @property
    def lead_alone(self) -> str:
        """The beginning without the colon or comma at its end."""
        return self.lead[:-1]


def template_of(finding: Finding) -> Template:
    """Return the template for a finding: the first whose claims hold. One always does, or a rule is broken."""
    holding = [template for template in TEMPLATES[finding.code] if template.holds(finding.numbers)]
    return next((template for template in holding if template.reads_well(finding.numbers)), holding[0])


def words(finding: Finding, *, ended: bool = True) -> Words:
    """Return a finding in words; `ended`: whether the training is over."""
    template, values = template_of(finding), {**finding.numbers, "epoch": float(finding.epoch)}
    fill = _Formatter().vformat
    lead = template.lead if ended or not template.so_far else template.so_far
    lead, text = (fill(part, (), values) for part in (lead, template.text))
    rule = fill(next(rule for name, rule in RULES[finding.code] if not name or name in finding.numbers), (), values)
    if finding.numbers.get("left_out"):
        rule += f" The {finding.numbers['left_out']:.0f} epochs of spikes are left out."
    return Words(TITLES[finding.code], lead, text, rule)


CHANGES = {
    LOWER_RATE: "a lower learning rate",
    HIGHER_RATE: "a higher learning rate",
    STOP_EARLY: "early stopping",
    MORE_PATIENCE: "more patience in early stopping",
    MORE_EPOCHS: "more epochs",
    MORE_DROPOUT: "more dropout",
    LESS_DROPOUT: "less dropout",
    LESS_L2: "a smaller L2 penalty",
    MORE_UNITS: "more units a layer",
    MORE_FILTERS: "more filters a layer",
}
"""Each suggestion in words."""


def suggestion_sentence(changes: Sequence[Suggestion]) -> str:
    """Return what may help, as one sentence; empty where nothing is suggested."""
    if not changes:
        return ""
    parts = [CHANGES[change] for change in changes]
    text = " or ".join(parts)
    return f"{text[0].upper()}{text[1:]} may help."


@dataclass(frozen=True)
class Example:
    """A trained run that differs from another in one suggested change alone.

    setting: what it has, in words. lowest: its lowest validation loss, in nats; None where no epoch is finished.
    """

    run_id: str
    name: str
    setting: str
    lowest: float | None

    @property
    def result(self) -> str:
        """Its validation loss in words; empty if no epoch is finished."""
        return "" if self.lowest is None else f"lowest validation loss {_loss(self.lowest)}"


def example(run: Run, change: Suggestion, other: Run) -> Example:
    """Return `other`, one of those that `runs_with_change` finds for `run`, as an example."""
    return Example(other.id, other.name, _changed(flatten(run.config), other.config, change), lowest_loss(other))


def example_lead(change: Suggestion) -> str:
    """Return what comes before a list of examples."""
    return f"Trained with {CHANGES[change]}, all else equal:"


def example_end(lowest: float | None) -> str:
    """Return what comes after a list of examples: how the run itself came out; empty where it has no epoch."""
    return "" if lowest is None else f"This run: {_loss(lowest)}."


def example_sentence(run: Run, change: Suggestion, examples: Sequence[Example]) -> str:
    """Return which trained runs made just this change to `run`, and how their validation loss came out."""
    parts = [f"{item.name} ({', '.join(part for part in (item.setting, item.result) if part)})" for item in examples]
    return f"{example_lead(change)} {', '.join(parts)}. {example_end(lowest_loss(run))}".rstrip()


def _changed(own: Mapping[str, Any], config: RunConfig, change: Suggestion) -> str:
    if change.direction == "set":
        return f"with {CHANGES[change]}"
    other = flatten(config)
    values = dict.fromkeys(words_of(path, other[path]) for path in other if other[path] != own.get(path))
    return f"{setting_words(change.path)} {' and '.join(values)}"


def lowest_loss(run: Run) -> float | None:
    """Return the lowest finite validation loss of a run, in nats; None where there is none."""
    losses = [row.val_loss for row in run.rows() if math.isfinite(row.val_loss)]
    return min(losses) if losses else None


def to_json(finding: Finding, *, ended: bool = True) -> dict[str, Any]:
    """Return a finding as plain data, with its words. `kind` is the name of the finding; `code` the rule."""
    found = words(finding, ended=ended)
    return {
        "code": finding.code,
        "kind": found.title,
        "epoch": finding.epoch,
        "severity": finding.severity,
        "sentence": found.sentence,
        "rule": found.rule,
        "numbers": {name: value if math.isfinite(value) else None for name, value in finding.numbers.items()},
        "suggestions": [{"path": change.path, "direction": change.direction} for change in finding.suggestions],
        "suggestion": suggestion_sentence(finding.suggestions),
        "columns": list(finding.columns),
    }
