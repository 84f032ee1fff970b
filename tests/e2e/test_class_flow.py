"""A class in a real browser: who has not joined gets nothing, a name is asked once, and roles hold."""

from __future__ import annotations

import http.client
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Page, expect

from mnist_core.files import write_json
from mnist_core.people import student
from mnist_core.runs.classroom import Classroom
from mnist_core.runs.store import Store
from tests.support import seed
from tests.support.browser import WAIT_MS, Screen, Server, end_everything, start_server
from tests.support.synthetic import config

pytestmark = pytest.mark.browser

COMMAND = (sys.executable, "-m", "dashboard", "class", "--yes", "--address", "127.0.0.1")
HOSTILE = "<img src=x onerror=alert(1)> :red[x] $y$"


@pytest.fixture(scope="module")
def server(seeded_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A class on a copy of the seeded store, with a run by a student whose name is markup."""
    folder = tmp_path_factory.mktemp("class")
    shutil.copytree(seeded_store, folder / "artifacts")
    store = Store(folder / "artifacts")
    theirs = Store(store.root, who=lambda: student(HOSTILE))
    theirs.cancel(theirs.add(config((8,), epochs=1), name="not Ada's")[0].id)
    for name, owner in ((seed.SMALL, HOSTILE), (seed.LARGE, "Ben")):
        run = store.find(name)
        write_json(run.path / "meta.json", run.meta.model_copy(update={"owner": owner}).model_dump(mode="json"))
    started = start_server(store, folder / "server.log", command=COMMAND, warm_up=False)
    try:
        yield started
    finally:
        end_everything(started)


@pytest.fixture
def room(server: Server) -> Classroom:
    """The class that is served, as its file has it."""
    return Classroom(server.store.root)


@pytest.fixture(scope="module")
def pages(chromium: Browser) -> Iterator[list[Page]]:
    """Windows that a test has opened, closed in the end."""
    opened: list[Page] = []
    yield opened
    for page in opened:
        page.context.close()


def window(chromium: Browser, pages: list[Page], width: int = 1280) -> Page:
    """A browser that nobody knows."""
    context = chromium.new_context(viewport={"width": width, "height": 800})
    context.set_default_timeout(WAIT_MS)
    pages.append(context.new_page())
    return pages[-1]


def answer(server: Server, method: str, path: str, **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    found = connection.getresponse()
    found.read()
    connection.close()
    return found


def of_hostile(server: Server) -> str:
    """Return the id of the run by the student whose name is markup."""
    return next(run.id for run in server.store.runs() if run.meta.owner == HOSTILE and run.state == "cancelled")


def join(server: Server, source: str, code: str, name: str) -> int:
    """Send the form from an address of this machine; return the status."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, source_address=(source, 0), timeout=20)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", "/class/enter", urlencode({"code": code, "name": name}), headers)
    found = connection.getresponse().status
    connection.close()
    return found


@pytest.mark.parametrize("path", ["/", "/runs", "/_stcore/host-config", "/media/x.png", "/static/js/index.js"])
def test_whoever_has_not_joined_gets_nothing(server: Server, path: str) -> None:
    assert answer(server, "GET", path).status == 403
    sent = answer(server, "GET", path, Accept="text/html")
    assert (sent.status, (sent.getheader("location") or "").split("?")[0]) == (303, "/class/enter")


def test_a_guess_at_a_cookie_opens_nothing(server: Server) -> None:
    assert answer(server, "GET", "/", Cookie="mnist_class=guess").status == 403


@pytest.mark.parametrize("wanted", ["https://foreign.example", "//foreign.example", "/\\foreign.example", "/\nx"])
def test_joining_never_leads_to_another_site(server: Server, room: Classroom, wanted: str) -> None:
    sent = answer(server, "GET", f"/class/enter?{urlencode({'teacher': room.secret, 'to': wanted})}")
    assert (sent.status, sent.getheader("location")) == (303, "/")
    cookie = sent.getheader("set-cookie") or ""
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()


def test_every_answer_has_the_headers(server: Server) -> None:
    for path in ("/class/enter", "/", "/_stcore/health"):
        sent = answer(server, "GET", path)
        assert sent.getheader("x-content-type-options") == "nosniff"
        assert sent.getheader("x-frame-options") == "DENY"
        assert "frame-ancestors 'none'" in (sent.getheader("content-security-policy") or "")


def test_guesses_at_the_code_are_limited(server: Server, room: Classroom) -> None:
    assert [join(server, "127.0.0.9", "AAAAAA", "Eve") for _ in range(21)] == [403] * 20 + [429]
    assert join(server, "127.0.0.9", room.code, "Eve") == 429


def test_a_student_joins_once_and_can_delete_only_what_is_theirs(
    server: Server, room: Classroom, chromium: Browser, pages: list[Page]
) -> None:
    page = window(chromium, pages, width=390)
    page.goto(f"{server.url}/draw")
    page.get_by_label("Your name").fill("Ada")
    page.get_by_label("Code of the class").fill("AAA-AAA")
    page.get_by_role("button", name="Join").click()
    expect(page.get_by_role("alert")).to_contain_text("not the code of the class")
    page.get_by_label("Code of the class").fill(room.code.lower())
    page.get_by_role("button", name="Join").click()
    screen = Screen(page, server)
    screen.settled()
    assert page.url.startswith(f"{server.url}/draw")
    expect(page.get_by_role("heading", name="Draw a digit")).to_be_visible()
    screen.open("class")
    expect(page.get_by_text("You are Ada")).to_be_visible()
    expect(page.get_by_text("For the teacher")).to_have_count(0)
    screen.open("runs", runs=of_hostile(server))
    expect(screen.key("runs_delete").locator("button").first).to_be_disabled()
    screen.expect_no_exception()


def test_the_teachers_link_makes_a_teacher_and_names_are_only_text(
    server: Server, room: Classroom, chromium: Browser, pages: list[Page]
) -> None:
    page = window(chromium, pages)
    alerts: list[str] = []
    page.on("dialog", lambda dialog: alerts.append(dialog.message))
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text) if "Content Security" in message.text else None)
    joined = join(server, "127.0.0.1", room.code, HOSTILE)
    assert joined == 303
    page.goto(f"{server.url}/class/enter?{urlencode({'teacher': room.secret, 'to': '/class'})}")
    screen = Screen(page, server)
    screen.settled()
    expect(page.get_by_text("For the teacher")).to_be_visible()
    expect(page.get_by_text(room.code)).to_be_visible()
    expect(page.get_by_alt_text("QR picture")).to_be_visible()
    assert page.get_by_alt_text("QR picture").evaluate("picture => picture.naturalWidth") > 100
    assert "teacher=" not in page.url
    theirs = of_hostile(server)
    for path in ("class", "board", "train", "runs"):
        screen.open(path, runs=theirs)
        if path == "class":
            expect(page.get_by_text("2 joined")).to_be_visible()
        if path == "board":
            expect(
                page.locator("h2", has_text="Nobody leads").or_(page.locator("h2", has_text="is first"))
            ).to_be_visible()
        assert page.locator("img[src=x], .katex, [style*='color: red']").count() == 0
    expect(screen.key("runs_delete").locator("button").first).to_be_enabled()
    assert (alerts, refused) == ([], [])
    screen.expect_no_exception()
