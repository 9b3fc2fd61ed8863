"""The verdict on the device: build every candidate, check its answers, time it, pick one."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.bundle import Bundle
from ..core.errors import (
    BundleError,
    ConfigError,
    DataError,
    EnvironmentMismatch,
    PersonvitError,
)
from ..core.manifest import Variant
from ..engines.base import Engine, EngineInfo, EngineOptions
from ..engines.catalogue import open_engine
from ..engines.layer_report import LayerReport, read_layers
from .device_choice import Choice, by_exactness, choose, pairs_to_time
from .device_runtime import variants_for
from .energy import Energy, EnergyMeter
from .latency import Latency, race
from .probe_agreement import ProbeAgreement, compare

ENERGY_SECONDS, IDLE_SECONDS = 5.0, 1.0

Progress = Callable[[str], None]


@dataclass(frozen=True)
class TrialRequest:
    """What is tried and how; `only` names the one variant to try."""

    runtime: str
    cache: Path
    batches: tuple[int, ...] = (1, 8)
    only: str | None = None
    limit_s: float = 1800.0
    rounds: int = 20
    energy: bool = True

    def __post_init__(self) -> None:
        if not self.batches or min(self.batches) < 1 or len(set(self.batches)) < len(self.batches):
            raise ConfigError(f"batch sizes {self.batches} must be different, and 1 or more")

    def options(self, variant: Variant) -> EngineOptions:
        """How the chosen engine is opened, here and each time the device starts."""
        return EngineOptions(
            batch=max(self.batches),
            buckets=tuple(sorted(self.batches)),
            cache=self.cache / variant.name,
            variant=variant.name,
            limit_s=self.limit_s,
        )


@dataclass(frozen=True)
class Trial:
    """What became of one candidate here."""

    variant: str
    candidate: str
    precision: str
    refusal: str
    """Why it cannot serve; empty where it can."""
    seconds: float
    """To build it or load it from the cache, with the replay of the golden crops."""
    info: EngineInfo | None = None
    agreement: ProbeAgreement | None = None
    layers: LayerReport | None = None
    energy: Energy | None = None
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "variant": self.variant,
            "candidate": self.candidate,
            "precision": self.precision,
            "serves": not self.refusal,
            "refusal": self.refusal,
            "seconds": round(self.seconds, 3),
            "engine": self.info.as_json() if self.info else None,
            "agreement": self.agreement.as_json() if self.agreement else None,
            "layers": self.layers.as_json() if self.layers else None,
            "energy": self.energy.as_json() if self.energy else None,
            "notes": list(self.notes),
        }

    def as_text(self) -> str:
        state = f"refused: {self.refusal}" if self.refusal else "agrees"
        lines = [f"{self.variant} ({self.candidate}, {self.seconds:.1f} s to open): {state}"]
        parts = (self.agreement, self.layers, self.energy)
        lines += [part.as_text() for part in parts if part is not None]
        return "\n    ".join([*lines, *self.notes])


@dataclass(frozen=True)
class DeviceVerdict:
    """Which variant this device serves, and everything behind it."""

    runtime: str
    choice: Choice
    batches: tuple[int, ...]
    trials: tuple[Trial, ...]
    latency: Latency | None

    @property
    def chosen(self) -> str:
        return self.choice.name

    @property
    def sentence(self) -> str:
        return self.choice.sentence

    def trial(self, variant: str) -> Trial:
        return next(trial for trial in self.trials if trial.variant == variant)

    def as_json(self) -> Mapping[str, Any]:
        return {
            "runtime": self.runtime,
            "chosen": self.chosen,
            "sentence": self.sentence,
            "batches": list(self.batches),
            "gains": [asdict(gain) for gain in self.choice.gains],
            "trials": [trial.as_json() for trial in self.trials],
            "latency": self.latency.as_json() if self.latency else None,
        }

    def as_text(self) -> str:
        speed = [self.latency.as_text()] if self.latency else []
        return "\n".join([self.sentence, *(trial.as_text() for trial in self.trials), *speed])


def decide_on_device(
    bundle: Bundle, request: TrialRequest, progress: Progress = lambda _: None
) -> DeviceVerdict:
    """Try every candidate the runtime takes; an error with every reason where none is fit."""
    variants = _offered(bundle, request)
    trials = []
    for nth, variant in enumerate(variants, start=1):
        progress(f"candidate {nth} of {len(variants)}: building and checking {variant.name}")
        trials.append(_try(bundle, variant, request))
    fit = {one.variant: one.candidate for one in trials if not one.refusal}
    if not fit:
        reasons = "; ".join(f"{one.variant}: {one.refusal}" for one in trials)
        raise EnvironmentMismatch(f"no candidate of {bundle.path} can serve here: {reasons}")
    progress(f"timing {', '.join(fit)}")
    with ExitStack() as held:
        engines = {name: held.enter_context(_open(bundle, name, request)) for name in fit}
        crops = _repeated(bundle.golden().crops, max(request.batches))
        latency = _race(engines, crops, by_exactness(fit), request)
        metered = {name: _energy(one, crops, request) for name, one in engines.items()}
    trials = [_with_energy(trial, *metered.get(trial.variant, (None, ()))) for trial in trials]
    choice = choose(fit, latency)
    return DeviceVerdict(request.runtime, choice, request.batches, tuple(trials), latency)


def _offered(bundle: Bundle, request: TrialRequest) -> tuple[Variant, ...]:
    variants = variants_for(bundle, request.runtime)
    if request.only is None:
        return variants
    wanted = bundle.variant(request.only)
    if wanted not in variants:
        raise BundleError(
            f"{request.runtime} here does not take the variant {wanted.name!r}; it takes "
            f"{', '.join(one.name for one in variants)}"
        )
    return (wanted,)


def _try(bundle: Bundle, variant: Variant, request: TrialRequest) -> Trial:
    """One candidate by itself, so that on a small device it has all the memory to build in."""
    began = time.perf_counter()
    trial = Trial(variant.name, variant.candidate, variant.precision, "", 0.0)
    try:
        with _open(bundle, variant.name, request) as engine:
            seconds = time.perf_counter() - began
            agreement = _agreement(bundle, variant, engine)
            layers, notes = _layers(engine)
            info = engine.info()
            trial = replace(
                trial, seconds=seconds, info=info, agreement=agreement, layers=layers, notes=notes
            )
    except (PersonvitError, MemoryError) as problem:
        spent = time.perf_counter() - began
        return replace(trial, seconds=spent, refusal=str(problem) or type(problem).__name__)
    if not agreement.agrees:
        why = " and ".join(agreement.complaints())
        return replace(trial, refusal=f"it does not answer as the host's engine did: {why}")
    return trial


def _layers(engine: Engine) -> tuple[LayerReport | None, tuple[str, ...]]:
    """What the runtime says of its layers; one that cannot be read costs the report, no more."""
    said = str(getattr(engine, "layer_information", ""))
    try:
        return (read_layers(said) if said else None), ()
    except DataError as problem:
        return None, (f"the layer report could not be read: {problem}",)


def _open(bundle: Bundle, variant: str, request: TrialRequest) -> Engine:
    options = request.options(bundle.variant(variant))
    return open_engine(str(bundle.path), request.runtime, options)


def _agreement(bundle: Bundle, variant: Variant, engine: Engine) -> ProbeAgreement:
    probe = bundle.probe()
    if probe is None:
        golden = bundle.golden()
        wanted = golden.expected[variant.name].embeddings
        return compare(engine.embed(golden.crops), wanted, variant.precision, source="golden")
    found, wanted = engine.embed(probe.crops), probe.expected[variant.name]
    return compare(found, wanted, variant.precision, reference=probe.embeddings)


def _race(
    engines: Mapping[str, Engine],
    crops: NDArray[np.uint8],
    names: tuple[str, ...],
    request: TrialRequest,
) -> Latency:
    contenders = {name: engines[name].embed for name in names}
    batches = {size: crops[:size] for size in request.batches}
    return race(contenders, batches, pairs=pairs_to_time(names), rounds=request.rounds)


def _energy(
    engine: Engine, crops: NDArray[np.uint8], request: TrialRequest
) -> tuple[Energy | None, tuple[str, ...]]:
    """Of the largest batch, over and over; nothing where nothing here measures power."""
    if not request.energy or not EnergyMeter.usable():
        return None, ()
    done = 0
    try:
        with EnergyMeter(idle_s=IDLE_SECONDS) as meter:
            end = time.perf_counter() + ENERGY_SECONDS
            while time.perf_counter() < end:
                engine.embed(crops)
                done += len(crops)
        return meter.energy(done), ()
    except EnvironmentMismatch as problem:
        return None, (f"energy was not measured: {problem}",)


def _with_energy(trial: Trial, energy: Energy | None, notes: tuple[str, ...]) -> Trial:
    return replace(trial, energy=energy, notes=(*trial.notes, *notes))


def _repeated(crops: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    return np.ascontiguousarray(crops[np.arange(count) % len(crops)])
