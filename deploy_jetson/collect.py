"""`personvit-deploy collect`: what every device of a fleet can tell, and who differs in what."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ..core.command import argument, option
from ..core.errors import ConfigError, EnvironmentMismatch
from ..core.files import refuse_unwritable, write_atomically
from .fleet import Fleet, compare
from .inquiry import Answer, as_lines, ask, table
from .openssh import LinkOptions


@dataclass(frozen=True)
class CollectOptions(LinkOptions):
    """Fetch status, attestation, layer reports, doctor and journal of devices over ssh.

    Each device gets a folder; summary.md and summary.json name those that differ from the others.

    Example: personvit-deploy collect jetson@10.0.0.5 jetson@10.0.0.6 -o devices
    """

    devices: tuple[str, ...] = argument("The devices, as ssh knows them: user@host.")
    out: Path | None = option(None, "The folder for what they tell.")


@dataclass(frozen=True)
class Collected:
    out: Path
    fleet: Fleet

    def as_json(self) -> Mapping[str, Any]:
        return {"out": str(self.out), **self.fleet.as_json()}

    def as_text(self) -> str:
        return f"{self.fleet.as_text()}\n\nmore in {self.out}"


def collect(options: CollectOptions) -> Collected:
    if options.out is None:
        raise ConfigError("say where it goes: -o FOLDER")
    refuse_unwritable(options.out / "summary.json")
    answers = ask(options.devices, options)
    for answer in answers:
        if not answer.problem:
            _write(options.out / _folder(answer), answer.report)
    fleet = compare(answers)
    write_atomically(options.out / "summary.json", as_lines(fleet.as_json()))
    write_atomically(options.out / "summary.md", f"# Devices\n\n{fleet.as_text()}\n")
    if silent := [answer for answer in answers if answer.problem]:
        click.echo(fleet.as_text(), err=True)
        raise EnvironmentMismatch(
            f"{len(silent)} of {len(answers)} devices gave no report "
            f"({', '.join(answer.destination for answer in silent)}); what the others said is in "
            f"{options.out}"
        )
    return Collected(options.out, fleet)


def _write(folder: Path, report: Mapping[str, Any]) -> None:
    for name in ("status", "attest", "doctor", "layers"):
        write_atomically(folder / f"{name}.json", as_lines(table(report.get(name))))
    entries = table(report.get("journal")).get("entries")
    told = entries if isinstance(entries, list) else []
    lines = [json.dumps(entry, sort_keys=True) + "\n" for entry in told]
    write_atomically(folder / "journal.jsonl", "".join(lines))


def _folder(answer: Answer) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "_", answer.host)
