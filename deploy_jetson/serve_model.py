"""The model that answers requests: an engine, its golden crops, and the names of its vectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..core.bundle import Bundle
from ..core.errors import PersonvitError
from ..engines.base import Engine
from ..engines.golden import Drift, Replay, drift
from .home import Home
from .serving import open_serving
from .slots import Slot, SlotRecord


@dataclass(eq=False)
class Model:
    """Used by any number of requests; closed when it is retired and the last has let go."""

    engine: Engine
    replay: Replay
    largest: int
    """Crops of one batch, at which the engine was proven."""
    facts: Mapping[str, str]
    """name, digest, space_id, encoder_id, variant, slot and install."""
    _users: int = field(default=0, repr=False)
    _retired: bool = field(default=False, repr=False)

    def __enter__(self) -> Model:
        self.take()
        return self

    def __exit__(self, *problem: object) -> None:
        self.let_go()

    def take(self) -> None:
        """A call into the engine must not meet its end, whoever stopped waiting for the answer."""
        self._users += 1

    def let_go(self) -> None:
        self._users -= 1
        self._close_if_over()

    def retire(self) -> None:
        self._retired = True
        self._close_if_over()

    def _close_if_over(self) -> None:
        if self._retired and not self._users:
            self.engine.close()

    def as_json(self) -> dict[str, Any]:
        return {**self.facts, "runtime": self.engine.info().as_text(), "batch": self.largest}


def open_model(home: Home) -> Model:
    """What `current` leads to, with its golden crops replayed on the way."""
    serving = open_serving(home)
    record = serving.facts
    bundle = Bundle.open(serving.slot.bundle)
    variant, golden = bundle.variant(record.variant), bundle.golden()
    facts = {
        "name": bundle.manifest.name,
        "digest": bundle.digest,
        "space_id": bundle.manifest.space.id,
        "encoder_id": variant.encoder_id,
        "variant": variant.name,
        "slot": serving.slot.name,
        "install": _install(serving.slot, record),
    }
    replay = Replay(golden.crops, golden.expected[variant.name])
    return Model(serving.engine, replay, max(record.batches), facts)


def install_of(home: Home) -> str:
    """Names what `current` leads to; differs once another install serves. Empty where that
    cannot be told, which is no reason to stop what serves."""
    try:
        slot = home.serving()
        record = slot.record() if slot is not None else None
    except (PersonvitError, OSError):
        return ""
    return _install(slot, record) if slot is not None and record is not None else ""


def embed_golden(model: Model, turn: int) -> Drift:
    """Embed one golden crop by itself, each in its turn, and say how far the answer lies off."""
    crop = turn % len(model.replay.crops)
    found = model.engine.embed(model.replay.crops[crop : crop + 1])
    worst = drift(found, model.replay.expectation.embeddings[crop : crop + 1], 1)
    return Drift(worst.cosine, crop, worst.norm, crop, 1)


def _install(slot: Slot, record: SlotRecord) -> str:
    return f"{slot.name} {record.bundle[:12]} {record.installed}"
