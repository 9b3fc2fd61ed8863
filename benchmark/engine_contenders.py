"""Who takes part when CPU engines are timed: ours, the runtimes as they come, a peer, the floor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import ConfigError
from ..engines.base import Engine, EngineOptions
from ..engines.catalogue import open_engine
from ..engines.graphs import Graph, open_source
from .engine_targets import DEFAULT, FLOOR, FULL, NNCF, ORT_FULL, ORT_INT8, OURS
from .int8_floor import Product, compile_products, products_of
from .latency import Call
from .nncf_model import NncfModel, quantise_nncf

if TYPE_CHECKING:
    from openvino import CompiledModel, InferRequest, Model


@dataclass(frozen=True)
class Case:
    """The two graphs of one model, and how they are run."""

    int8: Path
    fp32: Path
    threads: int
    batches: tuple[int, ...]
    folder: Path
    """For what is made on the way; what NNCF made there is used again."""
    calibration_crops: int = 512

    def graph(self, precision: str) -> Graph:
        return open_source(str(self.int8 if precision == "int8" else self.fp32)).graph(precision)

    @property
    def settings(self) -> dict[str, Any]:
        """OpenVINO's, where nothing but the number of threads is chosen."""
        return {"INFERENCE_NUM_THREADS": self.threads}

    def crops(self, count: int) -> NDArray[np.uint8]:
        """Noise: what a crop shows changes no time."""
        size = self.graph("int8").preprocess
        shape = (count, size.height, size.width, 3)
        return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@dataclass(frozen=True)
class Contender:
    call: Call
    how: str
    """What it runs and how it was set."""
    embeds: bool = True
    facts: Mapping[str, Any] = field(default_factory=dict)


@contextmanager
def contenders(case: Case, nncf: Path | None) -> Iterator[dict[str, Contender]]:
    """Everyone, ready to be called with uint8 crops; `nncf` is an interpreter that has it."""
    require_one_model(case)
    peer = None if nncf is None else _quantise(case, nncf)
    with ExitStack() as stack:
        # Never kept: ONNX Runtime's form is chosen anew, on the machine as it is in this run.
        cache = Path(stack.enter_context(TemporaryDirectory()))

        def engine(name: str, precision: str) -> Contender:
            return _of_engine(stack.enter_context(_open(case, name, precision, cache)))

        found = {
            ORT_FULL: engine("onnxruntime", "fp32"),
            ORT_INT8: engine("onnxruntime", "int8"),
            FULL: engine("openvino", "fp32"),
            DEFAULT: _as_it_comes(case, case.graph("fp32").model()),
            OURS: engine("openvino", "int8"),
            FLOOR: _floor(case),
        }
        if peer is not None:
            found[NNCF] = _as_it_comes(case, str(peer.model), peer.versions)
        yield found


def require_one_model(case: Case) -> None:
    """The two files hold the same weights, or a ratio of their times would mean nothing."""
    spaces = [case.graph(precision).outputs[0].space for precision in ("int8", "fp32")]
    if spaces[0] != spaces[1]:
        raise ConfigError(
            f"{case.int8} and {case.fp32} were made of different models; "
            "export both from the same weights"
        )


def _quantise(case: Case, python: Path) -> NncfModel:
    crops = case.crops(case.calibration_crops)
    return quantise_nncf(case.graph("fp32"), crops, python, case.folder, case.threads)


def _open(case: Case, name: str, precision: str, cache: Path) -> Engine:
    place = case.int8 if precision == "int8" else case.fp32
    options = EngineOptions(
        precision=precision,
        threads=case.threads,
        batch=max(case.batches),
        cache=cache if name == "onnxruntime" else None,
    )
    return open_engine(str(place), name, options)


def _of_engine(engine: Engine) -> Contender:
    info = engine.info()
    facts = {key: value for key, value in info.as_json().items() if key != "layers"}
    return Contender(engine.embed, f"{info.as_text()}, through Engine.embed", facts=facts)


def _as_it_comes(
    case: Case, model: bytes | str, versions: Mapping[str, str] | None = None
) -> Contender:
    """OpenVINO without our engine, at its best: a model of its own for each batch size."""
    requests = _Requests({size: _compile(case, model, size) for size in case.batches})
    hint = requests.property_of("INFERENCE_PRECISION_HINT")
    how = f"OpenVINO, its own precision hint ({hint}), compiled for each batch size"
    return Contender(requests.embed, how, facts={"hint": hint, "versions": dict(versions or {})})


def _floor(case: Case) -> Contender:
    products = int8_products(case)
    settings = {**case.settings, "INFERENCE_PRECISION_HINT": "f32"}
    compiled = {size: compile_products(products, size, settings) for size in case.batches}
    how = f"OpenVINO, {len(products)} products and nothing else, compiled for each batch size"
    return Contender(_Requests(compiled).products, how, embeds=False)


def int8_products(case: Case) -> tuple[Product, ...]:
    return products_of(_reshaped(case.graph("int8").model(), 1))


def _compile(case: Case, model: bytes | str, size: int) -> CompiledModel:
    import openvino

    return openvino.Core().compile_model(_reshaped(model, size), "CPU", case.settings)


def _reshaped(model: bytes | str, size: int) -> Model:
    import openvino

    read = openvino.Core().read_model(model)
    (pixels,) = read.inputs
    read.reshape({pixels: [size, *list(pixels.get_partial_shape())[1:]]})
    return read


class _Requests:
    """One compiled model per batch size, and the request of each."""

    def __init__(self, compiled: Mapping[int, CompiledModel]) -> None:
        rng = np.random.default_rng(1)
        self._compiled = compiled
        self._requests: dict[int, InferRequest] = {
            size: model.create_infer_request() for size, model in compiled.items()
        }
        for size, request in self._requests.items():
            for index, port in enumerate(compiled[size].inputs):
                kind = port.get_element_type().to_dtype()
                level = np.iinfo(kind).max
                values = rng.integers(0, level, tuple(port.get_shape())).astype(kind)
                request.get_input_tensor(index).data[:] = values

    def embed(self, crops: NDArray[Any]) -> NDArray[Any]:
        request = self._requests[len(crops)]
        request.infer([crops], share_inputs=True)
        found: NDArray[Any] = request.get_output_tensor(0).data.copy()
        return found

    def products(self, crops: NDArray[Any]) -> None:
        """The crops only say how many: the inputs are the products' own."""
        self._requests[len(crops)].infer()

    def property_of(self, name: str) -> str:
        kind = next(iter(self._compiled.values())).get_property(name)
        return str(kind.get_type_name() if hasattr(kind, "get_type_name") else kind)


def worst_cosines(
    found: Mapping[str, Contender], crops: NDArray[np.uint8], sizes: Sequence[int]
) -> dict[str, float]:
    """Of each contender's embeddings to the first one's: a wrong graph would show here."""
    size = max(sizes)
    vectors = {
        name: np.asarray(one.call(crops[:size])) for name, one in found.items() if one.embeds
    }
    reference = next(iter(vectors.values()))
    return {
        name: float(np.einsum("nd,nd->n", reference, made).min()) for name, made in vectors.items()
    }
