"""What the buttons of the gallery say, and the sheet that they are cut from."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from dashboard.shared import gallery
from dashboard.shared.digit_dialog import verdict
from mnist_core.evaluation.mistakes import prediction_frame
from mnist_core.evaluation.predictions import Predictions
from mnist_core.plots import style
from mnist_core.plots.probabilities import Opinion


def test_a_button_says_true_and_guessed_digit_and_confidence() -> None:
    probabilities = np.full((2, 10), 0.02, np.float32)
    probabilities[0, 9], probabilities[1, 3] = 0.82, 0.82
    wrong, right = gallery.items(prediction_frame(Predictions(np.array([4, 3], np.uint8), probabilities)))
    assert wrong == {
        "index": 0,
        "guess": "4 → 9",
        "sure": "82.0 %",
        "description": "Test image 0: true digit 4, guessed 9, confidence 82.0 %",
    }
    assert right["guess"] == "3"


def test_the_sheet_holds_the_chosen_images_in_their_order() -> None:
    images = np.random.default_rng(0).integers(0, 256, (50, 28, 28)).astype(np.uint8)
    indices = (7, 3, 49, *range(10, 31))
    sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(gallery.sheet("f" * 16, indices, images)))))
    assert sheet.shape == (56, 28 * gallery.SHEET_COLUMNS)
    for place, index in enumerate(indices):
        row, column = divmod(place, gallery.SHEET_COLUMNS)
        np.testing.assert_array_equal(sheet[28 * row : 28 * row + 28, 28 * column : 28 * column + 28], images[index])


def test_another_dataset_with_the_same_indices_is_another_sheet() -> None:
    dark, light = np.zeros((3, 28, 28), np.uint8), np.full((3, 28, 28), 255, np.uint8)
    assert gallery.sheet("a" * 16, (0, 1), dark) != gallery.sheet("b" * 16, (0, 1), light)


def test_the_verdict_names_each_runs_guess_and_escapes_its_name() -> None:
    opinion = Opinion("aaa", "<script>", "#0072B2", 0.95 * np.eye(10)[9])
    text = verdict([opinion], true=4)
    assert "True digit: <b>4</b>" in text
    assert "guesses <b>9</b> at 95.0 % (wrong)" in text
    assert "<script>" not in text
    assert "(right)" in verdict([opinion], true=9)


@pytest.mark.parametrize(
    ("sure", "text"), [(0.5, "50.0 %"), (0.9994, "99.9 %"), (0.99951, "> 99.9 %"), (1.0, "> 99.9 %"), (0.1, "10.0 %")]
)
def test_a_confidence_is_never_rounded_up_to_certainty(sure: float, text: str) -> None:
    assert gallery.confidence_text(sure) == text


def test_every_run_colour_has_its_counterpart_on_paper() -> None:
    for light, dark in zip(style.RUN_COLOURS, style.RUN_COLOURS_DARK, strict=True):
        assert style.on_paper(dark) == style.on_paper(light) == light
