"""The page is complete, self-contained and well-formed, whatever the names in it."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from personvit.benchmark.page import render, write_page
from personvit.benchmark.page_markdown import as_markdown
from personvit.benchmark.pictures import data_uri
from personvit.benchmark.report_data import ReportData
from personvit.core.errors import DataError

VOID = {"meta", "link", "img", "line", "path", "rect", "circle", "br"}
ADDRESSES = ("src", "href", "srcset", "action", "data", "poster", "background", "xlink:href")


class Reader(HTMLParser):
    """Collects what a browser would act on; fails on tags that do not nest."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {key: value or "" for key, value in attributes}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {key: value or "" for key, value in attributes}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def of(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def values(self, attribute: str) -> list[str]:
        return [found[attribute] for _, found in self.tags if attribute in found]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


REPORTS = ["full_report", "small_report", "hostile_report"]


@pytest.fixture(params=REPORTS)
def report(request: pytest.FixtureRequest) -> ReportData:
    return request.getfixturevalue(request.param)


def test_it_asks_for_nothing_from_anywhere(report: ReportData) -> None:
    page = render(report)
    reader = Reader(page)
    for attribute in ADDRESSES:
        assert all(value.startswith("data:") for value in reader.values(attribute)), attribute
    assert not {"script", "iframe", "object", "embed", "base", "form"} & {t for t, _ in reader.tags}
    assert not [key for _, found in reader.tags for key in found if key.startswith("on")]
    style = page[page.index("<style>") : page.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    assert "default-src 'none'" in reader.of("meta")[1]["content"]


def test_ids_are_unique_and_every_reference_has_its_target(report: ReportData) -> None:
    reader = Reader(render(report))
    ids = reader.values("id")
    assert len(ids) == len(set(ids))
    for references in reader.values("aria-labelledby"):
        assert set(references.split()) <= set(ids)


def test_it_can_be_read_without_seeing_it(full_report: ReportData) -> None:
    reader = Reader(render(full_report))
    assert all(image["alt"] for image in reader.of("img"))
    assert all(chart.get("role") == "img" for chart in reader.of("svg") if "class" in chart)
    assert len(reader.of("caption")) == len(reader.of("table"))
    assert all(head.get("scope") in ("row", "col") for head in reader.of("th"))
    assert len(reader.of("h1")) == len(reader.of("main")) == 1
    assert next(value for value in reader.values("lang")) == "en"


def test_the_verdict_comes_first_and_every_section_is_there(full_report: ReportData) -> None:
    text = Reader(render(full_report)).text
    sentence = full_report.verdict.sentence.partition(": ")[2].replace(" %", "\N{NO-BREAK SPACE}%")
    order = [
        "Passed",
        " ".join(sentence.split()),
        "How it was decided",
        "What was made",
        "Accuracy and latency",
        "Mixed galleries",
        "Scores and match thresholds",
        "How far INT8 turns embeddings",
        "Which layers suffer",
        "Fused attention",
        "Where it hurts most",
        "Machine, versions, command",
        full_report.command,
    ]
    places = [text.index(words) for words in order]
    assert places == sorted(places)
    assert full_report.setting is not None
    assert full_report.setting.machine.cpu in text
    assert "checked at install" in text


@pytest.mark.parametrize("decision", ["pass", "fail", "undecided"])
def test_each_verdict_has_its_word_colour_and_title(full_report, decision: str) -> None:
    page = render(replace(full_report, verdict=replace(full_report.verdict, decision=decision)))
    word = {"pass": "Passed", "fail": "Failed", "undecided": "Undecided"}[decision]
    assert f"<title>{word}: " in page
    assert f'class="verdict {decision}"' in page


def test_a_verdict_alone_makes_a_page(small_report: ReportData) -> None:
    text = Reader(render(small_report)).text
    assert "Passed" in text
    for absent in ("What was made", "Latency", "Fused attention", "Where it hurts"):
        assert absent not in text


def test_an_agreement_says_that_it_is_not_accuracy(small_report: ReportData) -> None:
    verdict = replace(small_report.verdict, kind="agreement", rule="agreement")
    assert "agreement gate (not accuracy)" in render(replace(small_report, verdict=verdict))


def test_bounds_without_a_number_are_drawn_too(small_report: ReportData) -> None:
    checks = tuple(
        replace(check, lower=float("-inf"), error=0.0) for check in small_report.verdict.checks
    )
    page = render(replace(small_report, verdict=replace(small_report.verdict, checks=checks)))
    assert "nan" not in page
    Reader(page)


def test_names_from_outside_stay_text(hostile_report: ReportData) -> None:
    reader = Reader(render(hostile_report))
    assert "<script>alert(1)</script>" in reader.text
    assert not reader.of("script")
    markdown = as_markdown(hostile_report)
    assert "<script" not in markdown.replace("\\<", "").partition("```")[0]


def test_pictures_are_small_jpegs_inside_the_page(full_report: ReportData) -> None:
    page = render(full_report)
    assert len(page) < 600_000
    addresses = [image["src"] for image in Reader(page).of("img")]
    assert len(addresses) == 4 * 11
    for address in addresses[:3]:
        data = base64.b64decode(address.partition("base64,")[2])
        image = Image.open(io.BytesIO(data))
        assert image.format == "JPEG"
        assert image.height <= 192


def test_a_picture_keeps_its_shape_and_is_never_enlarged() -> None:
    tall = np.zeros((256, 128, 3), dtype=np.uint8)
    assert data_uri(tall, 128)[1] == 64
    assert data_uri(tall[:20], 128)[1] == 128
    with pytest.raises(DataError, match="height x width x RGB"):
        data_uri(np.zeros((4, 4)), 64)


def test_the_same_report_gives_the_same_bytes(full_report: ReportData, tmp_path: Path) -> None:
    assert render(full_report) == render(full_report)
    write_page(tmp_path / "report" / "index.html", full_report)
    assert (tmp_path / "report" / "index.html").read_text("utf-8") == render(full_report)


def test_markdown_tells_the_same(full_report: ReportData, small_report: ReportData) -> None:
    text = as_markdown(full_report)
    assert text.index(full_report.verdict.sentence) < text.index("## What was made")
    assert full_report.scores is not None
    shown = f"{100 * full_report.scores.candidate.mean_ap:.2f}"
    assert shown in text
    assert shown in render(full_report)
    assert full_report.command in text
    tables = re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE)
    for table in tables:
        bars = {line.replace("\\|", "").count("|") for line in table.strip().split("\n")}
        assert len(bars) == 1
    assert len(tables) == 11
    assert "What was made" not in as_markdown(small_report)


def test_what_the_data_cannot_show_is_said_and_not_left_blank(full_report: ReportData) -> None:
    thresholds, latency = full_report.thresholds, full_report.latency
    assert thresholds is not None
    assert latency is not None
    assert "p99" in render(full_report)
    unknown = replace(thresholds.reference[2], threshold=None, tar=None, exceedances=12)
    few = replace(
        full_report,
        thresholds=replace(thresholds, reference=(*thresholds.reference[:2], unknown)),
        latency=replace(latency, timings=tuple(replace(t, p99=None) for t in latency.timings)),
    )
    page = render(few)
    assert "p99" not in page
    assert "not resolvable" in page
    assert "12 pairs behind it" in page
    assert "not resolvable (pairs behind it: 12)" in as_markdown(few)


def test_candidates_stand_side_by_side_and_a_reason_is_told(full_report: ReportData) -> None:
    page, text = Reader(render(full_report)).text, as_markdown(full_report)
    for shown in (page, text):
        assert "93.5 %" in shown
        assert "not judged" in shown
        assert "Left out: blocks.3.attn.query reaches" in shown
    alone = replace(full_report, candidates=full_report.candidates[:1])
    assert 'id="candidates"' not in render(alone)
    assert "## Candidates" not in as_markdown(alone)
