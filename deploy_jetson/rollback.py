"""`personvit-deploy rollback`: back to the other slot, with what lies on this device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.command import option
from ..core.errors import EnvironmentMismatch
from .home import Home, open_home
from .serving import open_slot
from .slots import NAMES, Slot, SlotRecord
from .steps import Steps, say, telling_a_full_disk
from .trust import require_trusted


@dataclass(frozen=True)
class RollbackOptions:
    """Let what served before serve again, after its files and answers were checked.

    Needs no network. Said twice, it leads back to where it began.

    Example: personvit-deploy rollback
    """

    home: Path | None = option(None, "The folder of the slots; see docs/install.md.")


@dataclass(frozen=True)
class RolledBack:
    home: Home
    slot: Slot
    record: SlotRecord
    left: Slot

    def as_json(self) -> Mapping[str, Any]:
        return {
            "home": str(self.home.path),
            "slot": self.slot.name,
            "left": self.left.name,
            "bundle": self.record.bundle,
            "name": self.record.name,
            "serial": self.record.serial,
            "variant": self.record.variant,
            "runtime": self.record.runtime,
        }

    def as_text(self) -> str:
        record = self.record
        return (
            f"{record.name} ({record.variant}, {record.runtime}), installed {record.installed}, "
            f"serves from slot {self.slot.name} of {self.home.path}."
        )


def rollback(options: RollbackOptions) -> RolledBack:
    home = open_home(options.home)
    if home.serving() is None:
        raise EnvironmentMismatch(f"nothing serves in {home.path}, so there is no way back")
    with home.locked("rollback"), telling_a_full_disk(home.path):
        return _rollback(home)


def _rollback(home: Home) -> RolledBack:
    steps = Steps("rollback", say, home.journal)
    slot = home.spare()
    left = home.slot(next(name for name in NAMES if name != slot.name))
    with steps.step("check", f"checking slot {slot.name}") as facts:
        record = slot.record()
        if record is None:
            raise EnvironmentMismatch(
                f"there is nothing to go back to: slot {slot.name} of {home.path} holds no "
                "complete install"
            )
        require_trusted(home, slot.bundle, record.bundle, slot.signature, allow_older=True)
        with open_slot(home, slot, say) as opened:
            record = opened.facts
        facts |= {"slot": slot.name, "bundle": record.bundle}
    with steps.step("switch", f"letting slot {slot.name} serve") as facts:
        home.switch(slot)
        facts |= {"slot": slot.name, "bundle": record.bundle}
    return RolledBack(home, slot, record, left)
