"""`personvit-deploy deepstream`: a bundle's graph, and all that DeepStream must know of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from ..core.bundle import Bundle
from ..core.command import argument, option
from ..core.errors import ConfigError, InternalError
from ..core.files import replacing_folder
from .deepstream_cost import ResizeCost, measure
from .deepstream_crops import paths
from .deepstream_engine import PlanarEngine, open_planar, runtime_for_planes
from .deepstream_golden import golden_files
from .deepstream_readme import BLOCK, NVINFER, TRACKER, readme
from .deepstream_settings import (
    ONNX,
    Choices,
    Facts,
    Setting,
    facts_of,
    nvinfer_settings,
    tracker_settings,
)
from .deepstream_text import as_nvinfer, as_tracker
from .deepstream_tracker import START
from .deepstream_versions import VERSIONS

SCHEMA = 1


@dataclass(frozen=True)
class DeepStreamOptions:
    """Write a bundle's graph for DeepStream, the files that describe it, and new thresholds.

    DeepStream crops and resizes in its own way, so match thresholds of the bundle do not hold
    there; with --data they are derived again, on training people, behind an emulation of it.

    Example: personvit-deploy deepstream model.pvb -o deepstream --data DATA
    """

    bundle: Path = argument("a bundle that was exported with --target deepstream")
    out: Path | None = option(None, "the folder to write, new or empty (required)")
    deepstream: Literal["7.1", "9.0", "9.1"] = option("9.1", "the release on the device")
    data: Path | None = option(None, "a data set: measure the resize on its training people")
    kind: str | None = option(None, "the data set's format, when it cannot be recognised")
    batch: int = option(100, "the most people embedded at once", low=1, high=1024)
    candidate: str | None = option(None, "such as fp16, where the bundle holds several")
    place: str | None = option(None, "the folder's path on the device; OUT's own by default")
    tracker_scale: float = option(
        1.0, "tracker-width / frame width: the tracker crops from a frame of that size", low=0.05,
        high=1.0,
    )  # fmt: skip


@dataclass(frozen=True)
class DeepStreamFiles:
    """What was written, and what the resize costs where it was measured."""

    folder: Path
    version: str
    variant: str
    batch: int
    replayed: str
    """The runtime that replayed the golden crops; empty where there is none."""
    cost: ResizeCost | None
    thresholds: Mapping[str, Any] | None
    """Of the bundle, for comparison; they do not hold behind DeepStream's resize."""

    def as_json(self) -> Mapping[str, Any]:
        return {
            "schema": SCHEMA,
            "folder": str(self.folder),
            "deepstream": self.version,
            "variant": self.variant,
            "batch": self.batch,
            "golden_replayed_by": self.replayed or None,
            "run_in_deepstream": False,
            "resize": self.cost.as_json() if self.cost else None,
        }

    def as_text(self) -> str:
        replayed = f"replayed by {self.replayed}" if self.replayed else "not replayed here"
        head = (
            f"{self.folder}: files for DeepStream {self.version} of variant {self.variant}\n"
            f"  golden crops {replayed}; nothing here has run in DeepStream\n"
        )
        if self.cost is None:
            return head + (
                "  the bundle's match thresholds do not hold behind DeepStream's resize; "
                "--data derives new ones"
            )
        return head + "\n".join(f"  {line}" for line in self.cost.as_text().splitlines())


def deepstream(options: DeepStreamOptions) -> DeepStreamFiles:
    """Write the folder; with data, measure first what DeepStream's resize costs."""
    if options.out is None:
        raise ConfigError("say which folder to write: -o DIR")
    _refuse_full(options.out)
    bundle = Bundle.open(options.bundle)
    facts = facts_of(bundle, options.candidate)
    place = PurePosixPath(options.place or options.out.absolute().as_posix())
    choices = Choices(VERSIONS[options.deepstream], options.batch, place)
    nvinfer, tracker = nvinfer_settings(facts, choices), tracker_settings(facts, choices)
    engine = _proven(bundle, facts, tracker, needed=options.data is not None)
    cost = _cost(engine, bundle, options) if engine and options.data else None
    made = DeepStreamFiles(
        folder=options.out,
        version=options.deepstream,
        variant=facts.variant.name,
        batch=options.batch,
        replayed=engine.runtime if engine else "",
        cost=cost,
        thresholds=_of_bundle(bundle),
    )
    text = readme(bundle, facts, choices, cost, made.replayed)
    _write(options.out, bundle, facts, (nvinfer, tracker), made, text)
    return made


def _refuse_full(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out} is there already; name a new or empty folder")


def _proven(
    bundle: Bundle, facts: Facts, tracker: tuple[Setting, ...], *, needed: bool
) -> PlanarEngine | None:
    """The graph, once it answers the golden crops fed by the very values that are written."""
    if runtime_for_planes() is None and not needed:
        return None
    written = {setting.key: setting.value for setting in tracker}
    scale, offsets = written["netScaleFactor"], written["offsets"]
    if not isinstance(scale, float) or not isinstance(offsets, tuple):
        raise InternalError(f"netScaleFactor {scale!r} and offsets {offsets!r} must be numbers")
    return open_planar(bundle, facts, scale, tuple(float(each) for each in offsets))


def _cost(engine: PlanarEngine, bundle: Bundle, options: DeepStreamOptions) -> ResizeCost:
    if options.data is None:
        raise ConfigError("say whose crops to measure with: --data FOLDER")
    ways = paths(options.tracker_scale)
    return measure(engine, bundle.manifest.preprocess, options.data, options.kind, ways)


def _of_bundle(bundle: Bundle) -> Mapping[str, Any] | None:
    if not bundle.manifest.has("thresholds.json"):
        return None
    found = bundle.json("thresholds.json")
    return found if isinstance(found, dict) else None


def _write(
    out: Path,
    bundle: Bundle,
    facts: Facts,
    settings: tuple[tuple[Setting, ...], tuple[Setting, ...]],
    made: DeepStreamFiles,
    text: str,
) -> None:
    nvinfer, tracker = settings
    whole = (*START, *tracker)
    listed = {NVINFER: nvinfer, TRACKER: whole, BLOCK: tracker}
    origins = {name: [each.as_json() for each in lines] for name, lines in listed.items()}
    about = {
        **made.as_json(),
        "folder": ".",
        "bundle": {"sha256": bundle.digest, "name": bundle.manifest.name},
        "space_id": bundle.manifest.space.id,
        "encoder_id": facts.variant.encoder_id,
        "files": origins,
    }
    about.pop("resize")
    with replacing_folder(out) as part:
        (part / ONNX).write_bytes(bundle.model(facts.variant))
        (part / NVINFER).write_text(as_nvinfer(nvinfer))
        (part / TRACKER).write_text(as_tracker(whole))
        (part / BLOCK).write_text(as_tracker(tracker).removeprefix("%YAML:1.0\n"))
        (part / "settings.json").write_text(json.dumps(about, indent=1) + "\n")
        if made.cost is not None:
            found = {**made.cost.as_json(), "schema": SCHEMA, "bundle": made.thresholds}
            (part / "thresholds.json").write_text(json.dumps(found, indent=1) + "\n")
        for name, data in golden_files(bundle, facts, made.batch).items():
            (part / name).write_bytes(data)
        (part / "README.md").write_text(text)
