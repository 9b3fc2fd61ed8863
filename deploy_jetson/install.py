"""`personvit-deploy install`: from a bundle to a slot that serves, or to nothing changed at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..core.command import argument, option
from ..core.errors import ConfigError, EnvironmentMismatch, PersonvitError
from .home import Home, open_home
from .install_build import Built, build, stage
from .install_checks import Accepted, Wish, accept, require_room
from .journal import now
from .slots import MOST_CROPS, Slot, SlotRecord
from .steps import Steps, say, telling_a_full_disk
from .trust import raise_floor, require_trusted

LONGEST_S = 24 * 3600


@dataclass(frozen=True)
class InstallOptions:
    """Build a bundle's candidates on this device, prove the best of them, and let it serve.

    What served before goes on serving until then, and stays for 'personvit-deploy rollback'.

    Example: personvit-deploy install model.pvb
    """

    bundle: Path = argument("The bundle (.pvb) to install.")
    home: Path | None = option(None, "The folder of the slots; see docs/install.md.")
    runtime: Literal["auto", "tensorrt", "tensorrt_rtx", "openvino", "onnxruntime"] = option(
        "auto", "What runs the model; auto: the first of these that can run here."
    )
    batches: str = option("1,8", "Numbers of crops per call to build and time for.")
    variant: str | None = option(None, "Try this variant of the bundle only.")
    signature: Path | None = option(None, "The signature; BUNDLE.sig by default.")
    limit_s: float = option(1800.0, "Seconds that one candidate may build.", low=1, high=LONGEST_S)
    allow_older: bool = option(False, "Take a bundle with a lower serial than one taken before.")
    again: bool = option(False, "Install even what serves already.")
    dry_run: bool = option(False, "Check everything that can be checked without changing anything.")


@dataclass(frozen=True)
class Installed:
    """What serves now, or in a dry run would be tried."""

    home: Home
    state: Literal["installed", "already", "dry-run"]
    sentence: str
    accepted: Accepted
    slot: Slot | None = None
    record: SlotRecord | None = None
    verdict: str = ""

    def as_json(self) -> Mapping[str, Any]:
        record = self.record
        return {
            "home": str(self.home.path),
            "state": self.state,
            "sentence": self.sentence,
            **self.accepted.as_json(),
            "slot": self.slot.name if self.slot else None,
            "variant": record.variant if record else None,
            "latency_ms": dict(record.latency_ms) if record else None,
            "attest": str(self.slot.attest) if self.slot else None,
        }

    def as_text(self) -> str:
        return "\n".join(line for line in (self.verdict, *self._findings(), self.sentence) if line)

    def _findings(self) -> Iterator[str]:
        """What was worked around; the rest is the doctor's to tell at length."""
        found = self.accepted.findings
        yield from (f"worked around: {row.title} {row.mend}" for row in found if row.applied)
        if others := sum(not row.applied for row in found):
            yield f"personvit-engine doctor tells {others} more things known of such a device"


def install(options: InstallOptions) -> Installed:
    home = open_home(options.home)
    wish = Wish(
        bundle=options.bundle,
        signature=options.signature,
        runtime=options.runtime,
        batches=_batches(options.batches),
        only=options.variant,
        limit_s=options.limit_s,
        allow_older=options.allow_older,
    )
    if options.dry_run:
        return _dry_run(home, wish)
    home.prepare()
    with home.locked("install"), telling_a_full_disk(home.path):
        return _install(home, wish, options.again)


def _install(home: Home, wish: Wish, again: bool) -> Installed:
    begun, steps = now(), Steps("install", say, home.journal)
    with steps.step("install", f"installing {wish.bundle} in {home.path}") as facts:
        _catch_up(home)
        accepted = accept(home, wish, steps)
        serving = home.serving()
        if serving is not None and not again and (record := _same(serving, accepted)):
            sentence = f"This bundle serves already, from slot {serving.name}; --again rebuilds it."
            return Installed(home, "already", sentence, accepted, serving, record)
        slot = home.spare()
        _refuse_to_empty_the_last(home, serving, slot)
        require_room(home, accepted, steps)
        with slot.held(), slot.emptied_on_failure(), telling_a_full_disk(home.path):
            stage(slot, accepted, home.cache, steps)
            built = build(slot, accepted, home.cache, steps, begun)
        with steps.step("switch", f"letting slot {slot.name} serve"):
            home.switch(slot)
            raise_floor(home, accepted.signature)
        facts |= {"slot": slot.name, "bundle": built.record.bundle}
    home.journal.trim()
    return _installed(home, accepted, built)


def _dry_run(home: Home, wish: Wish) -> Installed:
    steps = Steps("install", say)
    accepted = accept(home, wish, steps)
    require_room(home, accepted, steps)
    names = ", ".join(variant.name for variant in accepted.variants)
    sentence = f"Nothing was changed. An install would try {names} with {accepted.runtime}."
    return Installed(home, "dry-run", sentence, accepted)


def _installed(home: Home, accepted: Accepted, built: Built) -> Installed:
    record = built.record
    sentence = (
        f"{record.name} ({record.variant}, {record.runtime}) serves from slot {built.slot.name} "
        f"of {home.path}."
    )
    verdict = built.verdict.as_text()
    return Installed(home, "installed", sentence, accepted, built.slot, record, verdict)


def _same(serving: Slot, accepted: Accepted) -> SlotRecord | None:
    """What serves, where it is what is asked for and still as it was sealed."""
    try:
        record = serving.require_sound()
    except PersonvitError:
        return None
    wish = accepted.wish
    asked = accepted.verified.digest, accepted.runtime, wish.batches, wish.only or record.variant
    there = record.bundle, record.runtime, record.batches, record.variant
    return record if asked == there else None


def _refuse_to_empty_the_last(home: Home, serving: Slot | None, spare: Slot) -> None:
    """Where what serves is damaged, the other slot may be all there is to serve."""
    damage = _problem(home, serving) if serving is not None else ""
    if damage and not _problem(home, spare):
        raise EnvironmentMismatch(
            f"{damage}; slot {spare.name} could serve and would be emptied for this: let it serve "
            "first, with 'personvit-deploy rollback', and install then"
        )


def _problem(home: Home, slot: Slot) -> str:
    """Why a slot could not serve from now on; empty where it could."""
    try:
        record = slot.record()
        if record is None:
            return f"slot {slot.name} holds no complete install"
        require_trusted(home, slot.bundle, record.bundle, slot.signature, allow_older=True)
    except PersonvitError as problem:
        return str(problem)
    return slot.complaint(record)


def _catch_up(home: Home) -> None:
    """The floor under the serials is raised after the switch; a loss of power may lie between."""
    serving = home.serving()
    try:
        record = serving.record() if serving else None
        if serving is None or record is None:
            return
        signature = require_trusted(
            home, serving.bundle, record.bundle, serving.signature, allow_older=True
        )
    except PersonvitError:  # what serves is told by `status`; here something new comes
        return
    raise_floor(home, signature)


def _batches(text: str) -> tuple[int, ...]:
    try:
        sizes = tuple(sorted({int(word) for word in text.split(",")}))
    except ValueError:
        sizes = ()
    if not sizes or sizes[0] < 1 or sizes[-1] > MOST_CROPS:
        raise ConfigError(
            f"--batches {text!r} must be whole numbers from 1 to {MOST_CROPS}, such as 1,8"
        )
    return sizes
