"""A class in a real browser: who has not joined gets nothing, a name is asked once, and roles hold."""

from __future__ import annotations

import http.client
import os
import re
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
from tests.support.accessibility import GRID_CELLS, findings
from tests.support.browser import WAIT_MS, Screen, Server, end_everything, start_server
from tests.support.hostile import MADE_BY_MARKUP
from tests.support.lessons import subjects
from tests.support.synthetic import config, epoch_row
from tests.support.waiting import until

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
        policy = dict(part.split(" ", 1) for part in (sent.getheader("content-security-policy") or "").split("; "))
        assert policy["frame-ancestors"] == "'none'"
        assert re.fullmatch(r"'self' blob:( 'sha256-[\w+/]+=*')*", policy["script-src"])


def test_guesses_at_the_code_are_limited(server: Server, room: Classroom) -> None:
    assert [join(server, "127.0.0.9", "AAAAAA", "Eve") for _ in range(21)] == [403] * 20 + [429]
    assert join(server, "127.0.0.9", room.code, "Eve") == 429


def test_a_student_joins_once_and_can_delete_only_what_is_theirs(
    server: Server, room: Classroom, chromium: Browser, pages: list[Page]
) -> None:
    page = window(chromium, pages, width=390)
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text) if message.type == "error" else None)
    page.goto(f"{server.url}/draw", wait_until="networkidle")
    assert findings(page, exempt=GRID_CELLS) == []
    assert refused == []  # the page of joining asks for nothing that only the class gets
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
    address = page.locator(".class-address")
    address.evaluate("(shown) => { shown.textContent = 'http://mathematics-classroom.school.example:8501'; }")
    assert address.evaluate("(shown) => shown.scrollWidth <= shown.clientWidth")  # a long one takes two lines
    box = address.bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= 390
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
            expect(page.get_by_text(re.compile(r"^\d joined$"))).to_be_visible()
            names = screen.key("class_name").get_by_role("combobox")
            names.click()
            page.get_by_role("option", name=HOSTILE, exact=True).click()
            expect(names).to_have_value(HOSTILE)
            count = int(page.locator("h2", has_text="joined").inner_text().split()[0])
            assert join(server, "127.0.0.1", room.code, "Late") == 303  # while the page stays open
            expect(page.locator("h2", has_text=f"{count + 1} joined")).to_be_visible()
            expect(names).to_have_value(HOSTILE)  # the choice of before is still there
            expect(screen.key("class_remove").get_by_role("button")).to_be_enabled()
            names.click()
            expect(page.get_by_role("option", name="Late", exact=True)).to_be_visible()
            page.keyboard.press("Tab")
        if path == "board":
            expect(
                page.locator("h2", has_text="Nobody leads").or_(page.locator("h2", has_text="is first"))
            ).to_be_visible()
        assert page.locator(MADE_BY_MARKUP).count() == 0
        if path in ("class", "board"):
            assert findings(page, exempt=GRID_CELLS) == []
    expect(screen.key("runs_delete").locator("button").first).to_be_enabled()
    assert (alerts, refused) == ([], [])
    screen.expect_no_exception()


def test_the_teacher_stops_pins_and_deletes_what_a_student_cannot(
    server: Server, room: Classroom, chromium: Browser, pages: list[Page]
) -> None:
    theirs = Store(server.store.root, who=lambda: student("Ben"))
    run = theirs.add(config((8,), epochs=50), name="Ben's run")[0]
    writer = theirs.open_writer(run.id)  # this process trains it, as far as the others can tell
    assert writer is not None
    writer.started([])
    writer.epoch(epoch_row(1))
    of_student, of_teacher = window(chromium, pages), window(chromium, pages)
    of_student.goto(f"{server.url}/class/enter?{urlencode({'code': room.code})}")
    of_student.get_by_label("Your name").fill("Eve")
    of_student.get_by_role("button", name="Join").click()
    of_teacher.goto(f"{server.url}/class/enter?{urlencode({'teacher': room.secret})}")
    eve, teacher = Screen(of_student, server), Screen(of_teacher, server)

    for screen in (eve, teacher):
        screen.settled()
        screen.open("train")
        expect(screen.page.get_by_text("of Ben", exact=True).first).to_be_visible()
        if screen is eve:
            expect(screen.key(f"live_cancel_{run.id}")).to_have_count(0)
    teacher.key(f"live_cancel_{run.id}").get_by_role("button").click()
    until(lambda: writer.cancel_requested)
    writer.ended("cancelled", "cancelled in epoch 2 of 50")

    eve.open("class")
    teacher.open("class")
    expect(eve.key("class_pinned")).to_have_count(0)
    teacher.key("class_pinned").locator("input").fill("Ben's run")
    of_teacher.get_by_role("option").filter(has_text="Ben's run").first.wait_for()
    of_teacher.keyboard.press("Enter")
    expect(teacher.key("class_pinned")).to_contain_text("Ben's run")
    of_teacher.keyboard.press("Escape")
    teacher.settled()
    teacher.key("class_pin").get_by_role("button").click()
    expect(of_teacher.get_by_text("Pinned.")).to_be_visible()
    until(lambda: Classroom(server.store.root).pinned == (run.id,))

    for screen in (eve, teacher):
        screen.open("runs", runs=run.id)
        button = screen.key("runs_delete").get_by_role("button").first
        if screen is eve:
            expect(button).to_be_disabled()
        else:
            button.click()
    until(lambda: run.id not in [found.id for found in server.store.runs()])
    for screen in (eve, teacher):
        screen.expect_no_exception()


