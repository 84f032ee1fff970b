"""The report of a comparison: everything in one file, with the numbers of the page and of `compare --json`."""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest
import vl_convert

from mnist_core.cli import main
from mnist_core.comparison.words.comparability import concern_words
from mnist_core.comparison.words.headline import headline
from mnist_core.comparison.words.verdicts import limit_words, loss_verdict_words, verdict_words
from mnist_core.report import documents
from mnist_core.report.comparison_report import Content, as_html, as_markdown, compared, compose, write
from mnist_core.report.documents import Bullets, Heading, Paragraph, Picture, Table, to_html, to_markdown
from mnist_core.report.export import VEGA_LITE
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from mnist_core.text import for_markdown
from tests.support.synthetic import MakeRun, config, guesses

NOW = datetime.datetime(2026, 1, 2, 3, 4)


@pytest.fixture
def runs(make_run: MakeRun, store: Store) -> list[Run]:
    found = [
        make_run("base <b>|*", config((64,)), predictions=guesses(100)),
        make_run("good", config((66,), epochs=20), predictions=guesses(10, seed=4)),
    ]
    (found[0].path / "environment.json").write_text(
        json.dumps(
            {"python": "3.11.7", "mnist_core": "0.1.0", "tensorflow": "2.21.0", "keras": "3.15.1", "numpy": "2.4.6",
             "platform": "Linux", "processor": "AMD EPYC", "threads": 2}
        )
    )  # fmt: skip
    return found


@pytest.fixture
def found(store: Store, runs: list[Run]) -> Content:
    return compared(store, runs)


