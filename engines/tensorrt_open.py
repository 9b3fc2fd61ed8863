"""From a bundle, an ONNX file or a plan to a running engine: what is built, how, and in what order.

A graph is built the way the known-bad list advises. Where what comes out cannot be built or does
not answer the golden crops as it should, the next way is tried, and the engine says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from ..core.errors import ConfigError, EnvironmentMismatch
from . import golden
from .base import EngineOptions
from .device_facts import read_device
from .device_memory import gpu_missing, open_device
from .graphs import Graph, open_source
from .known_bad import Advice, advise
from .tensorrt_build import BuildRequest, attempt, cache_folder
from .tensorrt_cache import Kept, obtain, timing_cache
from .tensorrt_load import Unloadable
from .tensorrt_packages import PACKAGES, Name, Package, Typing
from .tensorrt_plan import SUFFIX, Computes, Here, Plan, plan_of, read_plan, read_sidecar
from .tensorrt_runtime import TensorRtEngine, index_of
from .tensorrt_way import Served, Way, recall, remember

USUAL = 8
"""The batch size that a plan for many sizes is tuned for, where none is named."""

EXCERPT = 1500
"""Of the compiler's words, in a message."""


class NotBuilt(EnvironmentMismatch):
    """The compiler refused a graph, crashed or took too long."""


def here(package: Package, options: EngineOptions) -> Here:
    """The compiler and the device that plans are built for and run on."""
    package.require()
    if missing := gpu_missing():
        raise EnvironmentMismatch(missing)
    device = open_device(index_of(options))
    name, capability = device.name, "{}.{}".format(*device.capability)
    device.close()
    return Here(package.name, package.version(), name, capability, read_device().l4t)


def open_with(name: Name, source: str, options: EngineOptions) -> TensorRtEngine:
    package = PACKAGES[name]
    index_of(options)
    place = here(package, options)
    if Path(source).suffix == SUFFIX:
        return _open_plan(Path(source), place, options)
    graph = graph_of(package, source, options)
    return _Opening(package, graph, place, options).open()


def usable(name: Name) -> tuple[bool, str]:
    package = PACKAGES[name]
    if find_spec(name) is None:
        return False, package.remedy
    if missing := gpu_missing():
        return False, f"plans cannot be run here: {missing}"
    try:
        place = here(package, EngineOptions())
    except EnvironmentMismatch as problem:
        return False, str(problem)
    avoid = advice_for(package, place, "fp16", 1).avoid
    return not avoid, avoid


def advice_for(package: Package, place: Here, precision: str, batch: int) -> Advice:
    """What the known-bad list says of a graph of that precision, up to that batch, here."""
    major, _, minor = place.capability.partition(".")
    return advise(
        place.version,
        (int(major), int(minor)),
        precision=precision,
        batches=(batch,),
        product=package.product,
    )


def graph_of(package: Package, source: str, options: EngineOptions) -> Graph:
    """The graph for this runtime: INT8 where there is one, unless told otherwise."""
    found = open_source(source, package.kinds(package.version()), options.variant)
    best = "int8" if "int8" in found.graphs else next(iter(found.graphs))
    return found.graph(options.precision or best)


def _open_plan(path: Path, place: Here, options: EngineOptions) -> TensorRtEngine:
    """A plan as it is: what does not fit here is told before the runtime sees a byte of it."""
    if misfit := read_sidecar(path).misfit(place):
        raise EnvironmentMismatch(
            f"{path} is not for this machine: {misfit}; open the bundle here, which builds it"
        )
    return TensorRtEngine([read_plan(path)], place, options)


