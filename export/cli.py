"""The command line of this room: `personvit-export WEIGHTS ...` and `personvit-export verify`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.command import CommandGroup
from .options import ExportOptions
from .verify_bundle import VerifyOptions, verify_bundle

if TYPE_CHECKING:
    from .pipeline import Exported


def _export(options: ExportOptions) -> Exported:
    from .pipeline import export

    return export(options)


main = CommandGroup("personvit-export", "Make and verify bundles: quantised, scored, proved.")
main.command("make", ExportOptions, default=True)(_export)
main.command("verify", VerifyOptions)(verify_bundle)
