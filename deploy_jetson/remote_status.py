"""`personvit-deploy status`: of this device, or over ssh of others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ..core.command import Outcome, argument, option
from ..core.errors import ConfigError, EnvironmentMismatch
from .inquiry import Answer, ask, plain
from .openssh import LinkOptions
from .status import StatusOptions, status


@dataclass(frozen=True)
class AnyStatusOptions(LinkOptions):
    """Say what serves here, or on the devices named, and what there is to go back to.

    Example: personvit-deploy status jetson@10.0.0.5 --check
    """

    devices: tuple[str, ...] = argument("Devices to ask over ssh; this one by default.", ())
    home: Path | None = option(None, "The folder of the slots here; see docs/install.md.")
    check: bool = option(False, "Open the engine and replay the golden crops; fail on drift.")


@dataclass(frozen=True)
class RemoteStatus:
    answers: tuple[Answer, ...]

    def as_json(self) -> Mapping[str, Any]:
        return {answer.destination: answer.report["status"] for answer in self.answers}

    def as_text(self) -> str:
        told = (f"{each.destination}\n{each.report.get('text', '')}" for each in self.answers)
        return plain("\n\n".join(told))


def any_status(options: AnyStatusOptions) -> Outcome:
    if not options.devices:
        return status(StatusOptions(options.home, options.check))
    if options.home is not None:
        raise ConfigError("--home is a folder of this machine; the devices know their own")
    check = ("--check",) if options.check else ()
    answers = ask(options.devices, options, "--brief", *check)
    if silent := [f"{each.destination}: {each.trouble}" for each in answers if each.trouble]:
        click.echo(RemoteStatus(answers).as_text(), err=True)
        raise EnvironmentMismatch("; ".join(silent))
    return RemoteStatus(answers)
