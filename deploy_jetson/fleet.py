"""Which devices of a fleet differ from the others, and in what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from .inquiry import Answer, plain, table

SLOWER = 1.25
"""Times the median latency of like devices at which a device is named."""

DEVICE_FACTS = ("module", "l4t", "jetpack", "tensorrt", "cuda", "driver", "power_mode")
SERVING_FACTS = ("name", "bundle", "serial", "variant", "runtime", "sound")


@dataclass(frozen=True)
class Row:
    """What one device serves, on what."""

    host: str
    problem: str
    facts: Mapping[str, Any]
    latency: Mapping[str, float]
    """Milliseconds per crop, by batch size."""


@dataclass(frozen=True)
class Fleet:
    rows: tuple[Row, ...]
    findings: tuple[str, ...]

    def as_json(self) -> Mapping[str, Any]:
        rows = [
            {"host": row.host, "problem": row.problem, **row.facts, "latency_ms": dict(row.latency)}
            for row in self.rows
        ]
        return {"devices": rows, "findings": list(self.findings)}

    def as_text(self) -> str:
        head = ("host", "module", "serves", "bundle", "serial", "variant", "runtime", "ms per crop")
        table = [head, *(_cells(row) for row in self.rows)]
        lines = ["| " + " | ".join(cells) + " |" for cells in table]
        lines.insert(1, "|" + "---|" * len(head))
        found = [f"- {finding}" for finding in self.findings]
        return plain("\n".join([*lines, "", *(found or ["All devices agree."])]))


def compare(answers: Sequence[Answer]) -> Fleet:
    rows = tuple(_row(answer) for answer in answers)
    return Fleet(rows, tuple(_findings(rows)))


def _row(answer: Answer) -> Row:
    status = table(answer.report.get("status"))
    device, serving = table(status.get("device")), table(status.get("serving"))
    facts = {
        "tool": status.get("tool"),
        **{name: device.get(name) for name in DEVICE_FACTS},
        **{name: serving.get(name) for name in SERVING_FACTS},
        "keys": status.get("keys") or None,
    }
    problem = answer.problem or str(status.get("problem", ""))
    if not problem and not serving:
        problem = "nothing serves there"
    elif not problem and not serving.get("sound"):
        problem = str(serving.get("why") or "what serves there is not sound")
    times = table(serving.get("latency_ms")).items()
    latency = {batch: float(value) for batch, value in times if isinstance(value, (int, float))}
    return Row(answer.host, problem, facts, latency)


def _findings(rows: Sequence[Row]) -> Iterator[str]:
    yield from (f"{row.host}: {row.problem}" for row in rows if row.problem)
    told = [row for row in rows if any(row.facts.values())]
    for name in told[0].facts if told else ():
        yield from _different(name, [row for row in told if name in row.facts])
    yield from _slow([row for row in told if not row.problem])


def _different(name: str, rows: Sequence[Row]) -> Iterator[str]:
    """With a majority, those outside it; without one, who has what."""
    counts = Counter(str(row.facts[name]) for row in rows)
    usual, most = counts.most_common(1)[0]
    if len(counts) == 1:
        return
    if most * 2 > len(rows):
        for row in rows:
            if str(row.facts[name]) != usual:
                found = _short(row.facts[name])
                yield f"{row.host} differs in {name}: {found}, most have {_short(usual)}"
    else:
        groups = [
            f"{_short(value)} ({', '.join(r.host for r in rows if str(r.facts[name]) == value)})"
            for value in sorted(counts)
        ]
        yield f"devices are split in {name}: {'; '.join(groups)}"


def _slow(rows: Sequence[Row]) -> Iterator[str]:
    """Only like is compared with like: one module, one bundle, one variant."""
    for row in rows:
        like = [other for other in rows if _kind(other) == _kind(row)]
        for batch, value in row.latency.items():
            usual = median(other.latency[batch] for other in like if batch in other.latency)
            if value > SLOWER * usual:
                yield (
                    f"{row.host} takes {value:.2f} ms per crop at batch {batch}, devices like it "
                    f"{usual:.2f}; compare power mode, clocks and temperature"
                )


def _kind(row: Row) -> tuple[Any, ...]:
    return tuple(row.facts[name] for name in ("module", "bundle", "variant", "runtime"))


def _cells(row: Row) -> tuple[str, ...]:
    names = ("module", "name", "bundle", "serial", "variant", "runtime")
    times = ", ".join(f"{value:.2f} at {batch}" for batch, value in row.latency.items())
    facts = (_short(row.facts[name]) for name in names)
    return (row.host, *facts, times or "-")


def _short(value: Any) -> str:
    text = "-" if value is None or value == "None" else str(value)
    return f"{text[:12]}..." if len(text) == 64 else text.replace("|", "/")