# -- a student's phone -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def phone(server: Server, chromium: Browser) -> Iterator[Screen]:
    """The phone of a student, who has scanned the code and given a name."""
    context = chromium.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    context.set_default_timeout(WAIT_MS)
    expect.set_options(timeout=WAIT_MS)
    page = context.new_page()
    page.goto(f"{server.url}/class/enter?{urlencode({'code': Classroom(server.store.root).code})}")
    page.get_by_label("Your name").fill("Dora")
    page.get_by_role("button", name="Join").tap()
    screen = Screen(page, server)
    screen.settled()
    yield screen
    context.close()


def fits(phone: Screen) -> bool:
    """True if nothing of the page is wider than the phone."""
    return bool(phone.page.evaluate("document.documentElement.scrollWidth <= 390"))


def kept(phone: Screen, name: str) -> None:
    """Keep a picture of the screen in the folder that E2E_SCREENSHOTS names, if it names one."""
    if folder := os.environ.get("E2E_SCREENSHOTS"):
        phone.page.screenshot(path=str(Path(folder) / f"{name}.png"))


def test_a_students_phone_opens_compare(phone: Screen) -> None:
    runs = [phone.server.store.find(name) for name in (seed.SMALL, seed.LARGE)]
    phone.open("", runs=",".join(run.id for run in runs))
    expect(phone.key("answer")).to_contain_text(seed.SMALL)
    charts = phone.page.get_by_test_id("stVegaLiteChart")
    expect(charts.first.locator("svg, canvas").first).to_be_visible()
    kept(phone, "phone-compare")
    assert fits(phone)
    phone.expect_no_exception()


def test_a_digit_drawn_by_a_finger_on_a_students_phone_is_answered(phone: Screen) -> None:
    phone.open("draw", runs=phone.server.store.find(seed.SMALL).id)
    expect(phone.page.locator(".weights[data-network]")).to_have_count(1)
    pad = phone.page.locator(".draw .pad")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    assert box is not None
    finger = phone.page.context.new_cdp_session(phone.page)
    for step in range(9):
        place = {"x": box["x"] + box["width"] * 0.5, "y": box["y"] + box["height"] * (0.2 + 0.07 * step)}
        finger.send("Input.dispatchTouchEvent", {"type": "touchMove" if step else "touchStart", "touchPoints": [place]})
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect(phone.page.locator(".draw .card")).to_have_attribute("data-source", "server")
    expect(phone.page.locator(".draw .bars")).to_have_attribute("aria-label", re.compile(rf"^{seed.SMALL}: \d at "))
    kept(phone, "phone-draw")
    assert fits(phone)
    phone.expect_no_exception()


def test_a_lesson_asks_a_students_phone_first_and_then_answers(phone: Screen) -> None:
    (subject,) = subjects("centred").values()
    assert subject.run is not None
    reference = phone.server.store.root / "reference"
    shutil.copytree(subject.run.path, reference / subject.run.id, dirs_exist_ok=True)
    phone.open("lessons", lesson="centred")
    given = phone.page.get_by_role("spinbutton")
    given.fill("30")
    given.press("Enter")
    phone.settled()
    phone.key("lesson_predict").get_by_role("button").click()
    expect(phone.page.get_by_role("heading", name=re.compile("You predicted 30 %; it is [0-9.]+ %"))).to_be_visible()
    kept(phone, "phone-lesson")
    assert fits(phone)
    phone.expect_no_exception()