class _Opening:
    """One graph on its way to an engine."""

    def __init__(self, package: Package, graph: Graph, place: Here, options: EngineOptions) -> None:
        self._package, self._graph, self._here, self._options = package, graph, place, options
        self._folder = options.cache or cache_folder()
        self._advice = advice_for(package, place, graph.precision, options.batch)
        if self._advice.avoid:
            raise EnvironmentMismatch(f"no engine is built here: {self._advice.avoid}")

    def open(self) -> TensorRtEngine:
        """What served last time comes first: on a device, trying others again takes minutes."""
        typings = self._typings()
        if (known := recall(self._folder, self._key())) is not None:
            with suppress(NotBuilt, golden.Drifted):
                return self._open_way(known.way, list(known.problems))
        return self._first_that_serves(typings)

    def _first_that_serves(self, typings: tuple[Typing, ...]) -> TensorRtEngine:
        problems: list[str] = []
        for typing in typings:
            # One size alone needs no dynamic shape, whatever is known of them.
            static = self._advice.static or self._advice.at_least == 1
            way = Way(typing, static, self._advice.fp32_layernorm)
            try:
                return self._open_way(way, problems)
            except NotBuilt as problem:
                problems.append(f"{way.as_text()}: {problem}")
            except golden.Drifted as problem:
                problems.append(f"{way.as_text()}: {problem}")
                if (found := self._with_islands(way, problems)) is not None:
                    return found
        raise EnvironmentMismatch(f"{self._graph.name}: {'; '.join(problems)}")

    def _with_islands(self, way: Way, problems: list[str]) -> TensorRtEngine | None:
        """Most of what drifts in FP16 and INT8 transformers drifts in LayerNorm."""
        if way.fp32_layernorm or self._graph.precision == "fp32":
            return None
        way = replace(way, fp32_layernorm=True)
        try:
            return self._open_way(way, problems)
        except (NotBuilt, golden.Drifted) as problem:
            problems.append(f"{way.as_text()}: {problem}")
            return None

    def _open_way(self, way: Way, problems: list[str]) -> TensorRtEngine:
        options = self._options
        for again in (False, True):
            kept = [self._kept(request, again) for request in self._requests(way)]
            notes = (*self._notes(way, problems), *{one.note: None for one in kept if one.note})
            plans = [one.plan for one in kept]
            try:
                engine = TensorRtEngine(plans, self._here, options, self._graph.replay, notes)
            except Unloadable as problem:
                refused = str(problem)
                continue
            if problems:
                remember(self._folder, self._key(), Served(way, tuple(problems)))
            return engine
        raise NotBuilt(refused)

    def _key(self) -> str:
        """What the choice of a way depends on."""
        options = self._options
        asked = (options.batch, options.buckets, options.typing, options.level)
        return "\n".join(map(str, (self._graph.digest, self._here, *asked)))

    def _requests(self, way: Way) -> Iterator[BuildRequest]:
        most = self._advice.at_least
        usual = max(self._options.buckets, default=min(USUAL, most))
        batches = [(1, usual, most)]
        if way.static:
            sizes = self._options.buckets or (1, min(USUAL, self._options.batch))
            fixed = {self._at_least(size) for size in (*sizes, self._options.batch)}
            batches = [(size, size, size) for size in sorted(fixed)]
        for batch in batches:
            yield BuildRequest(
                batch=batch,
                package=self._package.name,
                typing=way.typing,
                static=way.static,
                fp32_layernorm=way.fp32_layernorm,
                level=self._options.level,
                workspace=self._options.workspace,
                limit_s=self._options.limit_s,
                timing_cache=timing_cache(self._folder, self._here),
            )

    def _at_least(self, size: int) -> int:
        """The batch that a plan for this one is built for."""
        return advice_for(self._package, self._here, self._graph.precision, size).at_least

    def _kept(self, request: BuildRequest, again: bool) -> Kept:
        digest = self._graph.digest
        make = partial(self._make, request)
        return obtain(self._folder, digest, request, self._here, make, again=again)

    def _make(self, request: BuildRequest) -> Plan:
        made = attempt(self._graph.model(), request)
        if made.plan is None:
            said = "; ".join(made.errors or made.warnings)[:EXCERPT]
            raise NotBuilt(f"{self._package.title} {self._here.version} builds no plan: {said}")
        return plan_of(self._graph.digest, made, request, Computes.of(self._graph), self._here)

    def _typings(self) -> tuple[Typing, ...]:
        asked, offered = self._options.typing, self._package.typings(self._here.version)
        if asked is None:
            return offered
        if asked not in offered:
            raise ConfigError(
                f"{self._package.title} {self._here.version} builds no {asked}ly typed graphs; "
                f"it builds {' and '.join(f'{one}ly' for one in offered)} typed ones"
            )
        return (asked,)

    def _notes(self, way: Way, problems: list[str]) -> tuple[str, ...]:
        applied = [f"{row.title} {row.mend}" for row in self._advice.rows if row.applied]
        return (f"built {way.as_text()}", *applied, *(f"not {problem}" for problem in problems))
