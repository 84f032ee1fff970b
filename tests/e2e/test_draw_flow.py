"""The Draw page in a real browser: strokes by mouse, finger and keyboard, and JavaScript that agrees with NumPy."""

import base64
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from dashboard import resources
from dashboard.shared.drawing.pad import DIGITS_JS
from mnist_core.data.drawings import PAD_SIDE, Edit, edit_table, edited, encoded, seen
from mnist_core.data.kept_digits import kept_digits
from mnist_core.experiments.configs import ModelConfig
from mnist_core.inspection.numpy_network import DenseWeights, Network, switchable
from mnist_core.inspection.packed_network import packed
from mnist_core.runs.run import Run
from tests.support.browser import WAIT_MS, Screen
from tests.support.seed import LARGE, SMALL

pytestmark = pytest.mark.browser

SEVEN = [(0.3, 0.2), (0.7, 0.2), (0.45, 0.8)]
IN_A_CORNER = [(0.05, 0.05), (0.15, 0.05), (0.1, 0.2)]


@pytest.fixture
def runs(screen: Screen) -> list[Run]:
    return [screen.server.store.find(name) for name in (SMALL, LARGE)]


def open_pad(screen: Screen, runs: list[Run]) -> None:
    screen.open("draw", runs=",".join(run.id for run in runs))
    expect(pad(screen.page)).to_be_visible()
    expect(screen.page.locator(".weights[data-network]")).to_have_count(len(runs), timeout=WAIT_MS)


def pad(page: Page) -> Locator:
    return page.locator(".draw .pad")


