"""The report of a GPU bench: latency, throughput, share of the roofline, energy, who was absent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from .gpu_entrants import BASELINE, ENTRANTS
from .gpu_race import Timing
from .gpu_watch import Watched
from .report import Report, Setting, Table
from .roofline import Peaks, VitSize, for_device

if TYPE_CHECKING:
    from ..core.models.config import ModelConfig

Key = tuple[str, int]
"""An entrant's name and a batch size."""

Energies = Mapping[Key, tuple[Watched, int]]
"""What was seen during steady work, and how many crops that was."""

_PRECISION = {each.name: each.precision for each in ENTRANTS}
_SCOPE = {each.name: each.scope for each in ENTRANTS}


@dataclass(frozen=True)
class Measured:
    """One model."""

    model: str
    config: ModelConfig
    timings: Mapping[Key, Timing]
    energies: Energies
    absent: Mapping[str, str]
    how: Mapping[str, str]
    cosines: Mapping[str, float]
    memory: Mapping[str, int]

    @property
    def size(self) -> VitSize:
        return VitSize.of(self.config)


def gpu_report(
    command: str, setting: Setting, device: Mapping[str, Any], measured: Sequence[Measured]
) -> Report:
    capability = tuple(device.get("capability", ())) or None
    peaks = for_device(
        *(device["name"], capability),
        memory=device.get("memory", 0),
        power_mode=device.get("power_mode"),
    )
    rehearsal = device["kind"] != "cuda"
    where = "a rehearsal on a processor, no GPU" if rehearsal else device["name"]
    return Report(
        kind="gpu-speed",
        title=f"Transformers on a GPU: {where}",
        command=command,
        setting=setting,
        facts={"device": dict(device), "models": [_facts(one, peaks) for one in measured]},
        tables=tuple(table for one in measured for table in _tables(one, peaks)),
        notes=_notes(peaks, measured, rehearsal),
    )


def _facts(one: Measured, peaks: Peaks | None) -> dict[str, Any]:
    return {
        "model": one.model,
        "gflop_per_crop": one.size.operations / 1e9,
        "timings": [_row(one, key, peaks) for key in one.timings],
        "steady": [
            {"entrant": name, "batch": batch, "crops": crops, **seen.as_json()}
            for (name, batch), (seen, crops) in one.energies.items()
        ],
        "entrants": {
            name: {
                "how": how,
                "scope": _SCOPE[name],
                "worst_cosine_to_fp32": one.cosines.get(name),
                "device_memory_bytes": one.memory.get(name),
            }
            for name, how in one.how.items()
        },
        "absent": dict(one.absent),
    }


def _row(one: Measured, key: Key, peaks: Peaks | None) -> dict[str, Any]:
    (name, batch), timing = key, one.timings[key]
    precision = _PRECISION[name]
    share = peaks.share(one.size, batch, precision, timing.p50) if peaks else None
    return {
        "entrant": name,
        "batch": batch,
        **asdict(timing),
        "crops_per_second": 1000 * batch / timing.p50,
        "share_of_roofline": share,
    }


def _tables(one: Measured, peaks: Peaks | None) -> tuple[Table, ...]:
    absent = tuple((name, why) for name, why in one.absent.items())
    tables = [
        Table(f"{one.model}: latency of a batch", _COLUMNS, tuple(_latency_rows(one, peaks))),
        Table(f"{one.model}: who took part", _TOOK_PART, tuple(_entrant_rows(one))),
    ]
    if one.energies:
        tables.append(Table(f"{one.model}: steady work", _STEADY, tuple(_steady_rows(one))))
    if absent:
        tables.append(Table(f"{one.model}: who did not", ("entrant", "why"), absent))
    return tuple(tables)


_COLUMNS = (
    "entrant", "batch", "p50 ms", "p90 ms", "p99 ms", "crops/s", "of roofline",
    f"x {BASELINE}", "rounds",
)  # fmt: skip
_TOOK_PART = ("entrant", "timed", "worst cosine to FP32", "MiB on the device")
_STEADY = ("entrant", "batch", "W", "mJ per crop", "SM MHz", "C", "throttled")


def _latency_rows(one: Measured, peaks: Peaks | None) -> list[tuple[str, ...]]:
    rows = []
    for key in sorted(one.timings, key=lambda each: (each[1], list(_PRECISION).index(each[0]))):
        row, timing = _row(one, key, peaks), one.timings[key]
        base = one.timings.get((BASELINE, key[1]))
        share = row["share_of_roofline"]
        spread = (f"{value:.3f}" for value in (timing.p50, timing.p90, timing.p99))
        rows.append(
            (
                *(key[0], str(key[1]), *spread, f"{row['crops_per_second']:,.0f}"),
                "" if share is None else f"{share:.1%}",
                "" if base is None else f"{base.p50 / timing.p50:.2f}",
                str(timing.rounds),
            )
        )
    return rows


def _entrant_rows(one: Measured) -> list[tuple[str, ...]]:
    return [
        (
            name,
            "on the device" if _SCOPE[name] == "device" else "from host to host",
            f"{one.cosines[name]:.5f}" if name in one.cosines else "",
            f"{one.memory[name] / 2**20:,.0f}" if one.memory.get(name) else "",
        )
        for name in one.how
    ]


def _steady_rows(one: Measured) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for (name, batch), (seen, crops) in one.energies.items():
        per_crop = None if seen.joules is None else 1000 * seen.joules / crops
        rows.append(
            (
                *(name, str(batch)),
                "" if seen.watts is None else f"{seen.watts:.0f}",
                "" if per_crop is None else f"{per_crop:.2f}",
                "" if seen.sm_mhz is None else f"{seen.sm_mhz[0]}-{seen.sm_mhz[1]}",
                "" if seen.celsius is None else str(seen.celsius),
                ", ".join(seen.throttled) or "no",
            )
        )
    return rows


def _notes(peaks: Peaks | None, measured: Sequence[Measured], rehearsal: bool) -> tuple[str, ...]:
    notes = [
        "weights are random: this shows speed, and nothing of accuracy",
        "in one run and in turns; a batch's time is that of the device's events where inputs and "
        "outputs stay there, and the wall clock's from host to host",
        "INT8 ranges are invented, so its cosine says that the graph is the right one and no more",
    ]
    if rehearsal:
        notes.insert(0, "a rehearsal on a processor: it shows that the bench runs, and no GPU")
    else:
        notes.append("every call was waited for: no wall time is shorter than the device's")
    if peaks is None:
        notes.append("the peaks of this device are not known, so no share of a roofline is given")
    else:
        notes.append(f"roofline: dense peaks of {peaks.name} (benchmark/roofline.py)")
    if not any(one.energies for one in measured):
        notes.append("no power or clocks: nvidia-smi tells none here, or it was not asked")
    notes += [f"{name}: {how}" for one in measured[:1] for name, how in one.how.items()]
    return tuple(notes)
