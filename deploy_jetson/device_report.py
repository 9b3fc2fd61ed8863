"""`personvit-deploy report`: all that a device can tell of itself, for `status` and `collect`."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.command import option
from ..core.errors import PersonvitError
from ..engines.doctor import DoctorOptions, doctor
from .home import Home, open_home
from .inquiry import table
from .status import StatusOptions, status

SCHEMA = 1

Table = Mapping[str, Any]


@dataclass(frozen=True)
class ReportOptions:
    """Tell in one document what serves here, how it was proved, and what the doctor says.

    Example: personvit-deploy report --json
    """

    home: Path | None = option(None, "The folder of the slots; see docs/install.md.")
    check: bool = option(False, "Open the engine and replay the golden crops.")
    brief: bool = option(False, "Only what 'status' says.")


@dataclass(frozen=True)
class DeviceReport:
    """A part that could not be told holds a `problem` instead."""

    host: str
    status: Table
    text: str
    """The status, for a person."""
    parts: Table

    def as_json(self) -> Table:
        own = {"schema": SCHEMA, "host": self.host, "status": self.status, "text": self.text}
        return {**own, **self.parts}

    def as_text(self) -> str:
        return self.text


def report(options: ReportOptions) -> DeviceReport:
    home = open_home(options.home)
    text, facts = _status(StatusOptions(options.home, options.check))
    parts: dict[str, Any] = {} if options.brief else _parts(home)
    return DeviceReport(platform.node(), facts, text, parts)


def _status(options: StatusOptions) -> tuple[str, Table]:
    try:
        found = status(options)
    except (PersonvitError, OSError) as problem:
        return f"problem: {problem}", {"problem": str(problem)}
    return found.as_text(), found.as_json()


def _parts(home: Home) -> dict[str, Any]:
    attest = _told(lambda: _attest(home))
    return {
        "attest": attest,
        "layers": _layers(attest),
        "doctor": _told(lambda: _doctor(home)),
        "journal": _told(lambda: {"entries": list(home.journal.entries())}),
    }


def _told(ask: Callable[[], Table]) -> Table:
    """One part's trouble must not silence the others: trouble is when a report is asked for."""
    try:
        return ask()
    except (PersonvitError, OSError, ValueError, RecursionError) as problem:
        return {"problem": str(problem)}


def _doctor(home: Home) -> Table:
    """About this machine, and about serving here what serves now."""
    slot = home.serving()
    record = slot.record() if slot else None
    if slot is None or record is None:
        return doctor(DoctorOptions()).as_json()
    return doctor(DoctorOptions(slot.bundle, ",".join(map(str, record.batches)))).as_json()


def _attest(home: Home) -> Table:
    slot = home.serving()
    if slot is None:
        return {"problem": f"nothing serves in {home.path}"}
    found = json.loads(slot.attest.read_bytes())
    return found if isinstance(found, dict) else {"problem": f"{slot.attest} is no attestation"}


def _layers(attest: Table) -> Table:
    """The layer report of each candidate that was tried; runtimes without one have none."""
    trials = table(attest.get("verdict")).get("trials")
    found = [table(trial) for trial in trials] if isinstance(trials, list) else []
    return {str(trial.get("variant")): trial["layers"] for trial in found if trial.get("layers")}