def places(page: Page, shape: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return points of the pad, from 0 to 1 each way, as points of the screen."""
    pad(page).scroll_into_view_if_needed()
    box = pad(page).bounding_box()
    assert box is not None
    return [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in shape]


def begin(page: Page, shape: list[tuple[float, float]]) -> None:
    """Draw with the mouse, and do not let go of it."""
    first, *rest = places(page, shape)
    page.mouse.move(*first)
    page.mouse.down()
    for point in rest:
        page.mouse.move(*point, steps=6)


def draw(page: Page, shape: list[tuple[float, float]]) -> None:
    begin(page, shape)
    page.mouse.up()
    answered(page)


def answered(page: Page) -> None:
    """Wait until the server has answered the last stroke."""
    page.wait_for_function(
        """() => {
            const find = (node) => node.querySelector?.('.draw') ?? [...node.querySelectorAll('*')]
                .map((each) => each.shadowRoot && find(each.shadowRoot)).find(Boolean);
            const root = find(document);
            return root?.dataset.sent && root.dataset.sent === root.dataset.answered;
        }""",
        timeout=WAIT_MS,
    )


def labels(page: Page) -> list[str]:
    return [str(bars.get_attribute("aria-label")) for bars in page.locator(".draw .bars").all()]


def ink_of(page: Page) -> np.ndarray:
    """Return the ink on the pad, shape (112, 112), as the canvas shows it."""
    return np.array(
        page.locator(".draw .ink").evaluate(
            "(canvas) => Array.from(canvas.getContext('2d').getImageData(0, 0, 112, 112).data)"
            ".filter((_, place) => place % 4 === 3)"
        ),
        np.uint8,
    ).reshape(PAD_SIDE, PAD_SIDE)


def test_a_stroke_of_the_mouse_is_answered_by_every_run_and_the_page_agrees_with_the_server(
    screen: Screen, runs: list[Run]
) -> None:
    open_pad(screen, runs)
    draw(screen.page, SEVEN)
    picture = seen(ink_of(screen.page))
    for run, label in zip(runs, labels(screen.page), strict=True):
        network = resources.network(run)
        assert network is not None
        expected = network.probabilities(picture[None])[0]
        assert label.startswith(f"{run.name}: {expected.argmax()} at ")
    screen.page.evaluate(
        """() => new Promise((painted) => {
            document.dispatchEvent(new Event("digit-networks")); // weights have arrived, again
            requestAnimationFrame(() => requestAnimationFrame(painted));
        })"""
    )
    for card in screen.page.locator(".draw .card").all():
        assert card.get_attribute("data-source") == "server"
        assert str(card.locator(".note").text_content()).startswith("not centred:")
    assert float(screen.page.locator(".draw").get_attribute("data-apart") or "nan") < 1e-4
    expect(screen.page.locator(".draw .spoken")).to_contain_text(f"{SMALL}: ")
    screen.expect_no_exception()


def test_dense_nets_answer_while_the_stroke_is_being_drawn(screen: Screen, runs: list[Run]) -> None:
    open_pad(screen, runs)
    begin(screen.page, SEVEN)
    for card in screen.page.locator(".draw .card").all():
        expect(card).to_have_attribute("data-source", "page")
        expect(card.locator(".guess")).to_have_text(re.compile(r"\d"))
    assert screen.page.locator(".draw").get_attribute("data-sent") is None  # nothing has gone to the server
    screen.page.mouse.up()
    answered(screen.page)


def test_a_finger_draws_on_a_phone(chromium: Browser, screen: Screen, runs: list[Run]) -> None:
    context = chromium.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    phone = Screen(context.new_page(), screen.server)
    open_pad(phone, runs)
    tools = [button.bounding_box() for button in phone.page.locator(".draw .tools button").all()]
    assert len({box["y"] for box in tools if box}) == 1, "pen, eraser, undo and clear stand in one line"
    first, *rest = places(phone.page, SEVEN)
    finger = context.new_cdp_session(phone.page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]})

    before = phone.page.evaluate("document.querySelector('[data-testid=stMain]').scrollTop")
    touch("touchStart", first)
    for start, end in zip([first, *rest], rest, strict=False):
        for step in range(1, 6):
            touch("touchMove", tuple(a + (b - a) * step / 5 for a, b in zip(start, end, strict=True)))  # type: ignore[arg-type]
    touch("touchEnd")
    answered(phone.page)
    assert ink_of(phone.page).any()
    assert phone.page.evaluate("document.querySelector('[data-testid=stMain]').scrollTop") == before
    assert phone.page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()


def test_a_digit_is_drawn_by_keyboard_cell_by_cell(screen: Screen, runs: list[Run]) -> None:
    open_pad(screen, runs)
    pad(screen.page).focus()
    for key in ("ArrowUp", "ArrowUp", " "):
        screen.page.keyboard.press(key)
    expect(screen.page.locator(".draw .place")).to_have_text("Row 12, column 14")
    answered(screen.page)
    dot = ink_of(screen.page)
    assert dot[11 * 4 + 2, 13 * 4 + 2] == 255
    screen.page.keyboard.down("Shift")
    for _ in range(6):
        screen.page.keyboard.press("ArrowDown")
    screen.page.keyboard.up("Shift")
    answered(screen.page)
    assert (ink_of(screen.page)[11 * 4 + 2 : 17 * 4 + 2, 13 * 4 + 2] == 255).all()
    screen.page.keyboard.press("Control+z")
    answered(screen.page)
    np.testing.assert_array_equal(ink_of(screen.page), dot)
    for _ in range(6):
        screen.page.keyboard.press("ArrowUp")
    screen.page.keyboard.press("Backspace")
    answered(screen.page)
    assert not ink_of(screen.page).any()


def test_the_eraser_leaves_nothing_undo_brings_it_back_and_clear_takes_all(screen: Screen, runs: list[Run]) -> None:
    open_pad(screen, runs)
    draw(screen.page, SEVEN)
    drawn = ink_of(screen.page)
    screen.page.get_by_role("button", name="Eraser").click()
    draw(screen.page, SEVEN)
    assert not ink_of(screen.page).any()
    screen.page.get_by_role("button", name="Undo").click()
    answered(screen.page)
    np.testing.assert_array_equal(ink_of(screen.page), drawn)
    screen.page.get_by_role("button", name="Clear", exact=True).click()
    answered(screen.page)
    expect(screen.page.locator(".draw .guess").first).to_have_text("–")


def test_centring_can_be_switched_off_and_each_run_says_what_it_would_answer_otherwise(
    screen: Screen, runs: list[Run]
) -> None:
    open_pad(screen, runs)
    draw(screen.page, IN_A_CORNER)
    ink = ink_of(screen.page)
    network = resources.network(runs[0])
    assert network is not None
    centred, placed = network.probabilities(np.stack([seen(ink), seen(ink, centred=False)]))
    note = screen.page.locator(".draw .note").first
    expect(note).to_have_text(re.compile(f"^not centred: {placed.argmax()} at"))
    screen.key("draw_centred").locator("label").first.click()
    expect(note).to_have_text(re.compile(f"^centred as in MNIST: {centred.argmax()} at"))
    assert labels(screen.page)[0].startswith(f"{SMALL}: {placed.argmax()} at")
    assert float(screen.page.locator(".draw").get_attribute("data-apart") or "nan") < 1e-4


def test_a_drawing_is_kept_and_compared_and_is_there_after_a_visit_to_another_page(
    screen: Screen, runs: list[Run]
) -> None:
    open_pad(screen, runs)
    draw(screen.page, SEVEN)
    drawn = ink_of(screen.page)
    screen.key("kept_label").get_by_text("7", exact=True).click()
    screen.key("keep").get_by_role("button").click()
    expect(screen.key("kept_gallery").get_by_role("button")).to_have_count(1)
    expect(screen.page.get_by_text("One digit shows little")).to_be_visible()
    (digit,) = kept_digits(screen.server.store.root / "drawings").digits
    assert digit.label == 7
    np.testing.assert_array_equal(digit.picture, seen(drawn))
    screen.page.get_by_role("link", name="Mistakes").first.click()
    screen.settled()
    screen.page.get_by_role("link", name="Draw").first.click()
    screen.settled()
    expect(screen.page.locator(".draw")).to_have_attribute("data-answered", re.compile("."))
    np.testing.assert_array_equal(ink_of(screen.page), drawn)
    screen.expect_no_exception()


@pytest.fixture
def script(chromium: Browser) -> Iterator[Page]:
    """An empty page; `digits` in it is the module of what JavaScript does with a drawing."""
    page = chromium.new_page()
    page.goto("about:blank")
    source = base64.b64encode(DIGITS_JS.encode()).decode()
    page.evaluate(f"import('data:text/javascript;base64,{source}').then((found) => void (window.digits = found))")
    yield page
    page.close()


FROM_BASE64 = "const bytes = (text) => Uint8Array.from(atob(text), (each) => each.charCodeAt(0));"


def inks() -> list[np.ndarray]:
    """Return the ink of many kinds: blocks, thin lines, clouds, single points, a full one and a blank one."""
    generator = np.random.default_rng(0)
    found = [np.zeros((PAD_SIDE, PAD_SIDE), np.uint8), np.full((PAD_SIDE, PAD_SIDE), 255, np.uint8)]
    for _ in range(60):
        ink = np.zeros((PAD_SIDE, PAD_SIDE), np.uint8)
        top, left = generator.integers(0, PAD_SIDE, 2)
        height, width = generator.integers(1, 90, 2)
        block = ink[top : top + height, left : left + width]
        block[:] = generator.integers(0, 256, block.shape) if generator.random() < 0.5 else 255
        found.append(ink)
    return found


def test_javascript_makes_the_same_picture_of_a_pad_to_the_byte(script: Page) -> None:
    edit = edit_table(Edit(right=2, down=-3, turn=25, noise=0.1, seed=4))
    table = {name: values.ravel().tolist() for name, values in edit._asdict().items()}
    for ink in inks():
        for centred in (True, False):
            found = script.evaluate(
                f"([ink, centred, table]) => {{ {FROM_BASE64} const plain = digits.seen(bytes(ink), centred);"
                "return [Array.from(plain), Array.from(digits.edited(plain, table))]; }",
                [encoded(ink), centred, table],
            )
            expected = seen(ink, centred=centred)
            np.testing.assert_array_equal(np.reshape(found[0], (28, 28)), expected)
            np.testing.assert_array_equal(np.reshape(found[1], (28, 28)), edited(expected, edit))


def test_javascript_gives_the_probabilities_of_numpy_for_every_activation_and_with_neurons_off(script: Page) -> None:
    names = ("relu", "elu", "tanh", "gelu", "sigmoid")
    model = ModelConfig(layers=tuple({"units": 24, "activation": name, "dropout": 0.2} for name in names))
    generator = np.random.default_rng(1)
    steps, layers = [], []
    for _, part in model.parts():
        arrays: list[Any] = []
        if part.weights:
            units = part.output_shape[0]
            shape = (part.parameters // units - 1, units)
            arrays = [generator.normal(0, 2 / np.sqrt(shape[0]), size).astype(np.float32) for size in (shape, units)]
            activation = part.keras.options["activation"]
            layers.append(DenseWeights(*arrays, None if activation == "softmax" else activation))
        if part.step is not None:
            steps.append(part.step(*arrays))
    network = Network(tuple(steps), 1000)
    off = {layer.step: [0, 7, 23] for layer in switchable(model)[1:3]}
    content = base64.b64encode(packed("it", layers, [layer.step for layer in switchable(model)])).decode()
    pictures = generator.integers(0, 256, (40, 28, 28)).astype(np.uint8)
    found = script.evaluate(
        f"([content, pictures, off]) => {{ {FROM_BASE64} const found = digits.network(bytes(content));"
        "return pictures.map((picture) => [digits.probabilities(found, picture), "
        "digits.probabilities(found, picture, off)]); }",
        [content, pictures.reshape(40, -1).tolist(), {str(step): units for step, units in off.items()}],
    )
    expected = np.stack([network.probabilities(pictures), network.without(off).probabilities(pictures)], axis=1)
    assert np.abs(expected[:, 0] - expected[:, 1]).max() > 0.01  # the neurons matter
    assert expected.std(axis=0).max() > 0.01  # and so do the pictures
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_digit_drawn_on_compare_is_answered_there_and_still_there_on_draw(screen: Screen, runs: list[Run]) -> None:
    screen.open("", runs=",".join(run.id for run in runs))
    screen.key("compare_draw").get_by_text("Draw a digit").click()
    expect(pad(screen.page)).to_be_visible()
    draw(screen.page, SEVEN)
    assert [label.partition(":")[0] for label in labels(screen.page)] == [run.name for run in runs]
    drawn = ink_of(screen.page)
    assert drawn.any()
    screen.page.get_by_role("link", name=re.compile("^More: shift")).click()
    expect(pad(screen.page)).to_be_visible()
    expect(screen.page.locator(".draw.blank")).to_have_count(0)
    assert (ink_of(screen.page) == drawn).all()
    screen.expect_no_exception()
