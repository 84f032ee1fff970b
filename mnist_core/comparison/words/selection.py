"""A choice among many, in sentences."""

from __future__ import annotations

from mnist_core.comparison.selection import Selection
from mnist_core.experiments.spaces import Metric

METRIC_WORDS: dict[Metric, str] = {"val_loss": "validation loss", "val_accuracy": "validation accuracy"}


def chosen_words(item: Selection) -> str:
    """Return how a winner was chosen: ``chosen among 90 by validation loss; 7 others are within noise of it``."""
    if item.on_test:
        text = f"chosen among {item.candidates} by results on the test images"
    else:
        text = f"chosen among {item.candidates} by {METRIC_WORDS[item.metric]}"
    return f"{text}; {within_words(item)}"


def within_words(item: Selection) -> str:
    """Return how many others are within noise of the winner."""
    if item.within is None:
        return "how much of its lead is noise is not known"
    if item.within == 0:
        return "no other is within noise of it"
    return f"{item.within} other{' is' if item.within == 1 else 's are'} within noise of it"


def lead_words(item: Selection) -> str:
    """Return a sentence on the winner's lead, and on how it compares with noise; empty if nothing else has finished."""
    if item.lead is None:
        return ""
    text = f"It leads the next best by {_amount(item, item.lead)}" if item.lead else "It and the next best are level"
    if item.noise is None:
        return f"{text}; {within_words(item)}: train the best with three seeds or more to find out."
    source = (
        "the spread between seeds of other runs on these data"
        if item.noise.source == "seeds"
        else "what so few validation images make, without that of other seeds"
    )
    return f"{text}, where differences of up to {_amount(item, item.noise.limit)} are noise ({source})."


def _amount(item: Selection, value: float) -> str:
    return f"{value:.4f}" if item.metric == "val_loss" else f"{100 * value:.2f} points"


def winner_words(item: Selection, name: str) -> str:
    """Return the concern about a run that won."""
    study = f"{item.study} {item.name}"
    if item.on_test:
        return (
            f"{name} was {chosen_words(item)} ({study}): the test accuracy of the best of many is better than it "
            "would be on new images."
        )
    figure = METRIC_WORDS[item.metric]
    return f"{name} was {chosen_words(item)} ({study}): its {figure} is too good on average, its test result is not."


def passed_words(item: Selection, name: str) -> str:
    """Return the concern about a run that its study did not choose."""
    return (
        f"{name} is one of {item.candidates} candidates of the {item.study} {item.name}, and not the one that it "
        "chose: whoever prefers it now chooses by the test images, which are then no longer new."
    )


def looked_at_words(count: int) -> str:
    """Return how many of those that a study passed over have been looked at on the test set in this store."""
    if count == 0:
        return "No look at the test results of the others is on record in this store."
    one = count == 1
    return (
        f"The test {'result' if one else 'results'} of {count:,} of the others {'has' if one else 'have'} been looked "
        "at in this store."
    )


def selection_words(item: Selection, name: str) -> str:
    """Return what a run is in a study, in a sentence."""
    return winner_words(item, name) if item.won else passed_words(item, name)
