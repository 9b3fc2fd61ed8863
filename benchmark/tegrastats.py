"""One line of NVIDIA's tegrastats as numbers, in the forms of JetPack 4 to 7.

What a line holds differs by module, by release and by whether root asked, so every part is
optional. Where each form was seen is in docs/energy.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

_STAMP = re.compile(r"^(\d\d-\d\d-\d{4} \d\d:\d\d:\d\d)\b")
_MEMORY = re.compile(r"\b(RAM|SWAP) (\d+)/(\d+)MB")
_CPU = re.compile(r"\bCPU \[([^\]]*)\](?:@(\d+))?")
_GPU = re.compile(r"\bGR3D_FREQ (?:(\d+)%)?(?:@\[?(\d+))?")
_EMC = re.compile(r"\bEMC_FREQ (?:(\d+)%)?(?:@(\d+))?")
_TEMPERATURE = re.compile(r"\b(\w+)@(-?\d+(?:\.\d+)?)C\b")
# VDD_IN 3335mW/3335mW, VDD_IN 5297/5297, VDD_IN 6848mW, VIN 124486mW/36487mW/124486mW
_RAIL = re.compile(r"\b([A-Z][A-Z0-9_]*) (-?\d+)(?:mW(?:/-?\d+mW)*|/-?\d+(?:/-?\d+)?)(?=\s|$)")
_UNCONNECTED = "NC"
_ABSENT_SENSOR = -200.0
"""A sensor that is off reads -256 degrees."""


@dataclass(frozen=True)
class Sample:
    """Powers are of this moment, in milliwatts; averages that stand beside them are left out."""

    rails: Mapping[str, int] = field(default_factory=dict)
    stamp: datetime | None = None
    """The line's own clock, which knows whole seconds."""
    memory_mb: tuple[int, int] | None = None
    """Used and all."""
    swap_mb: tuple[int, int] | None = None
    gpu_load: int | None = None
    gpu_mhz: int | None = None
    memory_mhz: int | None = None
    cpu_mhz: tuple[int, ...] = ()
    """Of the cores that are on."""
    temperatures: Mapping[str, float] = field(default_factory=dict)


def parse_line(line: str) -> Sample | None:
    """None for a line that is not of tegrastats, such as a warning or half a line."""
    memory = {name: (int(used), int(total)) for name, used, total in _MEMORY.findall(line)}
    rails = _rails(line)
    if not memory and not rails:
        return None
    gpu, emc = _GPU.search(line), _EMC.search(line)
    return Sample(
        rails=rails,
        stamp=_stamp(line),
        memory_mb=memory.get("RAM"),
        swap_mb=memory.get("SWAP"),
        gpu_load=_whole(gpu, 1),
        gpu_mhz=_whole(gpu, 2) or None,
        memory_mhz=_whole(emc, 2) or None,
        cpu_mhz=_cpu_mhz(line),
        temperatures=_temperatures(line),
    )


def parse_lines(lines: Iterable[str]) -> Iterator[Sample]:
    for line in lines:
        sample = parse_line(line)
        if sample is not None:
            yield sample


def _rails(line: str) -> dict[str, int]:
    found = {name: int(now) for name, now in _RAIL.findall(line)}
    found.pop(_UNCONNECTED, None)
    return found


def _stamp(line: str) -> datetime | None:
    found = _STAMP.match(line.strip())
    try:
        return datetime.strptime(found[1], "%m-%d-%Y %H:%M:%S") if found else None
    except ValueError:
        return None


def _cpu_mhz(line: str) -> tuple[int, ...]:
    """[5%@729,off] names each core's clock, [5%,off]@2601 one for all."""
    found = _CPU.search(line)
    if found is None:
        return ()
    cores = [core for core in found[1].split(",") if "%" in core]
    clocks = [core.partition("@")[2] or found[2] or "" for core in cores]
    return tuple(int(clock) for clock in clocks if clock.isdigit())


def _temperatures(line: str) -> dict[str, float]:
    found = {name.lower(): float(degrees) for name, degrees in _TEMPERATURE.findall(line)}
    return {name: degrees for name, degrees in found.items() if degrees > _ABSENT_SENSOR}


def _whole(found: re.Match[str] | None, group: int) -> int | None:
    return int(found[group]) if found and found[group] else None