class Texts(HTMLParser):
    """The texts and the tags with their attributes of an HTML file."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_html_holds_everything_and_asks_for_nothing(found: Content, runs: list[Run]) -> None:
    html = as_html(found, NOW).decode()
    page = Texts(html)
    assert not {tag for tag, _ in page.tags} & {"link", "img", "iframe", "object"}
    addresses = [value for _, attrs in page.tags for name, value in attrs.items() if name in ("src", "href")]
    assert all((address or "").startswith("#") for address in addresses)
    without_scripts = re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL)
    assert "@import" not in without_scripts
    assert not re.search(r"url\((?!#)", without_scripts)
    assert [tag for tag, _ in page.tags].count("svg") == 3
    text = "\n".join(page.texts)
    (verdict,) = found.comparison.verdicts
    pair = found.labels[verdict.baseline], found.labels[verdict.run]
    sentences = [verdict_words(verdict, found.labels), loss_verdict_words(verdict, found.labels)]
    sentences += [limit_words(limit, found.labels) for limit in verdict.limits]
    sentences += [concern_words(item, pair) for item in verdict.concerns]
    sentences += [f"{verdict.table.only_run}", runs[0].status.fingerprint, "2.21.0", "AMD EPYC", runs[1].id]
    sentences += ["02 January 2026, 03:04", "layer 1: units", "base <b>|*"]
    assert [sentence for sentence in sentences if sentence not in text] == []
    # the pictures number their clip paths alike; in one page they must not take each other's
    ids = re.findall(r'\bid="([^"]+)"', without_scripts)
    assert len(set(ids)) == len(ids)
    assert set(re.findall(r"url\(#([^)]+)\)", without_scripts)) <= set(ids)


def test_the_policy_allows_the_one_script_of_the_file_and_no_host(found: Content) -> None:
    html = as_html(found, NOW).decode()
    page = Texts(html)
    (policy,) = [attrs["content"] for tag, attrs in page.tags if tag == "meta" and "http-equiv" in attrs]
    assert policy is not None
    rules = dict(rule.split(maxsplit=1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    scripts = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert (len(scripts), rules["script-src"]) == (1, f"'sha256-{digest}'")
    assert len([tag for tag, _ in page.tags if tag == "script"]) == 4, "Vega, and the data of three charts"


def test_data_of_a_chart_cannot_end_its_element() -> None:
    live = json.dumps({"datasets": {"data": [{"run": "</script><script>alert(1)</script><!--"}]}})
    html = to_html([Picture("p", "<svg></svg>", "what it shows", live)])
    (data,) = re.findall(r'<script type="application/json">(.*?)</script>', html)
    assert json.loads(data) == json.loads(live)
    assert "alert(1)</script>" not in html


def test_charts_show_the_nearest_values_in_the_version_of_vega_lite_that_is_in_the_file(found: Content) -> None:
    """Vega-Lite 6.4 writes `datum` for `datum.datum` in the tooltip of the nearest point, which is not defined."""
    loss = next(block for block in compose(found, NOW) if isinstance(block, Picture) and block.name == "loss")
    compiled = json.dumps(vl_convert.vegalite_to_vega(json.loads(loss.live or ""), vl_version=VEGA_LITE))
    assert 'datum.datum["line0"]' in compiled.replace(r"\"", '"')
    assert json.loads(loss.live or "")["width"] == "container"


def test_a_file_that_would_be_too_large_has_still_pictures(found: Content, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MOST_HTML_BYTES", 900_000)
    html = as_html(found, NOW).decode()
    assert "<script" not in html
    assert "script-src 'none'" in html
    assert html.count("<svg") == 3


def test_a_report_without_a_picture_has_no_script() -> None:
    html = to_html([Heading(1, "a"), Picture("p", "<svg></svg>", "still")])
    assert "<script" not in html


def test_twenty_runs_with_long_histories_fit_into_three_megabytes(make_run: MakeRun, store: Store) -> None:
    runs = [
        make_run(f"run number {number} of twenty", config((32 + number,), epochs=100), predictions=guesses(40 + number))
        for number in range(20)
    ]
    html = as_html(compared(store, runs), NOW)
    assert len(html) <= 3_000_000
    assert html.count(b"application/json") == 4, "the charts are live"


def test_markdown_says_the_same_with_pictures_inside_or_beside(found: Content, tmp_path: Path) -> None:
    single = as_markdown(found, NOW).decode()
    (verdict,) = found.comparison.verdicts
    limits = [limit_words(limit, found.labels) for limit in verdict.limits]
    for line in (verdict_words(verdict, found.labels), *limits):
        assert for_markdown(line) in single
    assert single.count("](data:image/svg+xml;base64,") == 3
    written = write(found, tmp_path / "my report.md", "markdown", NOW)
    assert [path.name for path in written] == [
        "my report.md", "my report-verdicts.svg", "my report-loss.svg", "my report-accuracy.svg",
    ]  # fmt: skip
    assert "](my%20report-loss.svg)" in written[0].read_text()
    assert all(ElementTree.parse(path).getroot().tag.endswith("svg") for path in written[1:])


def test_pictures_of_a_report_with_an_odd_file_name_are_found(found: Content, tmp_path: Path) -> None:
    written = write(found, tmp_path / "a](b) %20 #1.md", "markdown", NOW)
    links = re.findall(r"\]\(([^)\s]+)\)", written[0].read_text())
    assert [unquote(link) for link in links] == [path.name for path in written[1:]]


def test_names_stay_text_in_both_forms() -> None:
    blocks = [
        Heading(1, "<i>a</i>"), Paragraph("[x](y) _a_ model_1 `c`", lead=True), Bullets(["* b"]),
        Table(["<", "|"], [["a|b", "c"]]), Picture("p", '<svg id="c"/>', "<cap>"),
    ]  # fmt: skip
    html, markdown = to_html(blocks), to_markdown(blocks)
    assert "<i>" not in html
    assert unescape(html).count("<i>a</i>") == 2  # title and heading
    assert r"\[x\](y) \_a\_ model_1 \`c\`" in markdown
    assert r"| a\|b | c |" in markdown


def test_the_command_writes_it(
    store: Store,
    runs: list[Run],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ids, where = [run.id for run in runs], ["--store", str(store.root)]
    monkeypatch.setattr(
        "mnist_core.report.comparison_report.as_html",
        lambda found, now: headline(found.comparison, found.labels).encode(),
    )
    assert main(["report", *ids, *where]) == 0
    assert "is better than" in capsys.readouterr().out  # what it looks like is tested above
    out = tmp_path / "report.md"
    assert main(["report", *ids, "--out", str(out), "--json", *where]) == 0
    files = json.loads(capsys.readouterr().out)["files"]
    assert files[0] == str(out)
    assert all(Path(file).is_file() for file in files)
    assert main(["report", *ids, "--out", str(tmp_path / "no" / "report.html"), *where]) == 2
    assert "does not exist" in capsys.readouterr().err
    assert main(["report", *ids, "--out", str(tmp_path), *where]) == 2
    assert "is a folder" in capsys.readouterr().err
    assert main(["report", *ids, "--out", str(tmp_path / ("x" * 300 + ".html")), *where]) == 2
    assert "File name too long" in capsys.readouterr().err
    assert main(["report", *ids, "--out", str(out), *where]) == 0
    assert "(replaced)" in capsys.readouterr().err
    assert main(["report", ids[0], *where]) == 2
    assert "give two or more different runs" in capsys.readouterr().err
