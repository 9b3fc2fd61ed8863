"""`personvit-deploy acceptance`: a board is taken through everything once, and a file says so."""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click
import numpy as np
from numpy.typing import NDArray

from ..benchmark.report import Report, Setting, reproducing
from ..core.bundle import Bundle
from ..core.command import argument, option
from ..core.errors import ConfigError, EnvironmentMismatch, GateFailure, PersonvitError
from ..core.files import refuse_unwritable
from ..engines.device_facts import DeviceFacts, read_device, system_root
from ..engines.doctor import DoctorOptions, doctor
from ..engines.golden import Replay, measure
from .acceptance_power import entered, wanted_modes
from .acceptance_service import Answered, serve_requests
from .acceptance_speed import Gap, Speed, Window, after_idling, repeated, soak, speed
from .acceptance_tables import notes, row, tables
from .home import Home
from .install import Installed, InstallOptions, install
from .rollback import RollbackOptions, rollback
from .serving import Serving, open_serving

COMMAND = "personvit-deploy acceptance"
T = TypeVar("T")


@dataclass(frozen=True)
class AcceptanceOptions:
    """Take this device through everything once, and write what came of it for docs/results.md.

    Doctor, install, golden crops, verdict, speed in each power mode, heat, pauses, energy,
    requests, rollback: in a home of its own, so what this device serves is left alone.

    Example: personvit-deploy acceptance model.pvb -o benchmark/results
    """

    bundle: Path = argument("The bundle (.pvb) to take.")
    out: Path | None = option(None, "The folder for the report.")
    runtime: str = option("auto", "The runtime, as of 'personvit-deploy install'.")
    batches: str = option("1,8", "Numbers of crops per call.")
    mode: tuple[str, ...] = option(
        (), "A power mode to measure in, by name; all: every one of this board; needs root."
    )
    seconds: float = option(20.0, "Measuring time of each batch and mode.", low=0.1, high=3600)
    soak: float = option(
        600.0, "Seconds of work back to back, for heat to show.", low=0, high=86400
    )
    gaps: str = option("0,0.1,1,5", "Seconds of idleness before a single call.")
    requests: int = option(1000, "Requests to the service.", low=1, high=1000000)


@dataclass(frozen=True)
class Step:
    name: str
    passed: bool
    seconds: float
    said: str


@dataclass
class Findings:
    """Filled step by step; what stays empty was not reached."""

    device: DeviceFacts
    steps: list[Step] = field(default_factory=list)
    attest: dict[str, Any] = field(default_factory=dict)
    speeds: list[Speed] = field(default_factory=list)
    windows: tuple[Window, ...] = ()
    gaps: tuple[Gap, ...] = ()
    served: Answered | None = None
    remarks: list[str] = field(default_factory=list)

    @property
    def jetson(self) -> bool:
        """A device in a box tells the facts of one, and is none."""
        return self.device.kind == "jetson" and system_root() == Path("/")

    @property
    def passed(self) -> bool:
        return all(step.passed for step in self.steps)

    def as_json(self) -> dict[str, Any]:
        return {
            "passed": self.passed,
            "jetson": self.jetson,
            "device": self.device.as_json(),
            "steps": [asdict(step) for step in self.steps],
            "speeds": [each.as_json() for each in self.speeds],
            "soak": [asdict(window) for window in self.windows],
            "gaps": [asdict(gap) for gap in self.gaps],
            "service": self.served.as_json() if self.served else None,
            "attest": self.attest,
            "row_for_results": list(row(self)),
        }


def acceptance(options: AcceptanceOptions) -> Report:
    if options.out is None:
        raise ConfigError("say where the report goes: -o benchmark/results")
    sizes, gaps = _numbers(options.batches, int), _numbers(options.gaps, float)
    modes = wanted_modes(options.mode)
    setting, found = Setting(), Findings(read_device())
    name = report_name(found.device, found.jetson, setting.machine.cpu)
    refuse_unwritable(options.out / f"{name}.json")
    with tempfile.TemporaryDirectory(prefix="personvit-acceptance-") as folder:
        trial = _Trial(options, Home(Path(folder, "home")), found)
        trial.run(sizes, gaps, modes)
    report = Report(
        kind="acceptance",
        title=title(found.device, found.jetson, setting.machine.cpu),
        command=reproducing(COMMAND, options),
        setting=setting,
        facts=found.as_json(),
        tables=tables(found),
        notes=notes(found),
    )
    paths = report.write(options.out, name)
    if not found.passed:
        failed = "; ".join(f"{step.name}: {step.said}" for step in found.steps if not step.passed)
        raise GateFailure(f"this device is not accepted: {failed} (see {paths[1]})")
    return report


def report_name(device: DeviceFacts, jetson: bool, cpu: str) -> str:
    slug = re.sub(r"[^a-z0-9]+|nvidia|jetson", "-", (device.module or device.gpu or cpu).lower())
    words = [word for word in slug.split("-") if word]
    return "-".join(["jetson" if jetson else "not-a-jetson", *words])


def title(device: DeviceFacts, jetson: bool, cpu: str) -> str:
    what = device.module or device.gpu or cpu
    return f"Acceptance of {what}" if jetson else f"Acceptance run, NOT ON A JETSON: {what}"


