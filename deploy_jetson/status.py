"""`personvit-deploy status`: what serves on this device, and whether it still could."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import __version__
from ..core.command import option
from ..core.errors import PersonvitError
from ..engines.device_facts import DeviceFacts, read_device
from .home import Home, open_home
from .serving import open_serving
from .slots import Slot, SlotRecord
from .steps import say
from .trust import pinned

ENTRIES = 5


@dataclass(frozen=True)
class StatusOptions:
    """Say what serves here, since when, and what there is to go back to.

    Example: personvit-deploy status --check
    """

    home: Path | None = option(None, "The folder of the slots; see docs/install.md.")
    check: bool = option(False, "Open the engine and replay the golden crops; fail on drift.")


@dataclass(frozen=True)
class SlotState:
    """One slot; `complaint` says why it could not serve, and is empty where it could."""

    slot: Slot
    record: SlotRecord | None
    complaint: str

    def as_json(self) -> dict[str, Any]:
        facts = dataclasses.asdict(self.record) if self.record else {}
        facts.pop("files", None)
        return {"slot": self.slot.name, **facts, "sound": not self.complaint, "why": self.complaint}

    def as_text(self) -> str:
        if self.record is None:
            return f"slot {self.slot.name}: {self.complaint}"
        record = self.record
        times = ", ".join(
            f"{value:.2f} ms per crop at batch {batch}"
            for batch, value in record.latency_ms.items()
        )
        serial = "unsigned" if record.serial is None else f"serial {record.serial}"
        lines = [
            f"slot {self.slot.name}: {record.name}, {record.variant} with {record.runtime}",
            f"  bundle     {record.bundle}, {serial}",
            f"  installed  {record.installed}",
            f"  latency    {times or 'not measured'}",
            f"  files      {self.complaint or 'as they were sealed'}",
        ]
        return "\n".join(lines)


@dataclass(frozen=True)
class Status:
    home: Home
    serving: SlotState | None
    other: SlotState | None
    device: DeviceFacts
    journal: tuple[Mapping[str, Any], ...]
    keys: tuple[str, ...]
    replayed: bool

    def as_json(self) -> Mapping[str, Any]:
        return {
            "tool": __version__,
            "home": str(self.home.path),
            "serving": self.serving.as_json() if self.serving else None,
            "other": self.other.as_json() if self.other else None,
            "golden_replayed": self.replayed,
            "device": self.device.as_json(),
            "keys": list(self.keys),
            "journal": list(self.journal),
        }

    def as_text(self) -> str:
        lines = [self.device.as_text()]
        if self.serving is None:
            lines += [f"nothing serves in {self.home.path}; personvit-deploy install BUNDLE"]
        else:
            lines += [f"serving from {self.home.path}", self.serving.as_text()]
        lines += ["it has just answered the golden crops as it must"] if self.replayed else []
        lines += ["to go back to", self.other.as_text()] if self.other else []
        lines += [f"pinned key {key}" for key in self.keys]
        lines += [
            "{time} {action}: {step} {state}".format(**entry)
            for entry in self.journal
            if {"time", "action", "step", "state"} <= set(entry)
        ]
        return "\n".join(lines)


def status(options: StatusOptions) -> Status:
    home = open_home(options.home)
    if options.check:
        open_serving(home, say).close()
    serving = home.serving()
    return Status(
        home=home,
        serving=_state(serving) if serving else None,
        other=_state(home.spare()) if serving else None,
        device=read_device(),
        journal=home.journal.entries(ENTRIES),
        keys=tuple(key.id for key in pinned(home)),
        replayed=options.check,
    )


def _state(slot: Slot) -> SlotState:
    try:
        record = slot.record()
    except PersonvitError as problem:
        return SlotState(slot, None, str(problem))
    if record is None:
        return SlotState(slot, None, "no complete install")
    return SlotState(slot, record, slot.complaint(record))
