"""The report as one HTML page that asks for nothing: no script, no request, readable on paper."""

from __future__ import annotations

from pathlib import Path

from .. import __version__
from ..core.files import write_atomically
from .page_accuracy import accuracy, decision
from .page_candidates import candidates
from .page_layers import fusion, sensitivity
from .page_made import made, setting
from .page_parts import Markup, element, joined, paragraph, safe, signed
from .page_queries import changed
from .page_scores import scores
from .page_style import STYLE
from .report_data import ReportData
from .verdict import Verdict

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_WORDS = {"pass": "Passed", "fail": "Failed", "undecided": "Undecided"}
_SIGNS = {"pass": "M13 23l7 7 13-15", "fail": "M15 15l16 16M31 15L15 31"}
_QUESTION = "M17 18c0-8 13-8 12 0 0 5-6 5-6 10M23 34v.5"


def render(data: ReportData) -> str:
    """The whole page, the verdict first; what `data` lacks is left out."""
    parts = (
        _header(data),
        _verdict(data.verdict),
        _tiles(data),
        decision(data),
        candidates(data),
        made(data),
        accuracy(data),
        scores(data),
        sensitivity(data),
        fusion(data),
        changed(data),
        setting(data),
        _footer(),
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<link rel="icon" href="data:,">\n'
        f"{element('title', _title(data)).text}\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n{joined(*parts).text}\n</main>\n</body>\n</html>\n"
    )


def write_page(path: Path, data: ReportData) -> None:
    write_atomically(path, render(data))


def _title(data: ReportData) -> str:
    return f"{_WORDS[data.verdict.decision]}: {data.title}"


def _header(data: ReportData) -> Markup:
    subject = paragraph(data.subject, "lead") if data.subject else Markup("")
    kicker = paragraph("PersonViT-Edge export report", "kicker")
    return element("header", [joined(kicker, element("h1", data.title), subject)])


def _verdict(verdict: Verdict) -> Markup:
    word = _WORDS[verdict.decision]
    about = "accuracy gate" if verdict.kind == "accuracy" else "agreement gate (not accuracy)"
    path = _SIGNS.get(verdict.decision, _QUESTION)
    sign = Markup(
        f'<svg viewBox="0 0 46 46" aria-hidden="true"><g fill="none" stroke="var(--'
        f'{verdict.decision})" stroke-width="3.5" stroke-linecap="round" stroke-linejoin="round">'
        f'<circle cx="23" cy="23" r="20"/><path d="{path}"/></g></svg>'
    )
    rule = element("code", verdict.rule)
    sentence = verdict.sentence.partition(": ")[2] or verdict.sentence
    said = joined(
        element("strong", word),
        paragraph(sentence),
        paragraph(Markup(f"Rule of the {about}: {safe(rule)}"), "quiet"),
    )
    return element("div", [sign, element("div", [said])], class_=f"verdict {verdict.decision}")


def _tiles(data: ReportData) -> Markup:
    tiles = [*_accuracy_tiles(data), *_speed_tiles(data), *_size_tiles(data)]
    return element("div", [joined(*tiles)], class_="tiles") if tiles else Markup("")


def _accuracy_tiles(data: ReportData) -> list[Markup]:
    tiles = []
    if data.scores is not None:
        before, after = 100 * data.scores.reference.mean_ap, 100 * data.scores.candidate.mean_ap
        more = f"{data.before} {before:.2f}, change {signed(after - before)} points"
        tiles.append(_tile("mAP", f"{after:.2f} %", more))
    if data.cosines is not None:
        more = f"smallest {data.cosines.smallest:.4f} of {data.cosines.crops:,} crops"
        name = f"cosine to {data.before}, median"
        tiles.append(_tile(name, f"{data.cosines.percentiles['p50']:.4f}", more))
    return tiles


def _speed_tiles(data: ReportData) -> list[Markup]:
    """The best contender at the smallest batch, against the baseline of the run."""
    if data.latency is None or not data.latency.speedups:
        return []
    least = min(each.batch for each in data.latency.speedups)
    best = max(
        (each for each in data.latency.speedups if each.batch == least),
        key=lambda each: each.median,
    )
    more = f"{best.name} against {best.over}, batch {least}"
    return [_tile("speed", f"{best.median:.2f} times", more)]


def _size_tiles(data: ReportData) -> list[Markup]:
    if data.size_before is None or not data.variants:
        return []
    least = min(data.variants, key=lambda each: each.size)
    ratio = data.size_before / least.size
    more = f"{least.name}, from {data.size_before / 1e6:.1f} MB ({ratio:.1f} times smaller)"
    return [_tile("smallest variant", f"{least.size / 1e6:.1f} MB", more)]


def _tile(name: str, shown: str, more: str) -> Markup:
    parts = (("name", name), ("figure", shown), ("more", more))
    return element(
        "div", [element("div", text, class_=kind) for kind, text in parts], class_="tile"
    )


def _footer() -> Markup:
    return element("footer", [paragraph(f"Written by PersonViT-Edge {__version__}.", "quiet")])
