"""Does a graph answer as its PyTorch model does: direction and length, at several batch sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import DataError, InternalError
from ..core.preprocess import Preprocess
from .graph_pixels import IMAGES
from .graph_spec import GraphSpec, Neck, Precision

if TYPE_CHECKING:
    from ..core.models.vit import ReidVit

CHUNK = 32
LEAST_COSINE: Mapping[Precision, float] = {"fp32": 0.99999, "fp16": 0.999}
MOST_LENGTH_ERROR = 1e-3


@dataclass(frozen=True)
class BatchParity:
    """The worst crop of one batch."""

    batch: int
    cosine: float
    length_error: float
    """Largest |length - 1|: both sides give unit vectors."""
    difference: float
    """Largest difference of one value."""


@dataclass(frozen=True)
class Parity:
    batches: tuple[BatchParity, ...]

    @property
    def cosine(self) -> float:
        return min(one.cosine for one in self.batches)

    @property
    def length_error(self) -> float:
        return max(one.length_error for one in self.batches)

    def holds(self, least_cosine: float) -> bool:
        return self.cosine >= least_cosine and self.length_error <= MOST_LENGTH_ERROR

    def as_json(self) -> dict[str, Any]:
        return {"batches": [asdict(one) for one in self.batches]}


def parity(
    model: ReidVit,
    preprocess: Preprocess,
    onnx: bytes,
    spec: GraphSpec,
    crops: NDArray[np.uint8],
    batches: tuple[int, ...] = (1, 2, 7),
) -> Parity:
    """ONNX Runtime against PyTorch on the same crops; all crops together are the last batch."""
    if len(crops) < max(batches):
        raise DataError(
            f"comparing batches of {max(batches)} needs as many crops, not {len(crops)}"
        )
    expected = torch_embeddings(model, preprocess, crops, spec.neck)
    session = open_session(onnx)
    sizes = sorted({*batches, len(crops)})
    return Parity(
        tuple(_compare(_run(session, crops[:size], spec), expected[:size]) for size in sizes)
    )


def require_parity(found: Parity, spec: GraphSpec) -> None:
    """A graph without INT8 that leaves its model behind is our bug."""
    least = LEAST_COSINE[spec.precision]
    if not found.holds(least):
        worst = min(found.batches, key=lambda one: one.cosine)
        raise InternalError(
            f"the {spec.precision} graph differs from PyTorch: cosine {worst.cosine:.6f} "
            f"at batch {worst.batch} (at least {least} is wanted), length off by "
            f"{found.length_error:.2g}"
        )


def torch_embeddings(
    model: ReidVit, preprocess: Preprocess, crops: NDArray[np.uint8], neck: Neck
) -> NDArray[np.float32]:
    """Unit embeddings from the chosen side of the neck, in bounded memory."""
    import torch

    parts = []
    model.eval()
    with torch.inference_mode():
        for start in range(0, len(crops), CHUNK):
            pixels = preprocess.normalise(crops[start : start + CHUNK])
            if preprocess.layout == "nhwc":
                pixels = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
            features = model(torch.from_numpy(pixels))
            chosen = model.chosen(features, neck)
            parts.append(torch.nn.functional.normalize(chosen, dim=1).numpy())
    return np.concatenate(parts)


def open_session(onnx: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])


def feed(crops: NDArray[np.uint8], spec: GraphSpec) -> dict[str, NDArray[Any]]:
    """Crops as a graph's input."""
    if spec.input == "uint8-nhwc":
        return {IMAGES: crops}
    return {IMAGES: np.ascontiguousarray(crops.transpose(0, 3, 1, 2)).astype(np.float32)}


def _run(session: Any, crops: NDArray[np.uint8], spec: GraphSpec) -> NDArray[np.float32]:
    found: NDArray[np.float32] = session.run(None, feed(crops, spec))[0]
    return found


def _compare(found: NDArray[np.float32], expected: NDArray[np.float32]) -> BatchParity:
    ours, theirs = found.astype(np.float64), expected.astype(np.float64)
    lengths = np.linalg.norm(ours, axis=1)
    cosine = (ours * theirs).sum(axis=1) / (lengths * np.linalg.norm(theirs, axis=1))
    return BatchParity(
        batch=len(ours),
        cosine=float(cosine.min()),
        length_error=float(np.abs(lengths - 1).max()),
        difference=float(np.abs(ours - theirs).max()),
    )
