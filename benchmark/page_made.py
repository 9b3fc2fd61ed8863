"""The page's sections on what was made, and on where, with what and how to make it again."""

from __future__ import annotations

from .page_parts import (
    Content,
    Markup,
    card,
    columns,
    element,
    joined,
    paragraph,
    section,
    size_of,
    table,
)
from .report_data import ReportData


def made(data: ReportData) -> Markup:
    if not data.variants:
        return Markup("")
    whole = max([data.size_before or 0, *(each.size for each in data.variants)]) or 1
    rows: list[list[Content]] = []
    if data.size_before is not None:
        weights = f"{data.before} weights"
        rows.append(
            [
                weights,
                "",
                data.before,
                "",
                _meter(data.size_before, whole),
                size_of(data.size_before),
            ]
        )
    for each in data.variants:
        shown = (_meter(each.size, whole), size_of(each.size))
        rows.append([each.name, each.runtime, each.precision, each.note, *shown])
    head = ("variant", "for", "precision", "", "", "size")
    body = table("what the bundle holds", head, rows, text=4)
    return section("made", "What was made", element("div", [body], class_="card"))


def setting(data: ReportData) -> Markup:
    """Machine, versions, command."""
    cards = [_machine(data), _facts(data), _stages(data)]
    shown = [each for each in cards if each.text]
    again = Markup("")
    if data.command:
        again = joined(
            element("h3", "The command that makes this again"),
            element("pre", [element("code", data.command)]),
        )
    notes = joined(*(paragraph(note, "quiet") for note in data.notes))
    if not (shown or again.text or notes.text):
        return Markup("")
    parts = (columns(*shown) if shown else Markup(""), again, notes)
    return section("setting", "Machine, versions, command", *parts)


def _machine(data: ReportData) -> Markup:
    if data.setting is None:
        return Markup("")
    machine = data.setting.machine
    rows = {
        "processor": f"{machine.cpu}, {machine.cores} cores",
        "instructions": machine.instruction_class,
        "memory": f"{machine.memory_bytes / 2**30:.0f} GiB",
        "system": machine.system,
        "load before": "unknown" if data.setting.load is None else str(data.setting.load),
        "date": data.setting.date,
        "Python": machine.python,
        **machine.packages,
    }
    return card("Machine and versions", _list(rows))


def _facts(data: ReportData) -> Markup:
    rows = {name: str(value) for name, value in data.facts.items()}
    return card("Inputs", _list(rows)) if rows else Markup("")


def _stages(data: ReportData) -> Markup:
    if not data.stages:
        return Markup("")
    total = sum(seconds for _, seconds in data.stages)
    rows = [[name, f"{seconds:.1f}"] for name, seconds in data.stages]
    body = table(f"{total:.0f} seconds in all", ("stage", "seconds"), rows)
    return card("How long it took", body)


def _list(rows: dict[str, str]) -> Markup:
    parts = [
        joined(element("dt", name), element("dd", value)) for name, value in rows.items() if value
    ]
    return element("dl", [joined(*parts)])


def _meter(size: int, whole: int) -> Markup:
    share = max(1.0, 100 * size / whole)
    return Markup(f'<span class="meter"><i style="width:{share:.0f}%"></i></span>')
