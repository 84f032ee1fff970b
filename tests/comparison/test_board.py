"""The board of a class: luck is not put forward, ties are ties, and the final order is by images that chose nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from benchmarks import class_board
from mnist_core.comparison.board import BoardLine, Try, board_half, eligible, put_forward, standings, tries_of
from mnist_core.comparison.words.board import lead_words, place_words, rules_words
from mnist_core.evaluation.metrics import Interval
from mnist_core.files import write_json
from mnist_core.people import student
from mnist_core.runs.records import Change
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from tests.support.outside import recorded
from tests.support.synthetic import FINGERPRINT, MakeRun, config

IMAGES = 2_000


def right(*wrong: range) -> np.ndarray:
    """Return answers that are wrong in these ranges of images alone."""
    found = np.ones(IMAGES, dtype=bool)
    for part in wrong:
        found[part] = False
    return found


def line(owner: str, place: int, *, shared: bool = False) -> BoardLine:
    return BoardLine(owner, "0" * 12, 3, 0.97, Interval(0.96, 0.98), 1_000, place, shared)


def test_the_half_is_half_of_the_images_and_the_same_each_time() -> None:
    half = board_half(IMAGES, "a")
    assert half.sum() == IMAGES // 2
    assert (half == board_half(IMAGES, "a")).all()
    assert (half != board_half(IMAGES, "b")).any()


def test_a_run_that_is_better_by_less_than_a_standard_error_is_not_put_forward() -> None:
    # 50 images apart, 3 more of them right: the standard error of the difference is √50 images, about 7
    before, lucky, better = right(range(26)), right(range(30, 53)), right(range(10))
    assert put_forward([before, lucky]) == 0
    assert put_forward([before, lucky, better]) == 2
    assert put_forward([before, lucky], step=0) == 1


def test_the_first_run_stands_where_all_are_the_same() -> None:
    assert put_forward([right(), right(), right()], step=0) == 0


def test_a_worse_run_never_takes_the_place() -> None:
    assert put_forward([right(range(10)), right(range(500))]) == 0


def test_people_whom_the_images_do_not_tell_apart_share_a_place() -> None:
    half = np.ones(IMAGES, dtype=bool)
    tries = {
        "Ada": [Try("a", right(range(40)))],
        "Ben": [Try("b", right(range(40, 82)))],
        "Chi": [Try("c", right(range(100, 400)))],
    }
    board = standings(tries, half)
    assert [(item.owner, item.place, item.shared) for item in board] == [
        ("Ada", 1, True), ("Ben", 1, True), ("Chi", 3, False),
    ]  # fmt: skip
    assert board[0].accuracy == pytest.approx(1 - 40 / IMAGES)
    assert board[0].interval.low < board[0].accuracy < board[0].interval.high


def test_the_final_order_is_by_the_images_that_put_nothing_forward() -> None:
    half = np.arange(IMAGES) < IMAGES // 2
    knows_the_half = Try("x", right(range(IMAGES // 2, IMAGES // 2 + 300)))
    honest = Try("y", right(range(50), range(IMAGES // 2, IMAGES // 2 + 50)))
    tries = {"tuner": [knows_the_half], "honest": [honest]}
    assert [item.owner for item in standings(tries, half)] == ["tuner", "honest"]
    final = standings(tries, half, final=True)
    assert [(item.owner, item.place) for item in final] == [("honest", 1), ("tuner", 2)]


@pytest.fixture
def finished_by_ada(make_run: MakeRun, store: Store) -> Callable[..., Run]:
    """`finished_by_ada("it", units=8)` is a finished run that Ada requested; further facts go into its meta.json."""

    def make(name: str, units: int = 8, **facts: object) -> Run:
        run = make_run(name, config((units,)))
        found = run.meta.model_copy(update={"owner": "Ada"} | facts)
        write_json(run.path / "meta.json", found.model_dump(mode="json"))
        return store.get(run.id)

    return make


def test_a_finished_run_of_a_person_counts(finished_by_ada: Callable[..., Run]) -> None:
    run = finished_by_ada("it")
    assert eligible(run)
    assert {
        owner: [item.run for item in items] for owner, items in tries_of([run], FINGERPRINT, lambda _: right()).items()
    } == {"Ada": [run.id]}
    assert tries_of([run], "other data", lambda _: right()) == {}


def test_a_run_that_waits_was_uploaded_was_changed_by_hand_or_has_no_owner_does_not_count(
    finished_by_ada: Callable[..., Run], store: Store
) -> None:
    theirs = Store(store.root, who=lambda: student("Ada"))
    change = Change(epoch=1, path="model.layers.0.dropout", before=0.2, after=0.5)
    runs = [
        theirs.add(config((4,)), name="waits", fingerprint=FINGERPRINT)[0],
        recorded(theirs, "uploaded", tuple("0123456789")),
        finished_by_ada("touched", 16, changes=(change,)),
        finished_by_ada("nobody's", 24, owner=""),
    ]
    assert [run.name for run in runs if eligible(run)] == []
    assert [run.meta.owner for run in runs] == ["Ada", "Ada", "Ada", ""]
    assert tries_of(runs, FINGERPRINT, lambda _: right()) == {}


def test_in_a_simulated_class_the_order_agrees_with_the_truth_and_noise_does_not_lead() -> None:
    rho = class_board.correlation()
    found = class_board.measure(2, 0, lambda half: half, rho)
    for board in (class_board.LIVE, class_board.FINAL):
        assert all(agreed >= 0.9 for agreed, *_ in found[board])
        assert not any(leads for *_, leads in found[board])


def test_the_table_counts_the_simulated_classes_that_reach_the_goal() -> None:
    rows = [(agreed, 0.0, 0.0, False, False) for agreed in (0.899, 0.9, 0.95)]
    head, _, line = class_board.table({"board": rows})
    assert dict(zip(head.split(" | "), line.split(" | "), strict=True))["0.9 or more"] == "2 of 3"


def test_the_simulated_runs_disagree_as_those_that_ship_do() -> None:
    images = class_board.Images(np.random.default_rng(0), class_board.correlation())
    first, second = (images.right(class_board.AT, images.luck()) for _ in range(2))
    assert np.mean(first != second) == pytest.approx(class_board.DISAGREE, abs=0.004)


def test_the_sentence_names_who_shares_the_first_place() -> None:
    assert lead_words([]) == ""
    assert lead_words([line("Ada", 1)]) == "Ada is the only one on the board so far."
    assert lead_words([line("Ada", 1), line("Ben", 2)]).startswith("Ada is first: on these 1,000 images, shown to be")
    tie = [line("Ada", 1, shared=True), line("Ben", 1, shared=True)]
    assert lead_words(tie) == "Nobody leads: 1,000 images do not tell these 2 apart."
    assert lead_words([*tie, line("Chi", 3)]).startswith("Ada and Ben share the first place")
    many = [line(str(number), 1, shared=True) for number in range(6)]
    assert lead_words([*many, line("Chi", 7)]).startswith("6 share the first place")


def test_a_shared_place_is_marked() -> None:
    assert (place_words(line("Ada", 1, shared=True)), place_words(line("Ada", 3))) == ("1 =", "3")


def test_the_rules_say_which_half_orders() -> None:
    assert "have chosen nothing" in rules_words(5_000, final=True)
    assert "The final order is by the other half" in rules_words(5_000, final=False)
