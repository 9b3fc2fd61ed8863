"""The page's table of candidates: what each costs, and which of them the bundle carries."""

from __future__ import annotations

from .page_parts import Content, Markup, element, joined, paragraph, section, signed, size_of, table
from .report_data import CandidateRow, ReportData
from .verdict import Check

HEAD = (
    "candidate", "in the bundle", "gate", "main check", "95 % bounds", "cosine, median",
    "smallest", "INT8", "size",
)  # fmt: skip


def candidates(data: ReportData) -> Markup:
    """Nothing where there is only one."""
    if len(data.candidates) < 2:
        return Markup("")
    rows: list[list[Content]] = []
    for row in data.candidates:
        shown: list[Content] = [*cells(row)]
        if row.decision:
            shown[2] = element("span", row.decision, class_=f"word {row.decision}")
        rows.append(shown)
    caption = f"{data.verdict.checks[0].name}, by one engine of each on this machine"
    body = table(caption, HEAD, rows, text=3)
    told = [
        joined(element("dt", row.name), element("dd", explained(row))) for row in data.candidates
    ]
    lead = (
        "A device builds and times every candidate that the bundle carries, and serves the fastest "
        "that agrees with this machine."
    )
    more = paragraph("INT8: the share of all matrix work that the recipe quantises.", "quiet")
    parts = joined(body, more, element("dl", [joined(*told)]))
    return section("candidates", "Candidates", element("div", [parts], class_="card"), lead=lead)


def cells(row: CandidateRow) -> list[str]:
    """The row of a table, for this page and for Markdown."""
    change, cosines = row.change, row.cosines
    return [
        row.name,
        row.place,
        row.decision or "not judged",
        f"{_number(change, change.estimate)} {change.unit}" if change else "",
        f"{_number(change, change.lower)} to {_number(change, change.upper)}" if change else "",
        _minus(f"{cosines.percentiles['p50']:.4f}") if cosines else "",
        _minus(f"{cosines.smallest:.4f}") if cosines else "",
        f"{100 * row.int8_share:.1f} %",
        "" if row.size is None else size_of(row.size),
    ]


def _number(check: Check, value: float) -> str:
    return signed(value) if check.unit == "points" else f"{value:.3f}"


def _minus(number: str) -> str:
    return number.replace("-", "\N{MINUS SIGN}")


def explained(row: CandidateRow) -> str:
    """What it is, what was run to judge it, and why it was left out."""
    said = f"{row.what}. Judged as: {row.judged}."
    return f"{said} Left out: {row.reason}" if row.reason else said
