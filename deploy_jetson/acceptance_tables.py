"""What an acceptance found, as tables for a person and as one row for docs/results.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..benchmark.report import Table

if TYPE_CHECKING:
    from .acceptance import Findings

COLUMNS = (
    "device",
    "JetPack",
    "TensorRT",
    "power mode",
    "serves",
    "batch 1 p50 / p95 / p99 ms",
    "largest batch, crops/s",
    "mJ per crop",
    "request p99 ms",
    "accepted",
)
UNKNOWN = "-"


def row(found: Findings) -> tuple[str, ...]:
    """This device in the table of docs/results.md, in the mode that was measured first."""
    device, first = found.device, found.speeds[:1]
    one = next((each for each in found.speeds if each.batch == 1), None)
    mode = first[0].mode if first else UNKNOWN
    same = [each for each in found.speeds if each.mode == mode]
    most = max(same, key=lambda each: each.batch, default=None)
    energy = most.energy.mj_per_crop if most and most.energy else None
    return (
        (device.module or device.gpu or device.arch) + ("" if found.jetson else ", NOT A JETSON"),
        device.jetpack or UNKNOWN,
        device.tensorrt or UNKNOWN,
        mode,
        f"{found.attest['verdict']['chosen']} ({found.attest['runtime']})" if found.attest else "",
        f"{one.call.p50:.2f} / {one.call.p95:.2f} / {one.call.p99:.2f}" if one else UNKNOWN,
        f"{most.crops_per_second:.0f} (batch {most.batch})" if most else UNKNOWN,
        f"{energy:.2f}" if energy is not None else UNKNOWN,
        f"{found.served.request.p99:.1f}" if found.served else UNKNOWN,
        "yes" if found.passed else "no",
    )


def tables(found: Findings) -> tuple[Table, ...]:
    made = [_steps(found), _speeds(found), _soak(found), _pauses(found), _service(found)]
    made.append(Table("Row for docs/results.md", COLUMNS, (row(found),)))
    return tuple(table for table in made if table.rows)


def notes(found: Findings) -> tuple[str, ...]:
    said = list(found.remarks)
    if not found.jetson:
        said.insert(
            0, "NOT A JETSON: this run shows that the steps work, and nothing about a board"
        )
    if any(not each.steady for each in found.speeds):
        said.append("times marked ~ were still changing when they were measured")
    return (found.device.as_text().replace("\n", ";"), *said)


def _steps(found: Findings) -> Table:
    rows = tuple(
        (step.name, "ok" if step.passed else "FAILED", f"{step.seconds:.1f}", step.said)
        for step in found.steps
    )
    return Table("Steps", ("step", "result", "s", "seen"), rows)


def _speeds(found: Findings) -> Table:
    rows = []
    for each in found.speeds:
        energy = each.energy.mj_per_crop if each.energy else None
        rows.append(
            (
                each.mode,
                str(each.batch),
                f"{'' if each.steady else '~'}{each.call.p50:.3f}",
                f"{each.call.p95:.3f}",
                f"{each.call.p99:.3f}",
                f"{each.crops_per_second:.1f}",
                f"{energy:.2f}" if energy is not None else UNKNOWN,
                str(each.call.calls),
            )
        )
    columns = ("power mode", "batch", "p50 ms", "p95", "p99", "crops/s", "mJ/crop", "calls")
    return Table("Speed, warmed up, one engine by itself", columns, tuple(rows))


def _soak(found: Findings) -> Table:
    rows = tuple(
        (
            f"{window.at_s:g}",
            f"{window.call.p50:.3f}",
            f"{window.call.p99:.3f}",
            f"{window.celsius:.1f}" if window.celsius is not None else UNKNOWN,
        )
        for window in found.windows
    )
    return Table("Back to back, largest batch", ("until s", "p50 ms", "p99", "hottest C"), rows)


def _pauses(found: Findings) -> Table:
    rows = tuple(
        (f"{gap.seconds:g}", f"{gap.call.p50:.3f}", f"{gap.call.worst:.3f}") for gap in found.gaps
    )
    return Table("One crop after doing nothing", ("idle s", "p50 ms", "worst"), rows)


def _service(found: Findings) -> Table:
    columns = ("requests", "clients", "per s", "p50 ms", "p95", "p99", "exit code")
    if found.served is None:
        return Table("The service, JPEG to embedding", columns, ())
    one, time = found.served, found.served.request
    cells = (one.requests, one.clients, f"{one.per_second:.1f}", time.p50, time.p95, time.p99)
    return Table(
        "The service, JPEG to embedding",
        columns,
        ((*(str(cell) for cell in cells), str(one.exit_code)),),
    )
