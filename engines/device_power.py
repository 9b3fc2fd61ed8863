"""A Jetson's power mode and clocks: what runs, what is offered, and whether clocks are held."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from .device_files import text
from .device_gpu import command_output


def power_mode() -> str | None:
    """The name that nvpmodel tells; its number means another mode on another board."""
    found = re.search(r"^NV Power Mode: *(\S.*)$", command_output("nvpmodel", "-q"), re.MULTILINE)
    return found[1].strip() if found else None


def offered_modes(root: Path) -> Mapping[str, int]:
    """The modes of this board, by name, with the number that `nvpmodel -m` takes here."""
    rows = re.findall(
        r"^< *POWER_MODEL +ID=(\d{1,3}) +NAME=(\S+) *>", text(root / "etc/nvpmodel.conf"), re.M
    )
    return {name: int(number) for number, name in rows}


def fastest_mode(modes: Mapping[str, int]) -> str | None:
    """MAXN_SUPER before MAXN before the mode that allows most watts."""
    return max(modes, key=_speed, default=None)


def _speed(name: str) -> tuple[int, int]:
    watts = re.search(r"(\d+)W", name)
    return 2 * name.startswith("MAXN") + ("SUPER" in name), int(watts[1]) if watts else 0


def clocks_held(root: Path) -> bool | None:
    """Whether the GPU's clock is locked, as jetson_clocks does; None where it cannot be read."""
    for folder in sorted((root / "sys/class/devfreq").glob("*g[ap]*")):
        if re.search(r"gpu|ga10b|gv11b|gpc", folder.name):
            least, most = text(folder / "min_freq").strip(), text(folder / "max_freq").strip()
            return least == most if least and most else None
    return None