class _Trial:
    """One run through the steps; a step that fails ends those that build on it."""

    def __init__(self, options: AcceptanceOptions, home: Home, found: Findings) -> None:
        self._options = options
        self._home = home
        self._found = found

    def run(self, sizes: tuple[int, ...], gaps: tuple[float, ...], modes: tuple[str, ...]) -> None:
        if not self._step("doctor", self._doctor) or not self._step("install", self._install):
            return
        try:
            serving = open_serving(self._home)
        except PersonvitError as problem:
            self._found.steps.append(Step("open", False, 0.0, str(problem)))
            return
        with serving:
            crops = Bundle.open(serving.slot.bundle).golden().crops
            self._step("golden", lambda: self._golden(serving, sizes))
            for mode in modes:
                self._step(f"speed, {mode}", partial(self._speed, serving, crops, sizes, mode))
            self._step("soak", lambda: self._soak(serving, repeated(crops, max(sizes))))
            self._step("pauses", lambda: self._pauses(serving, crops[:1], gaps))
        self._step("service", lambda: self._serve(crops))
        self._step("rollback", self._rollback)

    def _step(self, name: str, work: Callable[[], str]) -> bool:
        """`work` says what it saw, or raises."""
        click.echo(f"{name} ...", err=True)
        began = time.perf_counter()
        try:
            said, passed = work(), True
        except (PersonvitError, OSError, MemoryError) as problem:
            said, passed = str(problem) or type(problem).__name__, False
        seconds = round(time.perf_counter() - began, 2)
        self._found.steps.append(Step(name, passed, seconds, said))
        click.echo(f"  {'ok' if passed else 'FAILED'}, {seconds:g} s: {said}", err=True)
        return passed

    def _doctor(self) -> str:
        checkup = doctor(DoctorOptions(bundle=self._options.bundle, batch=self._options.batches))
        self._found.remarks += [finding.says for finding in checkup.findings]
        if checkup.serves is None:
            raise EnvironmentMismatch("no runtime here can serve this bundle")
        return f"{checkup.serves.name} can serve here"

    def _install(self) -> str:
        made = self._install_once()
        if made.slot is not None:
            self._found.attest = json.loads(made.slot.attest.read_text())
        return str(self._found.attest["verdict"]["sentence"])

    def _install_once(self, variant: str | None = None) -> Installed:
        options = self._options
        return install(
            InstallOptions(
                bundle=options.bundle,
                home=self._home.path,
                runtime=options.runtime,  # type: ignore[arg-type]
                batches=options.batches,
                variant=variant,
                again=variant is not None,
            )
        )

    def _golden(self, serving: Serving, sizes: tuple[int, ...]) -> str:
        golden = Bundle.open(serving.slot.bundle).golden()
        expected = golden.expected[serving.facts.variant]
        replay = Replay(golden.crops, expected)
        worst = [measure(serving.engine.embed, replay, size) for size in sizes]
        if not all(one.within(expected) for one in worst):
            raise EnvironmentMismatch("the golden crops do not agree at every batch size")
        seen = (
            f"batch {one.batch}: cosine {one.cosine:.5f}, length {one.norm:.2%} off"
            for one in worst
        )
        return "; ".join(seen)

    def _speed(
        self, serving: Serving, crops: NDArray[np.uint8], sizes: tuple[int, ...], mode: str
    ) -> str:
        with entered(mode) as refused:
            if refused:
                raise EnvironmentMismatch(refused)
            made = [
                speed(_call(serving, repeated(crops, size)), size, mode, self._options.seconds)
                for size in sizes
            ]
        self._found.speeds += made
        return "; ".join(f"batch {one.batch}: {one.call.p50:.2f} ms" for one in made)

    def _soak(self, serving: Serving, crops: NDArray[np.uint8]) -> str:
        if not self._options.soak:
            return "not asked for"
        self._found.windows = soak(_call(serving, crops), self._options.soak)
        first, last = self._found.windows[0].call.p50, self._found.windows[-1].call.p50
        return f"a call took {last / first:.2f} times as long at the end as at the start"

    def _pauses(self, serving: Serving, crops: NDArray[np.uint8], gaps: tuple[float, ...]) -> str:
        self._found.gaps = after_idling(_call(serving, crops), gaps)
        return "; ".join(f"{gap.seconds:g} s: {gap.call.p50:.2f} ms" for gap in self._found.gaps)

    def _serve(self, crops: NDArray[np.uint8]) -> str:
        served = serve_requests(self._home, crops, self._options.requests)
        self._found.served = served
        if not served.passed:
            raise EnvironmentMismatch(
                f"answers by status: {dict(served.statuses)}, exit code {served.exit_code}"
            )
        return f"{served.requests} answers, {served.per_second:.0f} per second"

    def _rollback(self) -> str:
        before = self._home.serving()
        self._install_once(self._found.attest["verdict"]["chosen"])
        between = self._home.serving()
        rollback(RollbackOptions(home=self._home.path))
        after = self._home.serving()
        if before is None or after != before or between == before:
            raise EnvironmentMismatch(f"slots went {before}, {between}, {after}")
        open_serving(self._home).close()
        return f"{before.name}, {between.name if between else ''}, {after.name}; answers again"


def _call(serving: Serving, crops: NDArray[np.uint8]) -> Callable[[], object]:
    return lambda: serving.engine.embed(crops)


def _numbers(text: str, kind: Callable[[str], T]) -> tuple[T, ...]:
    try:
        found = tuple(kind(word) for word in text.split(","))
    except ValueError:
        raise ConfigError(f"{text!r} must be numbers with commas between, such as 1,8") from None
    if any(float(str(one)) < 0 for one in found):
        raise ConfigError(f"{text!r} must not have numbers below 0")
    return found
