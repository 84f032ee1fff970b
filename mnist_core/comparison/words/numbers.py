"""Numbers as sentences write them: p values, differences with their intervals, lists of names."""

from __future__ import annotations

from collections.abc import Sequence

from mnist_core.comparison.decide import ALPHA, LEVEL, Answer, Decision
from mnist_core.evaluation.statistics import Sample
from mnist_core.text import with_minus

ANSWER_WORDS: dict[Answer, str] = {
    "better": "better",
    "worse": "worse",
    "equivalent": "equivalent",
    "undecided": "too close to call",
}

SMALLEST_P = 0.001


def p_words(p: float, comparisons: int = 1) -> str:
    """Return a p value as it is written, such as ``p = 0.082`` or ``p < 0.001, adjusted for 3 comparisons``."""
    if p < SMALLEST_P:
        text = f"p < {SMALLEST_P:g}"
    elif 1 - SMALLEST_P < p < 1:
        text = f"p > {1 - SMALLEST_P:g}"
    else:
        digits = 3
        # a value near the threshold gets enough digits to differ from it
        while digits < 8 and f"{p:.{digits}f}" == f"{ALPHA:.{digits}f}":
            digits += 1
        text = f"p = {p:.{digits}f}"
    return text + (f", adjusted for {comparisons} comparisons" if comparisons > 1 else "")


def points_words(item: Decision, *, sign: bool = False) -> str:
    """Return a difference in accuracy with its interval in points, such as ``0.86 points [0.61, 1.11]``."""
    return _in_points(item, " points", sign)


def bare_points_words(item: Decision, *, sign: bool = False) -> str:
    """Return the same as `points_words`, without the unit: ``0.86 [0.61, 1.11]``."""
    return _in_points(item, "", sign)


def _in_points(item: Decision, unit: str, sign: bool) -> str:
    return f"{number(100 * item.value, 2, sign=sign)}{unit} {_interval(item, 100, 2)}"


def loss_words(item: Decision, *, sign: bool = False) -> str:
    """Return a difference in loss with its interval, such as ``0.0302 [0.0241, 0.0363]``."""
    return f"{number(item.value, 4, sign=sign)} {_interval(item, 1, 4)}"


def margin_words(margin: float) -> str:
    """Return a margin in points, such as ``0.2 points``."""
    points = f"{100 * margin:g}"
    return f"{points} point{'' if points == '1' else 's'}"


def rarity_words(level: float) -> str:
    """Return how often chance alone makes what is found at this level: ``less than once in 100``."""
    return f"less than once in {1 / (1 - level):,.0f}"


def intervals_words(comparisons: int) -> str:
    """Return what the intervals of several comparisons are."""
    return f"{100 * LEVEL:.0f} % intervals" + (f", widened for {comparisons} comparisons" if comparisons > 1 else "")


def _interval(item: Decision, scale: float, digits: int) -> str:
    if not item.known:
        return "[no spread]"
    low, high = item.interval.low * scale, item.interval.high * scale
    # an end that is not 0 is not written as 0 where the interval leaves 0 out
    shown = digits
    while item.differs and shown < 8 and any(round(end, shown) == 0 for end in (low, high)):
        shown += 1
    return f"[{number(low, shown)}, {number(high, shown)}]"


def number(value: float, digits: int, *, sign: bool = False) -> str:
    """Return a number with so many decimals and a true minus sign; zero has none."""
    text = f"{value:{'+' if sign else ''}.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("+-")
    return with_minus(text)


def percent(share: float) -> str:
    """Return a share in per cent with two decimals, such as ``98.31 %``."""
    return f"{100 * share:.2f} %"


MOST_DIGITS = 6
"""So many decimals tell a number from another in a sentence, at most."""


def unlike(value: float, other: float, digits: int) -> str:
    """Return a number with so many decimals, or with as many more as tell it from another number that it differs from.

    So that no sentence calls a difference ``0 %``, or speaks of ``1.0 nats instead of 1.0``.
    """
    while digits < MOST_DIGITS and value != other and f"{value:.{digits}f}" == f"{other:.{digits}f}":
        digits += 1
    return f"{value:.{digits}f}"


def sample_words(item: Sample) -> str:
    """Return the accuracies of a recipe's seeds, such as ``97.28 ± 0.33 % over 3 seeds``; of two seeds at least."""
    return f"{100 * item.mean:.2f} ± {100 * item.sd:.2f} % over {item.n} seeds"


def listed(words: Sequence[str]) -> str:
    """Return words as a list in a sentence: ``a, b and c``."""
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
