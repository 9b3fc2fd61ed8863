"""What one graph's engine answers on this machine; what was embedded once is kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from ..benchmark.embedding import Reading, embed_split
from ..core.data.base import Sample
from ..core.files import write_atomically
from ..engines.base import EngineInfo, EngineOptions
from ..engines.catalogue import open_engine
from .graphs import Written
from .source import BATCH, Source, digest_of
from .workspace import Workspace

RUNTIME = "openvino"
Embeddings = NDArray[np.float32]


class Embedder:
    """An interrupted run opens the engine again, and embeds only what it had not embedded."""

    def __init__(self, graph: Written, source: Source, workspace: Workspace) -> None:
        self._source, self._workspace = source, workspace
        self._label = "full precision" if graph.name == "reference" else graph.candidate
        path = workspace.folder / f"{graph.candidate}-{graph.name}.onnx"
        write_atomically(path, graph.onnx)
        self.engine = open_engine(str(path), RUNTIME, EngineOptions(graph.precision, batch=BATCH))
        onnx = hashlib.sha256(graph.onnx).hexdigest()
        self._facts = onnx, self.engine.info().as_json()

    def __enter__(self) -> Embedder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.engine.close()

    @property
    def info(self) -> EngineInfo:
        return self.engine.info()

    def samples(self, samples: Sequence[Sample]) -> Embeddings:
        """Crops of the data set, with a bar that shows how far it is."""
        source = self._source
        reading, label = Reading(BATCH, source.options.workers), f"embedding, {self._label}"
        root = source.dataset.root
        return self._kept(
            lambda: embed_split(self.engine, root, samples, reading, label=label).vectors,
            digest_of(source.dataset, samples),
        )

    def crops(self, crops: NDArray[np.uint8]) -> Embeddings:
        digest = hashlib.sha256(crops.tobytes()).hexdigest()
        return self._kept(lambda: self.engine.embed(crops), digest)

    def _kept(self, make: Callable[[], Embeddings], digest: str) -> Embeddings:
        return self._workspace.array(make, "embeddings", *self._facts, digest)
