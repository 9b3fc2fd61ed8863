"""The one protocol that all runtimes are used through, and what they share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..core.errors import ConfigError, DataError
from ..core.preprocess import Preprocess

Meaning = Literal["crops", "camera", "embedding", "attributes", "text"]
Tensors = Mapping[str, NDArray[Any]]
E = TypeVar("E")


@dataclass(frozen=True)
class TensorSpec:
    """One input or output. None in `shape` is free; `space` names the metric space of an
    embedding: vectors of one space may be compared, and of two never."""

    name: str
    dtype: str
    shape: tuple[int | None, ...]
    meaning: Meaning
    space: str | None = None


@dataclass(frozen=True)
class EngineInfo:
    runtime: str
    versions: Mapping[str, str]
    device: str
    instruction_set: str
    precision: str
    thread_safety: str
    layers: Mapping[str, str] = field(default_factory=dict)
    """Precision per layer, where the runtime tells."""
    notes: tuple[str, ...] = ()
    """What a user should know about how it runs here, such as why another precision is served."""
    timings: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Where the engine chose between forms of a graph: what it measured of each."""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def as_text(self) -> str:
        versions = " ".join(f"{name} {version}" for name, version in self.versions.items())
        return f"{self.runtime} ({versions}) on {self.device}, {self.precision}"


class Engine(Protocol):
    """A model ready to run. Use it in a `with` block; leaving the block frees what it holds."""

    @property
    def inputs(self) -> tuple[TensorSpec, ...]: ...

    @property
    def outputs(self) -> tuple[TensorSpec, ...]: ...

    @property
    def preprocess(self) -> Preprocess:
        """How an image becomes a crop of the main input; normalising is the engine's own work."""
        ...

    def run(self, feeds: Tensors) -> dict[str, NDArray[Any]]:
        """One batch: every declared input by name, every declared output by name."""
        ...

    def embed(
        self,
        crops: NDArray[np.uint8],
        out: NDArray[np.float32] | None = None,
        cameras: NDArray[np.int64] | None = None,
    ) -> NDArray[np.float32]:
        """Embeddings of any number of uint8 NHWC RGB crops, none included."""
        ...

    def info(self) -> EngineInfo: ...

    def close(self) -> None: ...

    def __enter__(self: E) -> E: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


@dataclass(frozen=True)
class EngineOptions:
    """What may be asked of any engine; an engine that cannot give it raises."""

    precision: str | None = None
    device: str | None = None
    batch: int = 32
    threads: int | None = None
    cache: Path | None = None
    """Where an engine may keep what it compiled or measured; each has its own default."""
    variant: str | None = None
    """The name of one variant of a bundle, where it holds several that the engine could take."""
    buckets: tuple[int, ...] = ()
    """Batch sizes that will be asked for often; a runtime that tunes for a size tunes for these."""
    limit_s: float = 1800.0
    """How long compiling may take before it is stopped."""
    workspace: int | None = None
    """The most device memory in bytes that compiling may borrow; by default what is free."""
    streams: int = 1
    """How many batches a GPU may work on at once, each with buffers of its own."""
    typing: Literal["strong", "weak"] | None = None
    """How TensorRT before 10.12 takes the types of a graph: as they are, or as what it may use."""
    level: int | None = None
    """The compiler's optimisation level, 0 to 5; its own default where none is given."""

    def __post_init__(self) -> None:
        if self.batch < 1 or (self.threads is not None and self.threads < 1):
            raise ConfigError("batch and threads must be 1 or more")
        if self.streams < 1:
            raise ConfigError("streams must be 1 or more")
        if not all(1 <= size <= self.batch for size in self.buckets):
            raise ConfigError(f"buckets {self.buckets} must lie between 1 and {self.batch}")


@dataclass(frozen=True)
class EngineSpec:
    """One runtime; each module of this room that holds one names it `ENGINE`."""

    name: str
    title: str
    takes: str
    usable: Callable[[], tuple[bool, str]]
    """Whether it can run here, and what to install or change where it cannot."""
    open: Callable[[str, EngineOptions], Engine]


