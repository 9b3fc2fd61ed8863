"""Who is timed on a GPU: torch as it comes and compiled, ONNX Runtime, TensorRT and TensorRT-RTX.

Where the library allows, inputs and outputs stay on the device, so that its work alone is timed.
Our TensorRT engine takes arrays of the host; one torch form does too, to compare it with.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ..core.errors import EnvironmentMismatch
from .gpu_race import Run

if TYPE_CHECKING:
    from ..core.models.config import ModelConfig

Scope = Literal["device", "host"]
Runtime = Literal["tensorrt", "tensorrt_rtx"]
Crops = NDArray[np.uint8]


@dataclass(frozen=True)
class Case:
    """One model on one device; `graphs` holds what export.speed_graphs writes."""

    model: str
    config: ModelConfig
    device: Literal["cuda", "cpu"]
    batches: tuple[int, ...]
    graphs: Path | None
    folder: Path
    """For what is compiled on the way."""

    def crops(self, batch: int) -> Crops:
        """Noise: what a crop shows changes no time."""
        shape = (batch, self.config.height_px, self.config.width_px, 3)
        return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)

    def graph(self, kind: str, precision: str) -> Path:
        if self.graphs is None:
            raise EnvironmentMismatch(
                "no graphs were given; write them with 'python -m personvit.export.speed_graphs "
                "FOLDER' and say --graphs FOLDER"
            )
        path = self.graphs / f"{self.model}-{kind}-{precision}.onnx"
        if not path.is_file():
            raise EnvironmentMismatch(f"{path} is not there; write it with export.speed_graphs")
        return path


class Opened(Protocol):
    """A model that is ready."""

    how: str

    def prepare(self, batch: int) -> Run:
        """A call that queues the work of one batch; its answer is fetched by `answer`."""
        ...

    def answer(self, batch: int) -> NDArray[np.float32]: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Entrant:
    name: str
    precision: str
    scope: Scope
    open: Callable[[Case], Opened]


class TorchModel:
    """uint8 crops to unit-length embeddings, normalisation included; TF32 is off."""

    def __init__(self, case: Case, precision: str, *, compiled: bool, host: bool) -> None:
        import torch

        from ..core.models.vit import build
        from .gpu_model import pixels_to_embedding

        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
        self._torch, self._case, self._host = torch, case, host
        types = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
        torch.manual_seed(0)
        module = pixels_to_embedding(build(case.config), types[precision]).to(case.device).eval()
        mode = "reduce-overhead" if case.device == "cuda" else "default"
        self._compiled = compiled
        self._call: Any = torch.compile(module, mode=mode, dynamic=False) if compiled else module
        form = f"torch.compile(mode={mode!r})" if compiled else "eager"
        self.how = f"torch {torch.__version__}, {form}, {precision} weights and activations"

    def prepare(self, batch: int) -> Run:
        torch, crops = self._torch, self._torch.from_numpy(self._case.crops(batch))
        if self._case.device == "cuda":
            crops = crops.pin_memory() if self._host else crops.cuda()

        def run() -> Any:
            with torch.inference_mode():
                if self._compiled:
                    torch.compiler.cudagraph_mark_step_begin()
                if not self._host:
                    return self._call(crops)
                return self._call(crops.to(self._case.device, non_blocking=True)).cpu()

        return run

    def answer(self, batch: int) -> NDArray[np.float32]:
        made: Any = self.prepare(batch)()
        found: NDArray[np.float32] = made.float().cpu().numpy()
        return found

    def close(self) -> None:
        del self._call
        if self._compiled:
            self._torch._dynamo.reset()
        if self._case.device == "cuda":
            self._torch.cuda.empty_cache()


class OnnxRuntimeModel:
    """One session, inputs and outputs bound to the device's memory."""

    def __init__(self, case: Case, precision: str) -> None:
        import onnxruntime as ort

        wanted = "CUDAExecutionProvider" if case.device == "cuda" else "CPUExecutionProvider"
        if wanted not in ort.get_available_providers():
            raise EnvironmentMismatch(
                f"onnxruntime {ort.__version__} here has no {wanted}; install onnxruntime-gpu"
            )
        if (case.device, precision) == ("cpu", "fp16"):
            raise EnvironmentMismatch("FP16 graphs are for GPUs: a processor emulates them")
        kind = "cpu" if case.device == "cpu" or precision == "fp32" else "trt-decomposed"
        path = case.graph(kind, precision)
        self._case, self._ort = case, ort
        self._session = ort.InferenceSession(path, providers=[wanted])
        if self._session.get_providers()[0] != wanted:
            raise EnvironmentMismatch(f"onnxruntime fell back to {self._session.get_providers()}")
        self.how = f"onnxruntime {ort.__version__}, {wanted}, {path.name}"

    def _binding(self, batch: int) -> Any:
        binding = self._session.io_binding()
        crops = self._ort.OrtValue.ortvalue_from_numpy(
            self._case.crops(batch), self._case.device, 0
        )
        (given,), (made,) = self._session.get_inputs(), self._session.get_outputs()
        binding.bind_ortvalue_input(given.name, crops)
        binding.bind_output(made.name, self._case.device, 0)
        return binding

    def prepare(self, batch: int) -> Run:
        binding = self._binding(batch)
        return lambda: self._session.run_with_iobinding(binding)

    def answer(self, batch: int) -> NDArray[np.float32]:
        binding = self._binding(batch)
        self._session.run_with_iobinding(binding)
        (found,) = binding.copy_outputs_to_cpu()
        return np.asarray(found, dtype=np.float32)

    def close(self) -> None:
        del self._session


