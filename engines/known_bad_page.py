"""The known-bad list as the table of docs/doctor.md, which a test compares with the rows.

After a row changed: python -c "from personvit.engines.known_bad_page import table; print(table())"
"""

from __future__ import annotations

from collections.abc import Iterator

from .known_bad_row import Row
from .known_bad_rows import ROWS

TITLES = {"tensorrt": "TensorRT", "tensorrt-rtx": "TensorRT-RTX", "jetpack": "JetPack"}
BATCHES = {"any": "", "one": "one crop only", "several": "several crops"}


def table() -> str:
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield "| row | concerns | what goes wrong | what is done | run by us | source |"
    yield "|---|---|---|---|---|---|"
    for row in ROWS:
        cells = (f"`{row.id}`", concerns(row), f"{row.title} {row.seen}", _done(row), row.run)
        yield f"| {' | '.join(cells)} | {_sources(row)} |"


def concerns(row: Row) -> str:
    """Versions, GPUs, precisions, batch and memory, in words."""
    parts = [f"{TITLES[row.product]} {row.range()}"]
    if row.capabilities:
        parts.append("SM " + ", ".join(f"{major}.{minor}" for major, minor in row.capabilities))
    parts += [", ".join(row.precisions), BATCHES[row.batch]]
    parts += [f"less than {row.below_gib:g} GiB"] if row.below_gib else []
    return "; ".join(part for part in parts if part)


def _done(row: Row) -> str:
    if row.applied:
        return f"by itself (`{row.workaround}`): {row.mend}"
    if row.workaround == "avoid":
        return f"avoid: {row.mend}"
    return f"nothing to do: {row.mend}" if row.settled else row.mend


def _sources(row: Row) -> str:
    links = ", ".join(f"[{number}]({url})" for number, url in enumerate(row.sources, 1))
    return f"{links}, {row.date}"
