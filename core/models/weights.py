"""One door for all weights: our files, every known foreign family, hf:// addresses, short names."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import CheckpointError
from ..files import sha256
from ..preprocess import Preprocess
from .adapt import Adapted, adapt
from .config import Fusion, ModelConfig, Tokens
from .convert import convert
from .families.timm_vit import FAMILY as TIMM
from .family import Family, Weights, families
from .hub import fetch, is_remote
from .infer import infer_config
from .native import NativeContent, read_header, read_native
from .published_preprocess import PRE_TRAINED, beside
from .ranges import Ranges
from .report import Dropped, ImportReport
from .safe_load import looks_like_safetensors, read_pickled
from .strict import listing
from .timm_trunk import PREFIX, TimmTrunk, timm_trunk
from .unfinished import is_unfinished, read_unfinished
from .unwrap import Branch, unwrap
from .vit import ReidVit, filled


@dataclass(frozen=True)
class ReadOptions:
    """What a file cannot tell, or what should become of its weights."""

    branch: Branch = "teacher"
    size: tuple[int, int] | None = None
    source_size: tuple[int, int] | None = None
    tokens: Tokens | None = None
    fusion: Fusion | None = None


@dataclass(frozen=True)
class Loaded:
    """A model ready for use, and the account of where it came from."""

    model: ReidVit
    config: ModelConfig
    preprocess: Preprocess
    report: ImportReport
    provenance: dict[str, str]
    ranges: Ranges | None = None
    """Of INT8, where training settled them."""


AS_IT_IS = ReadOptions()


def load_weights(ref: str | Path, options: ReadOptions = AS_IT_IS) -> Loaded:
    """Load weights of any known kind completely, or raise a CheckpointError that names the keys."""
    found = fetch(str(ref)) if is_remote(str(ref)) else None
    path = found.path if found else Path(ref)
    origin = {**found.provenance, "sha256": sha256(path)} if found else {}
    if path.is_file() and looks_like_safetensors(path):
        if read_header(path) is not None:
            return _from_native(path, read_native(path), options, origin)
        from safetensors.torch import load_file

        payload: object = load_file(path)
    else:
        payload = read_pickled(path)
    if is_unfinished(payload):
        content, left_out = read_unfinished(payload, str(path), options.branch)
        return _from_native(path, content, options, origin, left_out)
    return _from_foreign(path, payload, options, origin)


def recognise(weights: Weights) -> Family:
    """The one family whose layout this is."""
    matching = [family for family in families() if family.recognise(weights)]
    if len(matching) == 1:
        return matching[0]
    keys = listing(sorted(weights.tensors))
    if matching:
        names = " and ".join(family.name for family in matching)
        raise CheckpointError(f"{weights.where} could be {names}; its first keys are {keys}")
    known = ", ".join(family.name for family in families())
    raise CheckpointError(
        f"{weights.where} is of no known family ({known}); its first keys are {keys}"
    )


def _from_native(
    path: Path,
    content: NativeContent,
    options: ReadOptions,
    origin: dict[str, str],
    left_out: tuple[Dropped, ...] = (),
) -> Loaded:
    adapted = adapt(content.tensors, content.config, options.size, options.tokens)
    model = filled(adapted.config, adapted.tensors, str(path))
    # Other tokens have other magnitudes: what training settled holds for its own size only.
    ranges = content.ranges if adapted.config == content.config else None
    gone = content.ranges is not None and ranges is None
    report = ImportReport(
        file=str(path),
        family="native",
        title="PersonViT-Edge's own file",
        config=adapted.config,
        matched={key: key for key in adapted.tensors},
        dropped=(*left_out, *adapted.dropped),
        changed=adapted.changed,
        notes=("the INT8 ranges of another size or layout were left out",) if gone else (),
    )
    preprocess = _sized(content.preprocess, adapted)
    provenance = content.provenance | origin
    return Loaded(model, adapted.config, preprocess, report, provenance, ranges)


def _from_foreign(
    path: Path, payload: object, options: ReadOptions, origin: dict[str, str]
) -> Loaded:
    weights, beside_weights = unwrap(payload, str(path), options.branch)
    trunk = None if weights.has("pos_embed") else timm_trunk(weights.tensors)
    if trunk is not None:
        return _from_trunk(path, trunk, options, origin, beside_weights)
    family = recognise(weights)
    converted = convert(weights, family)
    config = infer_config(converted, str(path), options.source_size, options.fusion)
    # The untouched file must fit its own model first: resizing could hide a damaged tensor.
    model = filled(config, converted.tensors, str(path), converted.original)
    adapted = adapt(converted.tensors, config, options.size, options.tokens)
    if adapted.config != config:
        model = filled(adapted.config, adapted.tensors, str(path))
    preprocess, note = beside(path, family)
    report = ImportReport(
        file=str(path),
        family=family.name,
        title=family.title,
        config=adapted.config,
        matched={file_key: own for own, file_key in converted.originals.items()},
        dropped=(*beside_weights, *converted.dropped, *adapted.dropped),
        changed=(*converted.changed, *adapted.changed),
        notes=(note,) if note else (),
    )
    provenance = {"file": path.name, "family": family.name, **origin, **_settings(payload)}
    if "sha256" not in provenance:
        provenance["sha256"] = sha256(path)
    return Loaded(model, adapted.config, _sized(preprocess, adapted), report, provenance)


def _from_trunk(
    path: Path,
    trunk: TimmTrunk,
    options: ReadOptions,
    origin: dict[str, str],
    beside_weights: tuple[Dropped, ...],
) -> Loaded:
    adapted = adapt(trunk.tensors, trunk.config, options.size, options.tokens)
    model = filled(adapted.config, adapted.tensors, str(path), lambda key: key[len(PREFIX) :])
    preprocess, note = beside(path, replace(TIMM, preprocess=PRE_TRAINED))
    heads = tuple(Dropped(key, "ImageNet classifier") for key in trunk.heads)
    report = ImportReport(
        file=str(path),
        family=TIMM.name,
        title=TIMM.title,
        config=adapted.config,
        matched={key.removeprefix(PREFIX): key for key in trunk.tensors},
        dropped=(*beside_weights, *heads),
        notes=(note,),
    )
    provenance = {"file": path.name, "family": TIMM.name, "sha256": sha256(path)} | origin
    return Loaded(model, adapted.config, _sized(preprocess, adapted), report, provenance)


def _settings(payload: object) -> dict[str, str]:
    """What argparse left in the file: often the only record of how the weights were trained."""
    args = payload.get("args") if isinstance(payload, Mapping) else None
    if not isinstance(args, Namespace):
        return {}
    return {"training_args": json.dumps(vars(args), default=str, sort_keys=True)}


def _sized(preprocess: Preprocess, adapted: Adapted) -> Preprocess:
    config = adapted.config
    return replace(preprocess, height=config.height_px, width=config.width_px)
