"""`personvit-export verify`: is a bundle whole, unchanged and consistent?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..core.bundle import Verification, verify
from ..core.command import argument


@dataclass(frozen=True)
class VerifyOptions:
    """Check every byte of a bundle against its manifest.

    Example: personvit-export verify model.pvb
    """

    bundle: Path = argument("a .pvb file")


def verify_bundle(options: VerifyOptions) -> Verification:
    return verify(options.bundle)
