"""ONNX Runtime on a CPU: the fastest correct form of a bundle's `cpu` variant on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import BundleError, ConfigError, EnvironmentMismatch
from ..core.machine import this_machine, usable_cores
from . import golden
from .base import BaseEngine, EngineInfo, EngineOptions, EngineSpec, Tensors, empty_outputs
from .cpu_precision import Choice, choose
from .form_choice import Candidate, Chosen, cache_folder, fastest_correct, remember, remembered
from .golden import Replay
from .graphs import Graph, open_source
from .onnx_forms import reform

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

AS_EXPORTED = "as-exported"
FULL = "fp32"
DEQUANTISED = "fp32-dequantised"
INTEGER_FORMS = ("qdq-u8", "integer-u8")


@dataclass(frozen=True)
class Form:
    """A graph, and the way it is rewritten before ONNX Runtime reads it."""

    graph: Graph
    rewrite: str | None = None

    def model(self) -> bytes:
        data = self.graph.model()
        return data if self.rewrite is None else reform(data, self.rewrite)


class OnnxRuntimeEngine(BaseEngine):
    def __init__(self, choice: Choice, full: Graph | None, options: EngineOptions) -> None:
        import onnxruntime

        self._versions = {"onnxruntime": onnxruntime.__version__}
        self._choice = choice
        self._threads = options.threads or usable_cores()
        self.batch = options.batch
        self._describe(choice.graph)
        forms, notes = forms_of(choice, full)
        self._chosen, more = self._choose(forms, options)
        form = forms[self._chosen.form]
        self._describe(form.graph)
        if form.graph is full:
            more = (*more, "FP32 is served and not INT8: it is the fastest correct form here")
        self._notes = (*choice.notes, *notes, *more)
        self._precision = form.graph.precision if form.rewrite != DEQUANTISED else "fp32"
        self._sessions = [self._open(form)]
        if form.graph.replay is not None:
            name = f"onnxruntime ({form.graph.name}, form {self._chosen.form})"
            golden.check(self.embed, form.graph.replay, self.batch, name)

    def close(self) -> None:
        super().close()
        self._sessions.clear()

    def info(self) -> EngineInfo:
        return EngineInfo(
            runtime="onnxruntime",
            versions=self._versions,
            device="cpu",
            instruction_set=self._choice.machine.instruction_class,
            precision=f"{self._precision}, form {self._chosen.form}",
            thread_safety="several threads may call run and embed at once; they share the cores",
            notes=self._notes,
            timings={form: asdict(timing) for form, timing in self._chosen.timings.items()},
        )

    def _describe(self, graph: Graph) -> None:
        self.preprocess = graph.preprocess
        self.inputs, self.outputs = graph.inputs, graph.outputs

    def _run(self, feeds: Tensors) -> dict[str, NDArray[Any]]:
        if not len(next(iter(feeds.values()))):
            return empty_outputs(self.outputs)
        return self._infer(self._sessions[0], feeds)

    def _infer(self, session: InferenceSession, feeds: Tensors) -> dict[str, NDArray[Any]]:
        names = [spec.name for spec in self.outputs]
        return dict(zip(names, session.run(names, dict(feeds)), strict=True))

    def _choose(
        self, forms: Mapping[str, Form], options: EngineOptions
    ) -> tuple[Chosen, tuple[str, ...]]:
        if len(forms) == 1:
            return Chosen(next(iter(forms)), {}), ()
        folder = options.cache or cache_folder()
        key = [self._choice.machine.cpu, *self._choice.machine.flags, str(self._threads)]
        key += [*self._versions.values(), *(form.graph.digest for form in forms.values())]
        if chosen := remembered(folder, key, tuple(forms)):
            return chosen, ()
        candidates = {
            name: self._candidate(form, form.graph.replay)
            for name, form in forms.items()
            if form.graph.replay is not None
        }
        chosen = fastest_correct(candidates, self._choice.graph.name)
        problem = remember(folder, key, chosen)
        return chosen, (problem,) if problem else ()

    def _candidate(self, form: Form, replay: Replay) -> Candidate:
        session = self._open(form)
        crops = next(spec.name for spec in self.inputs if spec.meaning == "crops")
        embedding = self._output("embedding").name

        def embed(batch: NDArray[np.uint8]) -> NDArray[np.float32]:
            return self._infer(session, {crops: batch})[embedding]

        return Candidate(embed, replay)

    def _open(self, form: Form) -> InferenceSession:
        import onnxruntime
        from onnxruntime.capi import onnxruntime_pybind11_state as states

        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = self._threads
        settings.log_severity_level = 3
        refusals = (
            *(states.Fail, states.InvalidGraph, states.InvalidProtobuf),
            *(states.InvalidArgument, states.NotImplemented, states.RuntimeException),
        )
        try:
            session = onnxruntime.InferenceSession(
                form.model(), settings, providers=["CPUExecutionProvider"]
            )
        except refusals as problem:
            raise EnvironmentMismatch(
                f"ONNX Runtime {onnxruntime.__version__} cannot run {form.graph.name}: {problem}; "
                "use another engine or another version of ONNX Runtime"
            ) from problem
        _check_inputs(session, form.graph)
        return session


def forms_of(choice: Choice, full: Graph | None) -> tuple[dict[str, Form], tuple[str, ...]]:
    """The forms that may run, and what a user should know about those that may not.

    `full` is the FP32 graph where FP32 may be served too, should it be the fastest here.
    """
    editable = find_spec("onnx") is not None
    if choice.dequantise:
        if not editable:
            raise EnvironmentMismatch(
                "to serve the INT8 graph in FP32, its weights have to be dequantised, which needs "
                "the onnx package; pip install onnx, or use the engine openvino"
            )
        return {DEQUANTISED: Form(choice.graph, DEQUANTISED)}, ()
    if choice.precision != "int8":
        return {FULL: Form(choice.graph)}, ()
    forms = {AS_EXPORTED: Form(choice.graph)}
    if choice.graph.replay is None:
        note = "a bare ONNX file has no golden crops to check another form by: it runs as it is"
        return forms, (note,)
    if full is not None:
        forms[FULL] = Form(full)
    if not editable:
        return forms, ("the onnx package is not here, so other forms of the graph were not tried",)
    return forms | {name: Form(choice.graph, name) for name in INTEGER_FORMS}, ()


def _check_inputs(session: InferenceSession, graph: Graph) -> None:
    found = {entry.name: entry.type for entry in session.get_inputs()}
    wanted = {spec.name: f"tensor({spec.dtype})" for spec in graph.inputs}
    if found != wanted:
        raise BundleError(
            f"{graph.name}: the graph's inputs are {found}, but this runtime feeds {wanted}; "
            "choose the variant for CPUs"
        )


def _open_source(place: str, options: EngineOptions) -> OnnxRuntimeEngine:
    if options.device not in (None, "cpu"):
        raise ConfigError(f"the engine 'onnxruntime' runs on the CPU only, not {options.device!r}")
    if options.precision not in (None, "int8", "fp32"):
        raise ConfigError(f"ONNX Runtime offers int8 and fp32 here, not {options.precision!r}")
    source = open_source(place, variant=options.variant)
    choice = choose(source, options.precision, this_machine())
    full = source.graphs.get("fp32") if options.precision is None else None
    return OnnxRuntimeEngine(choice, full, options)


def _usable() -> tuple[bool, str]:
    if find_spec("onnxruntime") is None:
        return False, "onnxruntime missing; pip install 'personvit[cpu]'"
    return True, ""


ENGINE = EngineSpec("onnxruntime", "ONNX Runtime", "a bundle or ONNX file", _usable, _open_source)
