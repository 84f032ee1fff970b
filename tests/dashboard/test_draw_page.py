"""The Draw page without a browser: what it says of runs that cannot answer, kept digits, and its text fields."""

import io
import re
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dashboard.shared import explanations
from dashboard.shared.drawing.edits import _numbers
from dashboard.views.draw.kept_panel import few_words
from mnist_core.comparison.decide import narrowest
from mnist_core.data.drawings import PAD_SIDE, encoded, seen
from mnist_core.data.images import Pixels
from mnist_core.data.kept_digits import keep, kept_digits
from mnist_core.inspection.numpy_network import Network
from mnist_core.inspection.occlusion import Occlusion, occlusion
from mnist_core.runs.store import Store
from tests.support.pages import click, text_of, words
from tests.support.seed import trained
from tests.support.synthetic import config

PAGE = "views/draw/page.py"


@pytest.fixture(scope="module")
def weights_of(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store with two small runs that were really trained."""
    store = Store(tmp_path_factory.mktemp("trained") / "artifacts")
    trained(store, config((8,), epochs=1).replace(training__batch_size=128), "first")
    trained(store, config((12,), epochs=1).replace(training__batch_size=128), "second")
    return store


@pytest.fixture
def store(weights_of: Store, tmp_path) -> Store:
    """A copy of that store."""
    import shutil

    shutil.copytree(weights_of.root, tmp_path / "artifacts")
    return Store(tmp_path / "artifacts")


@pytest.fixture
def both(store: Store) -> str:
    return ",".join(run.id for run in store.runs())


def ink() -> Pixels:
    found = np.zeros((PAD_SIDE, PAD_SIDE), np.uint8)
    found[20:90, 50:60] = 255
    return found


def pad_data(page: Any) -> dict[str, Any]:
    """Return what the page hands to the pad."""
    import json

    def search(node: Any) -> list[dict[str, Any]]:
        found = []
        for child in getattr(node, "children", {}).values():
            if child.type == "bidi_component" and "centred" in (child.proto.json or ""):
                found.append(json.loads(child.proto.json))
            found += search(child)
        return found

    (data,) = search(page.main)
    return data


def drawn(page: Any, pad: Pixels | None = None) -> Any:
    """Put a drawing into the session, as a stroke in the browser does."""
    page.session_state["draw:last"] = {"stamp": "s-1", "ink": encoded(ink() if pad is None else pad)}
    return page.run()


def test_a_store_without_runs_offers_to_train(app, store: Store) -> None:
    for run in store.runs():
        store.delete(run.id)
    page = app(PAGE)
    assert not page.exception
    assert "No runs yet" in words(page)


def test_every_chosen_run_answers_with_ten_probabilities(app, store: Store, both: str) -> None:
    from mnist_core.inspection.numpy_network import load_network

    page = drawn(app(PAGE, runs=both))
    assert not page.exception
    data = pad_data(page)
    picture = seen(ink())
    for run in store.runs():
        assert run.model_file is not None
        network = load_network(run.config.model, run.model_file)
        np.testing.assert_allclose(data["answers"][run.id], network.probabilities(picture[None])[0], atol=1e-6)
        other = seen(ink(), centred=False)
        np.testing.assert_allclose(data["others"][run.id], network.probabilities(other[None])[0], atol=1e-6)
    assert data["stamp"] == "s-1"


def test_a_run_without_weights_says_so_and_the_others_answer(app, store: Store, both: str) -> None:
    first, second = store.runs()
    assert first.model_file is not None
    first.model_file.unlink()
    page = drawn(app(PAGE, runs=both))
    assert not page.exception
    assert f"{first.name} cannot answer: its weights were not kept" in text_of(page)
    assert list(pad_data(page)["answers"]) == [second.id]


def test_damaged_weights_are_one_sentence(app, store: Store, both: str) -> None:
    first, second = store.runs()
    assert first.model_file is not None
    first.model_file.write_bytes(b"nothing")
    page = drawn(app(PAGE, runs=both))
    assert not page.exception
    assert "cannot be read" in " ".join(item.value for item in page.warning)
    assert list(pad_data(page)["answers"]) == [second.id]


def test_a_damaged_drawing_is_one_sentence(app, both: str) -> None:
    page = app(PAGE, runs=both)
    page.session_state["draw:last"] = {"stamp": "s-1", "ink": "AAAA"}
    page.run()
    assert not page.exception
    assert any("draw again" in item.value for item in page.error)
    assert pad_data(page)["answers"] == {}


def test_neurons_that_are_switched_off_change_the_answer_of_their_run_only(app, store: Store, both: str) -> None:
    page = drawn(app(PAGE, runs=both))
    before = pad_data(page)
    first, second = before["runs"]
    field = next(item for item in page.text_input if item.label.startswith("dense_1"))
    field.set_value("1-8").run()
    after = pad_data(page)
    assert after["answers"][first["id"]] != before["answers"][first["id"]]
    assert after["answers"][second["id"]] == before["answers"][second["id"]]
    assert list(after["runs"][0]["off"].values()) == [list(range(8))]
    assert after["runs"][0]["off_words"] == "dense_1: 8 of 8 neurons off"
    assert after["runs"][1]["off_words"] == ""
    assert "8 of 8 neurons off" in text_of(page)


def test_reset_brings_the_neurons_back_too(app, both: str) -> None:
    page = drawn(app(PAGE, runs=both))
    before = pad_data(page)
    next(item for item in page.text_input if item.label.startswith("dense_1")).set_value("1-8").run()
    page.button(key="draw_reset").click().run()
    assert pad_data(page)["answers"] == before["answers"]
    assert not any(run["off"] for run in pad_data(page)["runs"])
    assert page.button(key="draw_reset").disabled


def test_what_decided_is_explained_of_the_network_without_its_neurons(
    app, both: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked_of = []

    def looked_into(network: Network, image: Pixels, true: int | None) -> Occlusion:
        asked_of.append(network.probabilities(image[None])[0])
        return occlusion(network, image, true)

    monkeypatch.setattr(explanations, "occlusion", looked_into)
    page = drawn(app(PAGE, runs=both, explain="pixels"))
    whole = asked_of[0]
    next(item for item in page.text_input if item.label.startswith("dense_1")).set_value("1-5").run()
    asked_of.clear()
    page.run()
    card = pad_data(page)
    np.testing.assert_allclose(asked_of[0], card["answers"][card["runs"][0]["id"]], atol=1e-6)
    assert not np.allclose(asked_of[0], whole)


@pytest.mark.parametrize(
    ("text", "units"),
    [("", []), ("1", [0]), ("1-3, 8", [0, 1, 2, 7]), ("2–3;2", [1, 2]), (" 8 ", [7])],
)
def test_neurons_are_named_by_numbers_and_ranges(text: str, units: list[int]) -> None:
    assert _numbers(text, 8) == (units, "")


@pytest.mark.parametrize("text", ["0", "9", "3-1", "a", "1-", "1-b", "1-9", "-1", "²", "9" * 50])
def test_what_names_no_neuron_is_said_and_nothing_is_switched_off(text: str) -> None:
    units, problem = _numbers(text, 8)
    if text == "1-":
        assert (units, problem) == ([0], "")
    else:
        assert units == []
        assert problem


def test_an_uploaded_picture_becomes_the_drawing(app, both: str) -> None:
    page = app(PAGE, runs=both)
    paper = np.full((200, 200), 230, np.uint8)
    paper[40:160, 90:110] = 30
    buffer = io.BytesIO()
    Image.fromarray(paper).save(buffer, "PNG")
    page.file_uploader[0].upload("seven.png", buffer.getvalue(), "image/png").run()
    assert not page.exception
    data = pad_data(page)
    assert data["load"]["stamp"] == data["stamp"]
    assert len(data["answers"]) == 2


def test_what_is_no_picture_is_refused_in_words_and_the_drawing_stays(app, both: str) -> None:
    page = drawn(app(PAGE, runs=both))
    page.file_uploader[0].upload("seven.png", b"no picture", "image/png").run()
    assert not page.exception
    (error,) = page.error
    assert "PNG or JPEG" in error.value
    assert "BytesIO" not in error.value  # what Pillow names, which is no file to a person
    assert not re.search(r"<.*>|0x[0-9a-f]+", error.value)
    assert pad_data(page)["stamp"] == "s-1"


def keep_as(page: Any, label: int) -> Any:
    page.session_state["kept_label"] = label
    return click(page, "Keep this digit")


def test_a_kept_digit_is_compared_removed_and_brought_back(app, store: Store, both: str) -> None:
    page = keep_as(drawn(app(PAGE, runs=both)), 1)
    (digit,) = kept_digits(store.root / "drawings").digits
    assert digit.label == 1
    np.testing.assert_array_equal(digit.picture, seen(ink()))
    assert "Kept as a 1." in text_of(page)
    assert [item["guess"] for item in gallery_items_of_kept(page)] == ["a 1"]
    assert "One digit shows little" in text_of(page)
    page.session_state["kept:opened"] = digit.id
    page = click(page.run(), "Remove it")
    assert not kept_digits(store.root / "drawings").digits


def gallery_items_of_kept(page: Any) -> list[dict[str, Any]]:
    import json

    def search(node: Any) -> list[dict[str, Any]]:
        found = []
        for child in getattr(node, "children", {}).values():
            if child.type == "bidi_component" and '"items"' in (child.proto.json or ""):
                found += json.loads(child.proto.json)["items"]
            found += search(child)
        return found

    return search(page.main)


def test_a_blank_pad_and_a_missing_label_are_not_kept(app, store: Store, both: str) -> None:
    page = click(app(PAGE, runs=both), "Keep this digit")
    assert "pad is blank" in page.error[0].value
    page = click(drawn(page), "Keep this digit")
    assert "which digit" in page.error[0].value
    assert not (store.root / "drawings").exists()


def test_a_damaged_kept_digit_is_named_and_the_others_are_shown(app, store: Store, both: str) -> None:
    keep(store.root / "drawings", seen(ink()), 1)
    (store.root / "drawings" / "0123456789abcdef.json").write_text("{")
    page = app(PAGE, runs=both)
    assert not page.exception
    assert "0123456789abcdef.json cannot be read" in text_of(page)
    assert len(gallery_items_of_kept(page)) == 1


def test_twenty_digits_are_said_to_be_few() -> None:
    text = few_words(20, 2)
    assert text.startswith("20 digits show little. A difference of ")
    assert "Even two models that both get the very same 20 right may differ by up to 16 points" in text


def test_one_digit_is_said_to_show_little_and_is_compared_with_no_set_of_digits() -> None:
    # two models that both get one digit right: their accuracies may still be as far apart as this
    points = 100 * narrowest(1)
    assert few_words(1, 0) == (
        f"One digit shows little. Even two models that both get it right may differ by up to {points:.0f} points on "
        "other digits."
    )
    assert "1 digits" not in few_words(1, 1)
    assert "would be found" not in few_words(1, 1)


def test_without_mnist_the_nearest_training_digits_are_a_sentence_and_the_way_to_the_page_data(
    app, shipped_models: dict[str, str], without_mnist: None
) -> None:
    page = drawn(app(PAGE, runs=shipped_models["model_1"], explain="neighbours"))
    assert not page.exception
    assert "MNIST is not on this machine" in text_of(page)
    assert [link.proto.page for link in page.get("page_link")] == ["data"]


def test_runs_on_other_data_are_not_explained_together(app, make_run: Any, both: str) -> None:
    page = drawn(app(PAGE, runs=both, explain="pixels"))
    assert not page.exception
    assert "Guess" in words(page)
    assert "second choice" in words(page)
