"""Fills the slot that does not serve: copy, judge the candidates here, open the chosen, seal."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import __version__
from ..benchmark.device_verdict import DeviceVerdict, TrialRequest, decide_on_device
from ..core.bundle import Bundle
from ..core.errors import BundleError, EnvironmentMismatch
from ..core.machine import this_machine
from ..core.manifest import Variant
from ..engines.golden import Drift, Replay, measure
from . import durable, timings
from .install_checks import Accepted
from .journal import now
from .serving import engine_folder, environment, open_in
from .slots import Slot, SlotRecord
from .steps import Steps

ATTEST_SCHEMA = 1


@dataclass(frozen=True)
class Built:
    """A sealed slot that could serve."""

    slot: Slot
    record: SlotRecord
    verdict: DeviceVerdict
    drift: Mapping[int, Drift]


def stage(slot: Slot, accepted: Accepted, cache: Path, steps: Steps) -> None:
    """From here on the slot holds nothing to go back to until the install has reached its end."""
    with steps.step("stage", f"copying the bundle into slot {slot.name}"):
        timings.keep(slot.engine, cache)
        slot.empty()
        if accepted.signature_file is not None:
            durable.copy(accepted.signature_file, slot.signature)
        digest = durable.copy(accepted.wish.bundle, slot.bundle)
        durable.sync(slot.path)
        if digest != accepted.verified.digest:
            raise BundleError(
                f"{accepted.wish.bundle} changed while it was copied, or {slot.bundle} cannot be "
                "read back as it was written; install again, and check the disk"
            )


def build(slot: Slot, accepted: Accepted, cache: Path, steps: Steps, begun: str) -> Built:
    facts = environment(accepted.runtime)
    folder = engine_folder(facts)
    wish = accepted.wish
    request = TrialRequest(
        accepted.runtime, slot.path / folder, wish.batches, wish.only, wish.limit_s
    )
    with steps.step("judge", f"building the candidates for {accepted.runtime}") as told:
        request.cache.mkdir(parents=True)
        timings.lend(cache, (_place(request, variant) for variant in accepted.variants))
        verdict = decide_on_device(Bundle.open(slot.bundle), request, steps.progress)
        timings.keep(request.cache, cache)
        told |= {"chosen": verdict.chosen, "sentence": verdict.sentence}
        _drop_others(request, accepted, verdict)
    record = _record(accepted, verdict, folder, facts)
    with steps.step("reopen", f"opening {verdict.chosen} afresh from slot {slot.name}") as told:
        drift = _replay(slot, record)
        told |= {"cosine": {batch: worst.cosine for batch, worst in drift.items()}}
    with steps.step("seal", "writing the attestation and bringing it all to the disk"):
        document = _attestation(accepted, verdict, drift, slot.contents(), begun)
        durable.write(slot.attest, json.dumps(document, indent=1, sort_keys=True, default=str))
        record = dataclasses.replace(record, files=slot.contents())
        slot.seal(record)
    return Built(slot, record, verdict, drift)


def _drop_others(request: TrialRequest, accepted: Accepted, verdict: DeviceVerdict) -> None:
    """The engines that were not chosen would only take space."""
    for variant in accepted.variants:
        if variant.name != verdict.chosen:
            shutil.rmtree(_place(request, variant), ignore_errors=True)


def _place(request: TrialRequest, variant: Variant) -> Path:
    """Where the engine of one candidate keeps what it builds."""
    return request.options(variant).cache or request.cache


def _record(
    accepted: Accepted, verdict: DeviceVerdict, folder: str, facts: Mapping[str, str]
) -> SlotRecord:
    manifest = accepted.verified.manifest
    timings = verdict.latency.timings if verdict.latency else ()
    return SlotRecord(
        bundle=accepted.verified.digest,
        name=manifest.name,
        serial=accepted.signature.serial if accepted.signature else None,
        runtime=accepted.runtime,
        variant=verdict.chosen,
        candidate=manifest.variant(verdict.chosen).candidate,
        batches=accepted.wish.batches,
        engine=folder,
        environment=facts,
        latency_ms={
            str(each.batch): each.per_crop for each in timings if each.name == verdict.chosen
        },
        installed=now(),
        limit_s=accepted.wish.limit_s,
    )


def _replay(slot: Slot, record: SlotRecord) -> dict[int, Drift]:
    """Opening has replayed the golden crops already; here what it found is kept."""
    bundle = Bundle.open(slot.bundle)
    golden = bundle.golden()
    expected = golden.expected[record.variant]
    with open_in(slot, record) as engine:
        replay = Replay(golden.crops, expected)
        sizes = sorted({1, max(record.batches)})
        drift = {batch: measure(engine.embed, replay, batch) for batch in sizes}
    for batch, worst in drift.items():
        if not worst.within(expected):
            raise EnvironmentMismatch(
                f"{record.variant} answers the golden crops well at times, and not at batch "
                f"{batch} in a second replay (cosine {worst.cosine:.5f}); it cannot be relied on: "
                "choose another with --variant, or another --runtime"
            )
    return drift


def _attestation(
    accepted: Accepted,
    verdict: DeviceVerdict,
    drift: Mapping[int, Drift],
    files: Mapping[str, str],
    begun: str,
) -> dict[str, Any]:
    """What was installed, on what, and what it was seen to do there."""
    energy = verdict.trial(verdict.chosen).energy
    signature = accepted.signature
    return {
        "schema": ATTEST_SCHEMA,
        "tool": __version__,
        "begun": begun,
        "done": now(),
        "asked": {**dataclasses.asdict(accepted.wish), "bundle": accepted.wish.bundle.name},
        **accepted.as_json(),
        "bundle_size": accepted.verified.size,
        "signature": dataclasses.asdict(signature) if signature else None,
        "machine": this_machine().as_json(),
        "verdict": verdict.as_json(),
        "drift": {str(batch): dataclasses.asdict(worst) for batch, worst in drift.items()},
        "energy": energy.as_json() if energy else None,
        "files": dict(files),
    }
