"""The page's section on match scores: their spread, the thresholds, and the drift of directions."""

from __future__ import annotations

from .charts import Curve, Mark, density_chart
from .page_parts import (
    Content,
    Markup,
    card,
    columns,
    element,
    figure,
    joined,
    paragraph,
    section,
    table,
)
from .report_data import Histogram, ReportData
from .thresholds import Threshold

_NEGLIGIBLE = 5e-4


def scores(data: ReportData) -> Markup:
    upper = [each for each in (_spread(data), _threshold_card(data)) if each.text]
    shown = [columns(*upper)] if upper else []
    drift = _drift(data)
    if drift.text:
        shown.append(drift)
    if not shown:
        return Markup("")
    lead = (
        "A match threshold turns a cosine into a yes or no. It is measured on training identities, "
        "which the gate never looks at, and must move when the scores move."
    )
    return section("scores", "Scores and match thresholds", *shown, lead=lead)


def _spread(data: ReportData) -> Markup:
    shares = data.score_shares
    if shares is None:
        return Markup("")
    low, high = _support(
        shares.genuine_before,
        shares.genuine_after,
        shares.impostor_before,
        shares.impostor_after,
    )
    curves = [
        Curve("impostor", _cut(shares.impostor_after, low, high), "impostor", True),
        Curve("genuine", _cut(shares.genuine_after, low, high), "genuine", True),
        Curve("impostor", _cut(shares.impostor_before, low, high), "impostor", False),
        Curve("genuine", _cut(shares.genuine_before, low, high), "genuine", False),
    ]
    words = (
        "Two humps: cosines of pairs of two people on the left, of pairs of one person on the "
        "right, each before and after quantising; vertical lines mark match thresholds."
    )
    chart = density_chart(
        "spread", "Spread of match scores", words, low, high, curves, _marks(data)
    )
    key = _key(
        ("genuine", f"same person, {data.after}"),
        ("impostor", f"two people, {data.after}"),
        ("dashed", f"{data.before}, dashed"),
    )
    caption = (
        "Cross-camera pairs; each hump has the same area. Lines: thresholds at the stated FAR."
    )
    return card("How scores spread", figure(chart, caption), key)


def _support(*parts: Histogram) -> tuple[float, float]:
    """The part of the axis where anything is to be seen; all parts have the same bins."""
    low, high, bins = parts[0].low, parts[0].high, len(parts[0].shares)
    step = (high - low) / bins
    seen = [n for part in parts for n, share in enumerate(part.shares) if share > _NEGLIGIBLE]
    first, last = (min(seen), max(seen)) if seen else (0, bins - 1)
    return round(low + step * first, 6), round(low + step * (last + 1), 6)


def _cut(histogram: Histogram, low: float, high: float) -> tuple[float, ...]:
    step = (histogram.high - histogram.low) / len(histogram.shares)
    first, last = (round((end - histogram.low) / step) for end in (low, high))
    return histogram.shares[first:last]


def _marks(data: ReportData) -> list[Mark]:
    """Both thresholds at the middle rate; more lines would hide the humps."""
    if data.thresholds is None:
        return []
    found = []
    names = ((data.before, "before"), (data.after, ""))
    rows = (data.thresholds.reference, data.thresholds.candidate)
    for (name, kind), thresholds in zip(names, rows, strict=True):
        solid = [each for each in thresholds if each.threshold is not None]
        for each in solid[len(solid) // 2 : len(solid) // 2 + 1]:
            value = each.threshold or 0.0
            found.append(Mark(value, f"{name} {value:.3f} at FAR {each.far:g}", kind))
    return found


def _threshold_card(data: ReportData) -> Markup:
    found = data.thresholds
    if found is None:
        return Markup("")
    rows: list[list[Content]] = []
    for old, new in zip(found.reference, found.candidate, strict=True):
        rows.append([f"{old.far:g}", _value(old), _tar(old), _value(new), _tar(new)])
    head = ("FAR", data.before, "TAR", data.after, "TAR")
    pairs = f"{found.impostor_pairs:,} impostor and {found.genuine_pairs:,} genuine pairs"
    body = table(f"{pairs} of {found.identities:,} people", head, rows)
    kept = [
        f"keeping {each.threshold:.4f} (FAR {each.far:g}) would give FAR {each.new_far:.2g}"
        for each in found.kept
    ]
    notes = ["FAR: share of pairs of two people that are accepted; TAR: of one person."]
    if kept:
        notes.append(f"With the old thresholds on the new model, {'; '.join(kept)}.")
    return card("Match thresholds", body, *(paragraph(note, "quiet") for note in notes))


def _value(each: Threshold) -> Content:
    if each.threshold is None or each.low is None or each.high is None:
        behind = f"{each.exceedances} pair{'' if each.exceedances == 1 else 's'} behind it"
        return joined(Markup("not resolvable"), element("span", behind, class_="range-of"))
    spread = element("span", f"{each.low:.3f} to {each.high:.3f}", class_="range-of")
    return joined(Markup(f"{each.threshold:.4f}"), spread)


def _tar(each: Threshold) -> str:
    return "" if each.tar is None else f"{100 * each.tar:.2f} %"


def _drift(data: ReportData) -> Markup:
    if data.cosines is None:
        return Markup("")
    parts = []
    if data.cosine_shares is not None:
        shares = data.cosine_shares
        words = f"Cosines of {data.cosines.crops} crops, smallest {data.cosines.smallest:.4f}."
        low, high = _support(shares)
        curve = Curve("cosine", _cut(shares, low, high), "cosine", True)
        title = f"Cosine between {data.before} and {data.after}"
        chart = density_chart("drift", title, words, low, high, [curve])
        parts.append(figure(chart, "One value per crop; 1 means the same direction."))
    rows: list[list[Content]] = [["smallest", f"{data.cosines.smallest:.4f}"]]
    for name, value in data.cosines.percentiles.items():
        rows.append([f"{name.removeprefix('p')} % of crops lie below", f"{value:.4f}"])
    rows.append(["mean", f"{data.cosines.mean:.4f}"])
    body = table(f"{data.cosines.crops:,} crops", ("", "cosine"), rows)
    return card(f"How far {data.after} turns embeddings", columns(*parts, body))


def _key(*entries: tuple[str, str]) -> Markup:
    items = [element("li", [element("i", class_=kind), name]) for kind, name in entries]
    return element("ul", items, class_="key")
