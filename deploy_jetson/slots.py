"""A slot: one bundle with the engine built of it here, sealed by the digests of all its files."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ..core import strict_json
from ..core.errors import BundleError, EnvironmentMismatch, UserError
from ..core.files import sha256
from ..engines.doctor_runtimes import ORDER
from . import durable

NAMES = ("a", "b")
ENGINE = re.compile(r"engine/[0-9a-f]{8}")
RECORD = "slot.json"
PATIENCE_S = 60.0
"""How long a slot that somebody else works in is waited for."""
SCHEMA = 1
MOST_CROPS = 4096
"""In one call of an engine."""


@dataclass(frozen=True)
class SlotRecord:
    """What `slot.json` says; it is written last, so a slot that has one is complete."""

    bundle: str
    """The digest of the bundle, which a signature signs."""
    name: str
    serial: int | None
    """The signature's; None where the bundle was not signed."""
    runtime: str
    variant: str
    candidate: str
    batches: tuple[int, ...]
    engine: str
    """The folder below the slot in which the engine keeps what it built."""
    environment: Mapping[str, str]
    """What the engine was built for; elsewhere it is built again."""
    latency_ms: Mapping[str, float]
    """Per crop, the median, by batch size."""
    installed: str
    limit_s: float
    """How long building may take, when it has to be done again."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Every file of the slot but this one: path and sha256."""
    state: Literal["ready"] = "ready"
    schema: int = SCHEMA


@dataclass(frozen=True)
class Slot:
    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def bundle(self) -> Path:
        return self.path / "bundle.pvb"

    @property
    def signature(self) -> Path:
        return self.path / "bundle.pvb.sig"

    @property
    def engine(self) -> Path:
        return self.path / "engine"

    @property
    def attest(self) -> Path:
        return self.path / "attest.json"

    @property
    def record_path(self) -> Path:
        return self.path / RECORD

    def record(self) -> SlotRecord | None:
        """None where the slot is empty, or where an install did not reach its end."""
        if not self.record_path.is_file():
            return None
        try:
            document = strict_json.parse(self.record_path.read_bytes())
            record = strict_json.build(SlotRecord, document)
        except strict_json.DocumentError as problem:
            raise BundleError(f"{self.record_path}: {problem}; install a bundle again") from problem
        if record.schema != SCHEMA:
            raise BundleError(
                f"{self.record_path} has schema {record.schema}, and this version reads {SCHEMA}; "
                "install the bundle again with this version"
            )
        if record.runtime not in ORDER:
            raise BundleError(
                f"{self.record_path}: no runtime {record.runtime!r} serves bundles; install a "
                "bundle again"
            )
        if not record.batches or not all(0 < size <= MOST_CROPS for size in record.batches):
            raise BundleError(
                f"{self.record_path}: batches {list(record.batches)} cannot be; install a bundle "
                "again"
            )
        if not ENGINE.fullmatch(record.engine):  # it is removed when the engine is built anew
            raise BundleError(
                f"{self.record_path}: {record.engine!r} is no engine's folder in this slot; "
                "install a bundle again"
            )
        return record

    def require_own(self) -> None:
        """Files are removed below these folders; behind a link they would be somebody else's."""
        for folder in (self.path.parent, self.path, self.engine):
            if folder.is_symlink():
                raise UserError(
                    f"{folder} is a link, and a slot is a folder of its home; remove the link and "
                    "install a bundle again (for another disk, give --home a folder there)"
                )

    def empty(self) -> None:
        """From the first moment on the slot is no longer complete."""
        self.require_own()
        durable.empty(self.path, first=RECORD)

    def seal(self, record: SlotRecord) -> None:
        """Bring every file to the disk, and only then say that the slot is complete. Whoever may
        enter the home may read it: a service need not own what it serves."""
        with durable.readable():
            durable.open_to_readers(self.path)
            durable.sync_tree(self.path)
            durable.write(self.record_path, strict_json.dump(record))

    def contents(self) -> dict[str, str]:
        """The digest of every file but the record."""
        found = durable.digests(self.path, self.path)
        found.pop(RECORD, None)
        return found

    def complaint(self, record: SlotRecord) -> str:
        """What is not as it was sealed; empty where all is. Files that came since do not count:
        what an interrupted rebuild left is neither used nor a reason to stop serving."""
        for name, digest in record.files.items():
            path = self.path / name
            if path.is_symlink() or not path.is_file():
                return f"{path} is missing"
            if sha256(path) != digest:
                return f"{path} was changed after it was installed"
        if record.files.get(self.bundle.name) != record.bundle:
            return f"{self.record_path} contradicts itself about the bundle"
        return ""

    def require_sound(self) -> SlotRecord:
        record = self.record()
        if record is None:
            raise EnvironmentMismatch(f"slot {self.name} ({self.path}) holds no complete install")
        if complaint := self.complaint(record):
            raise EnvironmentMismatch(
                f"slot {self.name} cannot serve: {complaint}; go back with 'personvit-deploy "
                "rollback', or install the bundle again"
            )
        return record

    @contextmanager
    def emptied_on_failure(self) -> Iterator[None]:
        """What an install that was refused or stopped left is of no use and takes space."""
        try:
            yield
        except BaseException:
            with contextlib.suppress(OSError):
                self.empty()
            raise

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nobody else opens, fills or empties this slot meanwhile. Ends with the process."""
        self.require_own()
        handle = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self._wait_for(handle)
            yield
        finally:
            os.close(handle)

    def _wait_for(self, handle: int) -> None:
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > until:
                    raise EnvironmentMismatch(
                        f"another process has been working in slot {self.name} ({self.path}) for "
                        f"more than {PATIENCE_S:.0f} s, perhaps building its engine; wait for it, "
                        "or end it"
                    ) from None
            time.sleep(0.05)
