"""Add your own in a real browser: a file from elsewhere stands on Compare, and any other file gives a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from mnist_core.recording.exporting import as_bytes
from mnist_core.recording.record import record
from mnist_core.runs.store import Store
from tests.support.browser import Screen
from tests.support.outside import probabilities

pytestmark = pytest.mark.browser


def add(screen: Screen, name: str, content: bytes) -> None:
    """Choose a file, write the name of its data, and press Add."""
    file = {"name": name, "mimeType": "application/octet-stream", "buffer": content}
    screen.page.locator("input[type=file]").set_input_files(file)  # type: ignore[arg-type]
    expect(screen.key("add_file")).to_contain_text(name)
    screen.page.get_by_role("textbox", name="Data set").fill("digits")
    screen.page.get_by_role("button", name="Add", exact=True).click()


def test_an_uploaded_file_stands_on_compare_and_a_damaged_one_gives_a_sentence(screen: Screen, tmp_path: Path) -> None:
    labels = screen.server.store.catalog.load("digits").y_test
    theirs = record("theirs", probabilities=probabilities(labels, 10), dataset="digits", store=Store(tmp_path))
    screen.open("add")

    add(screen, "damaged.npz", b"nothing that is read")
    expect(screen.page.get_by_test_id("stAlert")).to_contain_text("“damaged.npz” is not an .npz file")

    screen.reload()
    add(screen, "from a colleague.csv", as_bytes(theirs, ".csv"))
    expect(screen.page.get_by_test_id("stAlert")).to_contain_text("is in the store now")
    screen.page.get_by_role("link", name="See it on Compare").click()
    expect(screen.key("answer")).to_contain_text("from a colleague")
    screen.settled()
    screen.expect_no_exception()