class BaseEngine(ABC):
    """Checks feeds and cuts any number of crops into batches; a runtime adds `_run`."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    preprocess: Preprocess
    batch: int
    _closed = False

    @abstractmethod
    def _run(self, feeds: Tensors) -> dict[str, NDArray[Any]]: ...

    @abstractmethod
    def info(self) -> EngineInfo: ...

    def close(self) -> None:
        self._closed = True

    def __enter__(self: E) -> E:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def run(self, feeds: Tensors) -> dict[str, NDArray[Any]]:
        if self._closed:
            raise ConfigError("this engine has been closed; open it again to run it")
        wanted = {spec.name for spec in self.inputs}
        if set(feeds) != wanted:
            raise DataError(f"feeds are {sorted(feeds)} but the inputs are {sorted(wanted)}")
        for spec in self.inputs:
            check_tensor(spec, feeds[spec.name])
        if len({len(value) for value in feeds.values()}) > 1:
            raise DataError("the inputs differ in how many images they hold")
        return self._run(feeds)

    def embed(
        self,
        crops: NDArray[np.uint8],
        out: NDArray[np.float32] | None = None,
        cameras: NDArray[np.int64] | None = None,
    ) -> NDArray[np.float32]:
        embedding = self._output("embedding")
        out = _destination(out, len(crops), embedding.shape[1])
        feeds = self._feeds(crops, cameras)
        for start, stop in self._chunks(len(crops)):
            found = self.run({name: value[start:stop] for name, value in feeds.items()})
            out[start:stop] = found[embedding.name]
        return out

    def _feeds(
        self, crops: NDArray[np.uint8], cameras: NDArray[np.int64] | None
    ) -> dict[str, NDArray[Any]]:
        """Whole inputs, checked before the first batch is run."""
        given: dict[str, NDArray[Any] | None] = {"crops": crops, "camera": cameras}
        feeds = {}
        for spec in self.inputs:
            value = given.get(spec.meaning)
            if value is None:
                raise ConfigError(
                    f"this model needs the input {spec.name!r} ({spec.meaning}) beside the crops"
                )
            check_tensor(spec, value)
            if len(value) != len(crops):
                raise DataError(f"{len(crops)} crops but {len(value)} values for {spec.name!r}")
            feeds[spec.name] = value
        return feeds

    def _chunks(self, count: int) -> Iterator[tuple[int, int]]:
        for start in range(0, count, self.batch):
            yield start, min(start + self.batch, count)

    def _output(self, meaning: Meaning) -> TensorSpec:
        for spec in self.outputs:
            if spec.meaning == meaning:
                return spec
        raise ConfigError(f"this model has no output that is an {meaning}")


def check_tensor(spec: TensorSpec, value: NDArray[Any]) -> None:
    fits = value.ndim == len(spec.shape) and all(
        wanted in (None, given) for wanted, given in zip(spec.shape, value.shape, strict=True)
    )
    if str(value.dtype) != spec.dtype or not fits:
        wanted_shape = " x ".join("any" if size is None else str(size) for size in spec.shape)
        raise DataError(
            f"the input {spec.name!r} is {value.dtype} of shape {value.shape}; "
            f"it must be {spec.dtype} of shape {wanted_shape}"
        )


def empty_outputs(outputs: Iterable[TensorSpec]) -> dict[str, NDArray[Any]]:
    """What a batch of no crops gives; runtimes refuse to run one."""
    return {
        spec.name: np.empty((0, *(size or 0 for size in spec.shape[1:])), dtype=spec.dtype)
        for spec in outputs
    }


def _destination(
    out: NDArray[np.float32] | None, count: int, width: int | None
) -> NDArray[np.float32]:
    if out is None:
        return np.empty((count, width or 0), dtype=np.float32)
    if out.shape != (count, width) or out.dtype != np.float32:
        raise DataError(
            f"`out` is {out.dtype} of shape {out.shape}; give float32 of shape {(count, width)}"
        )
    return out
