"""Opens what a device serves: the slot's files as they were sealed, golden crops replayed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType

from ..benchmark.device_verdict import TrialRequest
from ..core.bundle import Bundle
from ..core.errors import EnvironmentMismatch
from ..core.machine import this_machine
from ..engines.base import Engine, EngineOptions
from ..engines.catalogue import open_engine
from ..engines.tensorrt_open import here
from ..engines.tensorrt_packages import PACKAGES
from . import durable
from .home import Home
from .slots import Slot, SlotRecord

Progress = Callable[[str], None]
CPU_PACKAGES = {"openvino": ("openvino",), "onnxruntime": ("onnxruntime", "onnx")}


@dataclass(frozen=True)
class Serving:
    """An engine that has just answered the golden crops, and where it came from."""

    engine: Engine
    slot: Slot
    facts: SlotRecord

    def close(self) -> None:
        self.engine.close()

    def __enter__(self) -> Serving:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_serving(home: Home, progress: Progress = lambda _: None) -> Serving:
    """What `current` leads to; a sentence where there is nothing, or nothing that is sound."""
    slot = home.serving()
    if slot is None:
        raise EnvironmentMismatch(
            f"nothing serves in {home.path}; run 'personvit-deploy install BUNDLE'"
        )
    return open_slot(home, slot, progress)


def open_slot(home: Home, slot: Slot, progress: Progress = lambda _: None) -> Serving:
    """One slot's engine. Where the runtime changed since it was built, it is built again beside
    the old one, which stays until the new one has answered and is recorded."""
    with slot.held():
        record = slot.require_sound()
        folder = engine_folder(environment(record.runtime))
        _sweep(slot, record)
        if folder != record.engine:
            progress(
                f"{record.runtime} or this device changed: building the engine of {record.variant} "
                "again; 'install --again' would compare the candidates anew"
            )
        before = _snapshot(slot.path / folder)
        engine = open_in(slot, replace(record, engine=folder))
        try:
            if folder != record.engine or _snapshot(slot.path / folder) != before:
                record = _adopt(home, slot, record, folder)
        except BaseException:
            engine.close()
            raise
        return Serving(engine, slot, record)


def open_in(slot: Slot, record: SlotRecord) -> Engine:
    """As the record says; opening replays the golden crops at batch 1 and at the largest."""
    request = TrialRequest(
        record.runtime, slot.path / record.engine, record.batches, limit_s=record.limit_s
    )
    bundle = Bundle.open(slot.bundle)
    if bundle.digest != record.bundle:
        raise EnvironmentMismatch(f"{slot.bundle} changed while it was opened; try again")
    options = request.options(bundle.variant(record.variant))
    return open_engine(str(slot.bundle), record.runtime, options)


def environment(runtime: str) -> dict[str, str]:
    """What an engine that was built here depends on."""
    if runtime in CPU_PACKAGES:
        machine = this_machine()
        versions = {name: machine.packages.get(name, "") for name in CPU_PACKAGES[runtime]}
        return {"cpu": machine.cpu, "flags": " ".join(machine.flags), **versions}
    place = asdict(here(PACKAGES[runtime], EngineOptions()))
    return {name: str(value) for name, value in place.items()}


def engine_folder(facts: Mapping[str, str]) -> str:
    """One folder per environment, so that a rebuild never touches what it replaces."""
    digest = hashlib.sha256(json.dumps(sorted(facts.items())).encode()).hexdigest()
    return f"engine/{digest[:8]}"


def _sweep(slot: Slot, record: SlotRecord) -> None:
    """What a killed rebuild left was never checked; it is not used."""
    for path in durable.files_below(slot.engine):
        if str(path.relative_to(slot.path)) not in record.files:
            path.unlink()


def _snapshot(folder: Path) -> dict[Path, tuple[int, int, int]]:
    found = {path: path.stat() for path in durable.files_below(folder)}
    return {path: (one.st_ino, one.st_size, one.st_mtime_ns) for path, one in found.items()}


def _adopt(home: Home, slot: Slot, record: SlotRecord, folder: str) -> SlotRecord:
    """Record what the engine built: seal the new files, then drop the old ones."""
    kept = {name: digest for name, digest in record.files.items() if not name.startswith("engine/")}
    built = durable.digests(slot.path / folder, slot.path)
    facts = environment(record.runtime)
    adopted = replace(record, engine=folder, environment=facts, files={**kept, **built})
    slot.seal(adopted)
    if folder != record.engine:
        shutil.rmtree(slot.path / record.engine, ignore_errors=True)
    with contextlib.suppress(OSError):
        home.journal.write("serve", "rebuild", "done", slot=slot.name, environment=facts)
    return adopted
