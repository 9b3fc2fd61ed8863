"""Where a device keeps its bundles: two slots, a link to the one that serves, one lock."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import EnvironmentMismatch, UserError
from . import durable
from .journal import Journal, now
from .slots import NAMES, Slot

VARIABLE = "PERSONVIT_HOME"


@dataclass(frozen=True)
class Home:
    path: Path

    @property
    def slots(self) -> Path:
        return self.path / "slots"

    @property
    def current(self) -> Path:
        """The link to the slot that serves; replaced by rename, so it always leads to one."""
        return self.path / "current"

    @property
    def cache(self) -> Path:
        return self.path / "cache"

    @property
    def inbox(self) -> Path:
        return self.path / "inbox"

    @property
    def trust(self) -> Path:
        return self.path / "trust"

    @property
    def lock(self) -> Path:
        return self.path / "lock"

    @property
    def journal(self) -> Journal:
        return Journal(self.path / "journal.jsonl")

    def slot(self, name: str) -> Slot:
        return Slot(self.slots / name)

    def prepare(self) -> None:
        """Make the folders that are missing; everything else expects them."""
        for place in (self.path, self.cache, self.inbox, self.trust):
            place.mkdir(parents=True, exist_ok=True)
        with durable.readable():
            for place in (self.slots, *(self.slots / name for name in NAMES)):
                place.mkdir(exist_ok=True)
        for place in (self.slots, self.path, self.path.parent):
            durable.sync(place)

    def serving(self) -> Slot | None:
        """The slot that `current` leads to; None where nothing was installed yet."""
        if not self.current.is_symlink():
            if self.current.exists():
                raise UserError(f"{self.current} is not a link; move it away")
            return None
        target = self.current.readlink()
        if target.parent != Path("slots") or target.name not in NAMES:
            raise UserError(
                f"{self.current} leads to {target} and not to a slot of this home; remove it and "
                "install a bundle again"
            )
        return self.slot(target.name)

    def spare(self) -> Slot:
        """The slot that does not serve."""
        serving = self.serving()
        return self.slot(NAMES[1] if serving == self.slot(NAMES[0]) else NAMES[0])

    def switch(self, slot: Slot) -> None:
        """Let another slot serve. All of it must be on the disk before."""
        durable.link(self.current, f"slots/{slot.name}")

    @contextmanager
    def locked(self, action: str) -> Iterator[None]:
        """Only one process changes a home; a second one is told which. Ends with the process."""
        handle = os.open(self.lock, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise EnvironmentMismatch(f"{_holder(handle)}; wait for it, or end it") from None
            holder = {"action": action, "pid": os.getpid(), "since": now()}
            os.ftruncate(handle, 0)
            os.pwrite(handle, json.dumps(holder).encode(), 0)
            yield
        finally:
            os.close(handle)


def open_home(path: Path | None = None) -> Home:
    """The folder told, or else that of the environment, the system's, or the user's own."""
    if path is not None:
        return Home(_expanded(path).absolute())
    if told := os.environ.get(VARIABLE):
        return Home(_expanded(Path(told)).absolute())
    if os.geteuid() == 0:
        return Home(Path("/var/lib/personvit"))
    return Home(_expanded(Path("~/.local/share/personvit")))


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:  # as in a container whose user has no name
        raise UserError(
            f"{path}: this user has no home folder here; name the folder with --home or {VARIABLE}"
        ) from None


def _holder(handle: int) -> str:
    try:
        facts = json.loads(os.pread(handle, 4096, 0))
        return (
            f"'personvit-deploy {facts['action']}' (process {facts['pid']}, since "
            f"{facts['since']}) is changing this home"
        )
    except (ValueError, KeyError, TypeError):
        return "another process is changing this home"