class EngineModel:
    """One of our engines, from the host's arrays and back."""

    def __init__(self, case: Case, runtime: Runtime, precision: str) -> None:
        from ..engines.base import EngineOptions
        from ..engines.catalogue import open_engine
        from ..engines.tensorrt_packages import PACKAGES

        if case.device != "cuda":
            raise EnvironmentMismatch("it runs on a GPU only")
        package = PACKAGES[runtime]
        package.require()
        path = case.graph(package.kinds(package.version())[0], precision)
        options = EngineOptions(
            precision=precision,
            batch=max(case.batches),
            buckets=case.batches,
            cache=case.folder / runtime,
        )
        self._case = case
        self._engine = open_engine(str(path), runtime, options)
        notes = "; ".join(self._engine.info().notes)
        self.how = f"{self._engine.info().as_text()}, {path.name}; {notes}"

    def prepare(self, batch: int) -> Run:
        crops = self._case.crops(batch)
        out = np.empty((batch, self._case.config.embedding), dtype=np.float32)
        return lambda: self._engine.embed(crops, out=out)

    def answer(self, batch: int) -> NDArray[np.float32]:
        return self._engine.embed(self._case.crops(batch))

    def close(self) -> None:
        self._engine.close()


def _torch(precision: str, *, compiled: bool = False, host: bool = False) -> Entrant:
    form = "compiled" if compiled else "eager"
    name = f"torch {form} {precision}" + (" from host" if host else "")
    return Entrant(
        *(name, precision, "host" if host else "device"),
        lambda case: TorchModel(case, precision, compiled=compiled, host=host),
    )


def _onnxruntime(precision: str) -> Entrant:
    name = f"onnxruntime {precision}"
    return Entrant(name, precision, "device", lambda case: OnnxRuntimeModel(case, precision))


def _engine(runtime: Runtime, precision: str) -> Entrant:
    name = f"{runtime} {precision}"
    return Entrant(name, precision, "host", lambda case: EngineModel(case, runtime, precision))


BASELINE = "torch eager fp32"

# What compiles for minutes comes last, so that a short run still holds the rest.
ENTRANTS = (
    _torch("fp32"),
    _torch("fp16"),
    _torch("bf16"),
    *(_onnxruntime(precision) for precision in ("fp32", "fp16", "int8")),
    *(_engine("tensorrt", precision) for precision in ("fp16", "int8")),
    *(_engine("tensorrt_rtx", precision) for precision in ("fp16", "int8")),
    _torch("fp16", compiled=True),
    _torch("bf16", compiled=True),
    _torch("fp16", compiled=True, host=True),
)
