"""`personvit-engine doctor`: what holds on this machine, and what to do, with or without NVIDIA."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.bundle import Bundle
from ..core.command import argument, option
from ..core.errors import ConfigError, EnvironmentMismatch
from .device_facts import DeviceFacts, read_device, system_root
from .doctor_finding import LEVELS, Finding
from .doctor_hardware import hardware
from .doctor_runtimes import Runtime, runtimes
from .doctor_software import software
from .doctor_text import written
from .known_bad import matching
from .known_bad_row import Product, Row
from .known_bad_rows import ROWS

SCHEMA = 1
USUAL = (1, 8)


@dataclass(frozen=True)
class DoctorOptions:
    """Tell what this machine is, what can serve on it, what is known to go wrong, and what to do.

    It changes nothing. The exit code is 0 where something here can serve, and 3 where nothing can.

    Example: personvit-engine doctor model.pvb
    """

    bundle: Path | None = argument("A bundle to serve here, if you have one.", None)
    batch: str | None = option(None, "The batch sizes you will serve, such as 1,8.")


@dataclass(frozen=True)
class Checkup:
    root: Path
    device: DeviceFacts
    bundle: Path | None
    runtimes: tuple[Runtime, ...]
    findings: tuple[Finding, ...]
    rows: tuple[Row, ...]

    @property
    def serves(self) -> Runtime | None:
        """The first runtime that can serve here, and serve this bundle where one is named."""
        return next((one for one in self.runtimes if one.serves), None)

    @property
    def exit_code(self) -> int:
        return 0 if self.serves else EnvironmentMismatch.exit_code

    def as_json(self) -> Mapping[str, Any]:
        return {
            "schema": SCHEMA,
            "root": str(self.root),
            "device": self.device.as_json(),
            "bundle": str(self.bundle) if self.bundle else None,
            "runtimes": [one.as_json() for one in self.runtimes],
            "findings": [one.as_json() for one in self.findings],
            "known_bad": [row.as_json() for row in self.rows],
            "ready": self.serves is not None,
            "serves": self.serves.name if self.serves else None,
        }

    def as_text(self) -> str:
        return written(
            self.root,
            self.device,
            self.bundle,
            self.runtimes,
            self.findings,
            self.rows,
            self.serves,
        )


def doctor(options: DoctorOptions) -> Checkup:
    sizes = _sizes(options.batch)
    bundle = Bundle.open(options.bundle) if options.bundle else None
    root, device = system_root(), read_device()
    offered = runtimes(device, bundle)
    rows = _rows(device, bundle, sizes)
    return Checkup(root, device, options.bundle, offered, findings(device, root), rows)


def findings(device: DeviceFacts, root: Path) -> tuple[Finding, ...]:
    """The gravest first, in the order of the checks."""
    found = [*software(device, root), *hardware(device, root)]
    return tuple(sorted(found, key=lambda one: LEVELS.index(one.level)))


def _rows(device: DeviceFacts, bundle: Bundle | None, sizes: tuple[int, ...]) -> tuple[Row, ...]:
    """What concerns this toolchain, by the largest batch of an engine and by each precision."""
    versions: dict[Product, str | None] = {
        "tensorrt": device.tensorrt,
        "tensorrt-rtx": device.tensorrt_rtx if device.kind == "gpu" else None,
        "jetpack": device.jetpack,
    }
    precisions = {one.precision for one in bundle.manifest.variants} if bundle else {None}
    found = [
        row
        for product, version in versions.items()
        for precision in precisions
        for size in sizes
        for row in matching(
            version,
            device.capability,
            precision=precision,
            batch=size,
            product=product,
            memory=device.memory,
        )
    ]
    return tuple(row for row in ROWS if row in found)


def _sizes(text: str | None) -> tuple[int, ...]:
    """The largest size asked for; engines for one crop and for several where none is."""
    if text is None:
        return USUAL
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words or not all(word.isdecimal() and int(word) for word in words):
        raise ConfigError(f"--batch {text!r} must be whole numbers above 0, such as 1,8")
    return (max(map(int, words)),)
