"""How often tests raise false alarms, and intervals hold the true difference: the grounds of decision 15.

    python -m benchmarks.interval_coverage

Accuracy: every table of discordant counts is weighted by its probability, so nothing is drawn. Losses: drawn again and
again from the per-image losses of pairs of shipped runs. Recipes: made-up images of unlike difficulty, and seeds.
Takes about two minutes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import bdtr, gammaln

from mnist_core.evaluation.metrics import Interval, image_losses
from mnist_core.evaluation.statistics import (
    AccuracyDifference,
    Agreement,
    crossed_difference,
    mcnemar,
    mcnemar_mid,
    welch,
)
from mnist_core.runs.store import Store

LEVEL, MOST = 0.95, 90
EXPECTED = (0.5, 1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30)
LEANS = (0, 0.25, 0.5, 0.75, 0.9, 1)


def wald(table: Agreement) -> Interval:
    """Return the interval used before: Δ ± 1.96 · √(b+c−(b−c)²/n)/n."""
    gap, n = table.only_run - table.only_baseline, table.images
    half = stats.norm.ppf(0.975) * np.sqrt(table.discordant - gap**2 / n) / n
    return Interval(gap / n - half, gap / n + half)


def conditional(table: Agreement) -> Interval:
    """Return the inversion of the mid-p test with the number of discordant images taken as given."""
    gained, m, n = table.only_run, table.discordant, table.images
    if m == 0:
        return Interval(0.0, 0.0)

    def end(tail: Callable[[float], float], rising: bool) -> float:
        low, high = 0.0, 1.0
        for _ in range(40):
            middle = (low + high) / 2
            low, high = (middle, high) if (tail(middle) < 0.025) == rising else (low, middle)
        return (2 * low - 1) * m / n

    def at_most(count: int, p: float) -> float:
        return float(bdtr(count, m, p)) if count >= 0 else 0.0

    return Interval(
        end(lambda p: 1 - (at_most(gained, p) + at_most(gained - 1, p)) / 2, True),
        end(lambda p: (at_most(gained, p) + at_most(gained - 1, p)) / 2, False),
    )


def weights(images: int, gained: NDArray[np.int_], lost: NDArray[np.int_], share: tuple[float, float]) -> NDArray:
    """Return the probability of each table, when these are the shares of images that only one gets right."""
    rest = images - gained - lost
    count = gammaln(images + 1) - gammaln(gained + 1) - gammaln(lost + 1) - gammaln(rest + 1)
    logs = [
        np.where(k > 0, k * np.log(p) if p > 0 else -np.inf, 0.0) for k, p in zip((gained, lost), share, strict=True)
    ]
    return np.exp(count + sum(logs) + rest * np.log1p(-sum(share)))


def accuracy(images: int) -> None:
    """Print false alarms and coverage for a test set of so many images."""
    pairs = [(b, c) for b in range(MOST + 1) for c in range(MOST + 1 - b)]
    gained, lost = np.array(pairs).T
    tables = [Agreement(images - b - c, c, b, 0) for b, c in pairs]
    p_values = {
        "score": np.array([AccuracyDifference(table).p for table in tables]),
        "mid-p": np.array([mcnemar_mid(table.only_baseline, table.only_run) for table in tables]),
        "exact": np.array([mcnemar(table.only_baseline, table.only_run) for table in tables]),
    }
    print(f"\n{images:,} images: false alarms in %, by the expected number of discordant images")
    print("expected  " + "  ".join(f"{name:>6}" for name in p_values))
    for expected in EXPECTED:
        weight = weights(images, gained, lost, (expected / images / 2,) * 2)
        print(f"{expected:8}  " + "  ".join(f"{100 * weight[p < 0.05].sum():6.2f}" for p in p_values.values()))
    print("most, as a multiple of the level, at 0.05, 0.05/3, 0.05/10:")
    for name, p in p_values.items():
        grid = [weights(images, gained, lost, (mu / images / 2,) * 2) for mu in np.arange(0.5, 45, 0.5)]
        worst = [max(weight[p < level].sum() for weight in grid) / level for level in (0.05, 0.05 / 3, 0.005)]
        print(f"{name:>8}  " + "  ".join(f"{value:.2f}" for value in worst))
    methods: dict[str, Callable[[Agreement], Interval]] = {
        "Tango": lambda table: AccuracyDifference(table).interval(LEVEL), "Wald": wald, "conditional": conditional,
    }  # fmt: skip
    print("coverage in %: mean, least, share of cases below 94")
    for name, method in methods.items():
        ends = np.array([method(table) for table in tables])
        held = []
        for expected in EXPECTED:
            for lean in LEANS:
                share = expected / images * (1 + lean) / 2, expected / images * (1 - lean) / 2
                true = share[0] - share[1]
                inside = (ends[:, 0] <= true + 1e-12) & (ends[:, 1] >= true - 1e-12)
                held.append(100 * weights(images, gained, lost, share)[inside].sum())
        print(f"{name:>12}  {np.mean(held):.1f}  {min(held):.1f}  {np.mean(np.array(held) < 94):.2f}")


def losses() -> None:
    """Print how often intervals of a difference in loss hold the true one, on 355, 2,000 and 10,000 images."""
    rng, runs = (
        np.random.default_rng(0),
        {run.name: run for run in Store().runs() if run.config.dataset.name == "mnist"},
    )
    pairs = (
        ("notebook/model_1", "notebook/model_2"), ("notebook/model_1", "notebook/model_3"),
        ("notebook/model_2", "regularisation/final"), ("notebook/model_2", "coursera/cnn"),
        ("coursera/cnn", "tuning/cnn"), ("notebook/model_2", "coursera/best_mlp"),
    )  # fmt: skip

    def loss(name: str) -> NDArray[np.float64]:
        found = runs[name].predictions()
        assert found is not None
        return image_losses(found.labels, found.probabilities)

    print("\nlosses of shipped runs, drawn with replacement: coverage in % of t; of bootstrap-t and percentile at 355")
    for first, second in pairs:
        each = loss(second) - loss(first)
        line = []
        for images in (355, 2_000, 10_000):
            held = np.zeros(3)
            for _ in range(300):
                drawn = each[rng.integers(0, len(each), images)]
                error = drawn.std(ddof=1) / np.sqrt(images)
                half = stats.t.ppf(0.975, images - 1) * error
                ends = [(drawn.mean() - half, drawn.mean() + half)]
                if images == 355:
                    again = drawn[rng.integers(0, images, (999, images))]
                    means, errors = again.mean(axis=1), again.std(axis=1, ddof=1) / np.sqrt(images)
                    t = np.quantile((means - drawn.mean()) / np.where(errors > 0, errors, np.inf), [0.975, 0.025])
                    ends += [tuple(drawn.mean() - error * t), tuple(np.quantile(means, [0.025, 0.975]))]
                held[: len(ends)] += [low <= each.mean() <= high for low, high in ends]
            line += [f"{images}: " + ", ".join(f"{100 * value / 300:.0f}" for value in held[: len(ends)])]
        print(f"  {first} and {second}: {'; '.join(line)}")


def recipes() -> None:
    """Print how often intervals over seeds hold the true difference of two recipes on other images and seeds."""
    rng = np.random.default_rng(0)
    print("\nrecipes: coverage in % of seeds and images crossed; with one seed's table a side; of Welch's interval")
    for images, draws in ((355, 600), (10_000, 200)):
        for seeds in ((3, 3), (5, 5), (3, 8), (20, 20)):
            for spread, alike in ((0.05, 0.5), (0.15, 0.9)):
                held = np.zeros(3)
                for _ in range(draws):
                    easy, sides = rng.normal(size=images), []
                    for count in seeds:  # both recipes alike on average, so that the true difference is 0
                        own = 8 + 4 * (np.sqrt(alike) * easy + np.sqrt(1 - alike) * rng.normal(size=images))
                        luck = rng.normal(size=(count, 1)) * spread
                        sides.append(rng.random((count, images)) < 1 / (1 + np.exp(-own - luck)))
                    values = [side.mean(axis=1) for side in sides]
                    ends = [
                        crossed_difference(*values, *sides).interval(LEVEL),
                        crossed_difference(*values, *(side[:1] for side in sides)).interval(LEVEL),
                        welch(*values).interval(LEVEL),
                    ]
                    held += [low <= 0 <= high for low, high in ends]
                text = ", ".join(f"{100 * value / draws:.1f}" for value in held)
                print(f"  {images:,} images, seeds {seeds[0]} and {seeds[1]}, spread {spread}, alike {alike}: {text}")


def floors() -> None:
    """Print coverage in % of the crossed interval and of a narrower one, on numbers drawn from their distributions.

    R is the luck on single images in the variance of the difference, which is known well, and b the variance that the
    seeds show. The narrower interval counts half of what b and R have in common as known.
    """
    rng, draws, seeds = np.random.default_rng(0), 200_000, 3
    print("\nthree seeds a side: spread of true accuracies over luck, on both sides or one; σ²/n over R; now, narrower")
    for between in (0.0, 0.3, 1.0):
        for first, second in ((0, 0), (0.3, 0.3), (1, 1), (2, 2), (10, 10), (1, 0), (4, 0)):
            parts = [(1 + own) * rng.chisquare(seeds - 1, draws) / (seeds - 1) / 2 for own in (first, second)]
            value = rng.normal(size=draws) * np.sqrt(1 + (first + second) / 2 + between)
            shown = parts[0] + parts[1]
            variance = np.maximum(shown + between, 1 + between)
            freedom = shown**2 / (parts[0] ** 2 + parts[1] ** 2) * (seeds - 1)
            text = []
            for known in (0.0, 0.5):
                below = (shown - known * np.minimum(shown, 1.0)) ** 2 / freedom
                half = stats.t.ppf(0.975, np.minimum(variance**2 / below, 1e6)) * np.sqrt(variance)
                text.append(f"{100 * (np.abs(value) <= half).mean():.1f}")
            print(f"  {first} and {second}, {between}: {', '.join(text)}")


def production() -> None:
    """Print how often a model that is truly worse than the margin is recommended, now and by p > 0.05."""
    rng = np.random.default_rng(0)
    print("\nproduction: % recommended though truly worse, margin 0.2 points: by the margin; by p > 0.05")
    for images, discordant, worse in ((10_000, 0.02, 0.003), (10_000, 0.02, 0.005), (355, 0.05, 0.02)):
        found = np.zeros(2)
        for lost, gained, _ in rng.multinomial(
            images, [(discordant + worse) / 2, (discordant - worse) / 2, 1 - discordant], 2_000
        ):
            item = AccuracyDifference(Agreement(images - int(lost + gained), int(lost), int(gained), 0))
            found += [item.interval(LEVEL).low > -0.002, item.value >= 0 or mcnemar(int(lost), int(gained)) >= 0.05]
        print(f"  {images:,} images, {100 * worse:g} points worse: {found[0] / 20:.1f}, {found[1] / 20:.1f}")


if __name__ == "__main__":
    for size in (355, 10_000):
        accuracy(size)
    recipes()
    floors()
    production()
    losses()
