"""All that can be refused before a slot is touched: the bundle, its signature, this device."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..benchmark.device_runtime import runtime_named, variants_for
from ..core.bundle import Bundle, Verification, verify
from ..core.errors import BundleError, EnvironmentMismatch
from ..core.manifest import Variant
from ..core.signature import Signature, read_signature, signature_beside
from ..engines import known_bad
from ..engines.device_facts import DeviceFacts, read_device, system_root
from ..engines.device_files import memory
from ..engines.known_bad_row import Product, Row
from . import durable
from .home import Home
from .steps import Steps
from .trust import require_trusted

PRODUCTS: Mapping[str, Product] = {"tensorrt": "tensorrt", "tensorrt_rtx": "tensorrt-rtx"}

MIB = 1 << 20
SPARE_BYTES = 32 * MIB
ENGINE_SHARE = 4
"""An engine's folder in sizes of its graph: OpenVINO keeps three compiled models, TensorRT a plan
and a timing cache. An estimate, on the safe side for what has run here (docs/install.md)."""
BUILD_SHARE = 6
BUILD_BYTES = {"tensorrt": 1024 * MIB, "tensorrt_rtx": 1024 * MIB}
"""What a builder takes beside the graph; not measured on a Jetson."""


@dataclass(frozen=True)
class Wish:
    """What to install, as it was asked for."""

    bundle: Path
    signature: Path | None = None
    runtime: str = "auto"
    batches: tuple[int, ...] = (1, 8)
    only: str | None = None
    limit_s: float = 1800.0
    allow_older: bool = False


@dataclass(frozen=True)
class Accepted:
    """A bundle that may be staged on this device, and what was found out on the way."""

    wish: Wish
    verified: Verification
    signature: Signature | None
    signature_file: Path | None
    device: DeviceFacts
    runtime: str
    variants: tuple[Variant, ...]
    findings: tuple[Row, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "bundle": self.verified.digest,
            "name": self.verified.manifest.name,
            "serial": self.signature.serial if self.signature else None,
            "runtime": self.runtime,
            "variants": [variant.name for variant in self.variants],
            "findings": [row.as_json() for row in self.findings],
            "device": self.device.as_json(),
        }


def accept(home: Home, wish: Wish, steps: Steps) -> Accepted:
    with steps.step("device", "reading what this device is") as facts:
        device = read_device()
        runtime = runtime_named(wish.runtime)
        facts |= {"device": device.as_json(), "runtime": runtime}
    with steps.step("verify", f"verifying {wish.bundle}") as facts:
        _refuse_from_spare(home, wish.bundle)
        verified = verify(wish.bundle)
        facts |= {"bundle": verified.digest, "name": verified.manifest.name}
    with steps.step("trust", "checking who signed it") as facts:
        signature = require_trusted(
            home, wish.bundle, verified.digest, wish.signature, allow_older=wish.allow_older
        )
        file = _signature_file(wish, verified.digest)
        facts["serial"] = signature.serial if signature else None
    with steps.step("doctor", f"looking up what is known to go wrong with {runtime} here") as facts:
        variants = _variants(wish, runtime)
        findings = _findings(device, runtime, variants, wish.batches)
        facts["findings"] = [row.id for row in findings]
    return Accepted(wish, verified, signature, file, device, runtime, variants, findings)


def require_room(home: Home, accepted: Accepted, steps: Steps) -> None:
    """Told before the slot is emptied, and not by a build that dies half way."""
    sizes = {member.name: member.size for member in accepted.verified.manifest.members}
    models = [sizes[variant.member] for variant in accepted.variants]
    with steps.step("room", "checking the disk and the memory") as facts:
        needed = accepted.verified.size + ENGINE_SHARE * sum(models) + SPARE_BYTES
        there = _free(home.path) + _held(home)
        facts |= {"disk_needed": needed, "disk_free": there}
        if there < needed:
            raise EnvironmentMismatch(
                f"{home.path} has {_mib(there)} of free space for this, and installing takes about "
                f"{_mib(needed)}; free some space, or name another disk with --home"
            )
        build = BUILD_BYTES.get(accepted.runtime, 256 * MIB) + BUILD_SHARE * max(models)
        free = memory(system_root()).get("MemAvailable", 0)
        facts |= {"memory_needed": build, "memory_free": free}
        if 0 < free < build:
            raise EnvironmentMismatch(
                f"{_mib(free)} of memory is free here, and building takes about {_mib(build)}; "
                "stop other programs, such as the desktop, and install again"
            )


def _signature_file(wish: Wish, digest: str) -> Path | None:
    """The file to keep beside the bundle, whether this device asks for one or not: a key may be
    pinned later, and then going back to this bundle needs it."""
    beside = wish.signature or signature_beside(wish.bundle)
    if wish.signature is None and not beside.exists():
        return None
    if read_signature(beside).digest != digest:
        raise BundleError(
            f"{beside} signs another bundle than {wish.bundle}; bring the right one, or remove it"
        )
    return beside


def _refuse_from_spare(home: Home, bundle: Path) -> None:
    """Staging empties the slot that does not serve, and the file would be gone."""
    if not home.slots.is_dir():
        return
    real, spare = (Path(os.path.realpath(path)) for path in (bundle, home.spare().path))
    if real.is_relative_to(spare):
        raise BundleError(
            f"{bundle} lies in the slot that would be emptied for it; let that slot serve with "
            "'personvit-deploy rollback', or copy the file elsewhere first"
        )


def _variants(wish: Wish, runtime: str) -> tuple[Variant, ...]:
    offered = variants_for(Bundle.open(wish.bundle), runtime)
    if wish.only is None:
        return offered
    found = tuple(variant for variant in offered if variant.name == wish.only)
    if not found:
        known = ", ".join(variant.name for variant in offered)
        raise BundleError(
            f"{wish.bundle}: {runtime} has no variant {wish.only!r} to take; it takes {known}"
        )
    return found


def _findings(
    device: DeviceFacts, runtime: str, variants: tuple[Variant, ...], batches: tuple[int, ...]
) -> tuple[Row, ...]:
    """The rows that concern any candidate; an error where every candidate is to be avoided."""
    if runtime not in PRODUCTS:
        return ()
    version = {"tensorrt": device.tensorrt, "tensorrt_rtx": device.tensorrt_rtx}[runtime] or ""
    advice = [
        known_bad.advise(
            version,
            device.capability,
            precision=variant.precision,
            batches=batches,
            product=PRODUCTS[runtime],
        )
        for variant in variants
    ]
    if all(one.avoid for one in advice):
        raise EnvironmentMismatch(
            f"{runtime} {version} should not serve this bundle here: {advice[0].avoid} "
            "(personvit-engine doctor)"
        )
    rows = {row.id: row for one in advice for row in one.rows}
    return tuple(rows.values())


def _free(place: Path) -> int:
    existing = next(folder for folder in (place, *place.parents) if folder.exists())
    return shutil.disk_usage(existing).free


def _held(home: Home) -> int:
    """What the slot that will be emptied holds now."""
    if not home.slots.is_dir():
        return 0
    return sum(path.lstat().st_size for path in durable.files_below(home.spare().path))


def _mib(count: int) -> str:
    return f"{count / MIB:,.0f} MiB"
