"""What the ONNX runtimes open: the variants of a bundle, or one bare ONNX file of ours."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..core.bundle import Bundle
from ..core.errors import BundleError, ConfigError
from ..core.manifest import TensorSpec as Stored
from ..core.manifest import Variant
from ..core.preprocess import Preprocess
from .base import Meaning, TensorSpec
from .golden import Replay
from .onnx_metadata import metadata_of

PREFIX = "personvit."
MEANINGS: Mapping[str, Meaning] = {"crops": "crops", "camera": "camera", "embedding": "embedding"}


@dataclass(frozen=True)
class Graph:
    """One graph, and all that is known about it before a runtime reads it."""

    name: str
    precision: str
    preprocess: Preprocess
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    digest: str
    replay: Replay | None
    """Nothing where the graph came without golden crops."""
    model: Callable[[], bytes]


@dataclass(frozen=True)
class Source:
    """The graphs of one kind, by precision: `int8`, `fp16` or `fp32`."""

    name: str
    graphs: Mapping[str, Graph]

    def graph(self, precision: str) -> Graph:
        if precision not in self.graphs:
            known = ", ".join(self.graphs)
            raise ConfigError(
                f"{self.name} holds no {precision} graph for this runtime (it has {known}); "
                "export one, or choose another precision"
            )
        return self.graphs[precision]


def open_source(
    place: str, kinds: tuple[str, ...] = ("cpu",), variant: str | None = None
) -> Source:
    """The graphs a runtime can use, from a bundle or an ONNX file; `variant` names a single one.

    Of two kinds that hold one precision, the one that `kinds` names first is taken.
    """
    path = Path(place)
    if path.suffix == ".onnx":
        return _bare(path)
    if path.suffix == ".pvb" or _begins_as_a_bundle(path):
        return _from_bundle(Bundle.open(path), kinds, variant)
    raise ConfigError(
        f"{place}: this runtime takes a bundle (.pvb) or an ONNX file; make one of weights with "
        "'personvit-export WEIGHTS --data ROOT -o OUT.pvb'"
    )


def _from_bundle(bundle: Bundle, kinds: tuple[str, ...], name: str | None) -> Source:
    offered = (bundle.variant(name),) if name else bundle.manifest.variants
    usable = sorted(
        (variant for variant in offered if variant.kind in kinds),
        key=lambda variant: kinds.index(variant.kind),
    )
    if not usable:
        known = ", ".join(variant.name for variant in bundle.manifest.variants)
        raise BundleError(
            f"{bundle.path}: no variant is for this runtime (wanted {' or '.join(kinds)}, found "
            f"{known}); export it with the matching --target"
        )
    golden = bundle.golden()
    graphs: dict[str, Graph] = {}
    for variant in usable:
        replay = Replay(golden.crops, golden.expected[variant.name])
        graphs.setdefault(variant.precision, _of_variant(bundle, variant, replay))
    return Source(str(bundle.path), graphs)


def _of_variant(bundle: Bundle, variant: Variant, replay: Replay) -> Graph:
    return Graph(
        name=f"{bundle.path}, variant {variant.name!r}",
        precision=variant.precision,
        preprocess=bundle.manifest.preprocess,
        inputs=tuple(_spec(spec, bundle) for spec in variant.inputs),
        outputs=tuple(_spec(spec, bundle) for spec in variant.outputs),
        digest=bundle.manifest.digest_of(variant.member),
        replay=replay,
        model=lambda: bundle.model(variant),
    )


def _spec(stored: Stored, bundle: Bundle) -> TensorSpec:
    if stored.meaning not in MEANINGS:
        known = ", ".join(MEANINGS)
        raise BundleError(
            f"{bundle.path}: {stored.name!r} means {stored.meaning!r}, which this version cannot "
            f"feed or read ({known}); upgrade personvit"
        )
    shape = tuple(size if isinstance(size, int) else None for size in stored.shape)
    return TensorSpec(stored.name, stored.dtype, shape, MEANINGS[stored.meaning], stored.space)


def _bare(path: Path) -> Source:
    if not path.is_file():
        raise BundleError(f"{path}: an ONNX file was expected here, but there is none")
    model = path.read_bytes()
    facts = metadata_of(model, str(path))
    try:
        preprocess = Preprocess.from_dict(json.loads(facts[PREFIX + "preprocess"]))
        width = int(facts[PREFIX + "embedding"])
        space = facts[PREFIX + "space"]
        quantised = int(facts[PREFIX + "int8_layers"]) > 0
        precision = "int8" if quantised else facts[PREFIX + "precision"]
    except (KeyError, ValueError, ConfigError) as problem:
        raise BundleError(
            f"{path}: this ONNX file was not made by personvit-export (it lacks or breaks "
            f"{PREFIX}*: {problem}); export the weights again"
        ) from problem
    size = (None, preprocess.height, preprocess.width, 3)
    inputs = (TensorSpec("images", "uint8", size, "crops"),)
    outputs = (TensorSpec("embedding", "float32", (None, width), "embedding", space),)
    digest = hashlib.sha256(model).hexdigest()
    graph = Graph(str(path), precision, preprocess, inputs, outputs, digest, None, lambda: model)
    return Source(str(path), {precision: graph})


def _begins_as_a_bundle(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(4) == b"PK\3\4" and b"manifest.json" in file.read(64)
