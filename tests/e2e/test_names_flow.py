"""Names in a real browser: each is read as it was typed, makes no element, and asks no foreign host for anything."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Request, expect

from mnist_core.experiments.grids import parse_spec
from mnist_core.files import write_json
from mnist_core.people import student
from mnist_core.runs.store import Store
from mnist_core.studies import sweeps
from tests.support import seed
from tests.support.browser import POLICY, Screen, Server, end_everything, start_server
from tests.support.hostile import MADE_BY_MARKUP
from tests.support.pages import MENU
from tests.support.synthetic import config

pytestmark = pytest.mark.browser

FIRST = "![p](http://foreign.example/p.png) :red[x] $y$ :smile: :material/home: a -> b"
SECOND = "<img src=http://foreign.example/q onerror=alert(1)> *d* `c` www.foreign.example"
SWEEP = "[a](javascript:alert(1)) <b class=bad>e</b> :streamlit: --"
FAILED = "# :blue-badge[x] <script>alert(1)</script> | http://foreign.example"
OWNER = "<img src=x onerror=alert(1)> :red[x] $y$"
SHOWS_NO_CHOSEN_RUN = ("train", "runs", "sweeps", "lessons", "published", "data", "add")
"""Pages that do not write the names of the chosen runs as text; Runs has them in a grid."""


class Waiting:
    """A runner that leaves every run waiting."""

    def submit(self, run_id: str) -> None:
        """Do nothing."""


@pytest.fixture(scope="module")
def server(seeded_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A dashboard on a store in which all that can have a name has a bad one."""
    folder = tmp_path_factory.mktemp("hostile")
    shutil.copytree(seeded_store, folder / "artifacts")
    store = Store(folder / "artifacts")
    for name, text in ((seed.SMALL, FIRST), (seed.LARGE, SECOND)):
        store.describe(store.find(name).id, name=text, tags=(FIRST, SECOND), note=f"{FIRST}\n\n# {SECOND}")
    spec = {"name": SWEEP, "base": "notebook/model_1", "grid": {"stack.units": [4, 8]}}
    spec["fixed"] = {"dataset.name": "digits"}
    sweeps.start(store, Waiting(), parse_spec(spec))  # type: ignore[arg-type]
    of_a_class = Store(store.root, who=lambda: student(OWNER))
    failed, _ = of_a_class.add(config((8,), epochs=1), name=FAILED)
    writer = store.open_writer(failed.id)
    assert writer is not None
    writer.started([])
    writer.ended("failed", f"the reason: {FAILED}")
    (store.root / "runs" / "<img src=x> ![z](http:foreign.example)").mkdir()
    write_json(store.root / "datasets.json", {"fashion": f"/nowhere/{FAILED}.npz"})
    started = start_server(store, folder / "server.log", warm_up=False)
    try:
        yield started
    finally:
        end_everything(started)


def chosen(store: Store) -> str:
    """The runs with bad names, as a link has them; those of the sweep may be trained meanwhile."""
    return ",".join(run.id for run in store.runs() if run.name in (FIRST, SECOND, FAILED))


def test_names_are_only_text_on_every_page(screen: Screen) -> None:
    requests: list[str] = []

    def note(request: Request) -> None:
        if not request.url.startswith((screen.server.url, "data:", "blob:")):
            requests.append(request.url)

    screen.page.on("request", note)
    screen.page.on("dialog", lambda dialog: requests.append(f"alert: {dialog.message}"))
    screen.page.on("console", lambda message: requests.append(message.text) if POLICY in message.text else None)

    def look(title: str) -> str:
        """Unfold the page; return what it shows, after a look at what the names have made of it."""
        fold = "for (const item of document.querySelectorAll('details:not([open]) > summary')) item.click()"
        screen.page.evaluate(fold)
        screen.settled()
        screen.page.wait_for_timeout(300)  # for what a picture or a link would ask for
        assert requests == [], title
        made = screen.page.locator(MADE_BY_MARKUP)
        assert [item.evaluate("element => element.outerHTML") for item in made.all()] == [], title
        screen.expect_no_exception()
        return screen.page.locator("[data-testid=stApp]").inner_text().replace("\u2060", "")

    screen.open(runs=chosen(screen.server.store))
    for page in MENU:
        screen.go(page)
        shown = look(page.title)
        if page.path not in SHOWS_NO_CHOSEN_RUN:
            assert FIRST in shown, page.title
            assert SECOND in shown, page.title
        if page.path == "train":
            assert FAILED in shown
        if page.path == "data":
            assert f"/nowhere/{FAILED}.npz".replace("//foreign", "/foreign") in shown
        if page.path == "disagreements":
            screen.page.get_by_text("Which digits they confuse").click()
            screen.expect_query(view="matrices")
            shown = look("the matrices of Disagreements")
            assert FIRST in shown
            assert SECOND in shown


def test_a_script_that_got_into_a_page_would_not_run(screen: Screen) -> None:
    screen.open("lessons")
    screen.expect_no_exception()
    markup = "<img src=data:, onerror='window.ran = 1'><iframe srcdoc='<script>parent.ran = 1</script>'></iframe>"
    screen.page.evaluate(
        """(markup) => {
            document.body.insertAdjacentHTML('beforeend', markup);
            document.body.append(Object.assign(document.createElement('script'), {text: 'window.ran = 1'}));
        }""",
        markup,
    )
    screen.page.wait_for_timeout(300)
    assert screen.page.evaluate("window.ran ?? 0") == 0
    assert len(screen.refused) == 3


def test_the_report_draws_its_charts_without_a_network_and_names_in_them_stay_text(
    screen: Screen, tmp_path: Path
) -> None:
    screen.open(runs=chosen(screen.server.store))
    with screen.page.expect_download() as waiting:
        screen.key("report_html").locator("button").click()
    file = tmp_path / "report.html"
    waiting.value.save_as(file)
    assert file.stat().st_size <= 3_000_000
    page = screen.page
    page.context.set_offline(True)
    requests: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(file.as_uri())
    expect(page.locator(".live svg")).to_have_count(3)  # the verdicts, the loss and the accuracy
    expect(page.locator(".still")).to_have_count(0)
    loss, accuracy = page.locator(".live").nth(1), page.locator(".live").nth(2)
    # below the lines, where only the nearest one can be meant
    loss.hover(position={"x": 300, "y": 200})
    tooltip = page.locator("#vg-tooltip-element.visible")
    expect(tooltip).to_contain_text(FIRST)
    values = tooltip.locator("td.value").all_inner_texts()
    assert values
    assert all(re.fullmatch(r"[0-9.]+|–", value.strip()) for value in values)
    rules = 'g[aria-roledescription="rule mark container"] line[opacity="0.9"]'
    expect(loss.locator(rules)).to_have_count(1)
    expect(accuracy.locator(rules)).to_have_count(1)
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
    assert complaints == []
    assert FIRST in page.locator("body").inner_text()
    expect(page.locator("img, script[src], a, b, iframe")).to_have_count(0)


def test_the_only_csv_of_a_table_is_the_one_without_formulas(screen: Screen) -> None:
    screen.open("data")
    screen.page.get_by_test_id("stDataFrame").first.hover()
    expect(screen.page.get_by_label("Search", exact=True).first).to_be_visible()
    expect(screen.page.get_by_label("Download as CSV", exact=True).first).to_be_attached()
    expect(screen.page.get_by_label("Download as CSV", exact=True).first).to_be_hidden()
    expect(screen.key("data_list_csv").locator("button")).to_be_visible()
