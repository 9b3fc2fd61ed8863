"""What a bundle holds: the typed contents of its `manifest.json`, and the one check of them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from . import strict_json
from .canonical_zip import FIRST, bad_name
from .errors import BundleError
from .preprocess import Preprocess
from .variant import (
    PROBE,
    Bounds,
    Candidate,
    Kind,
    Precision,
    TensorSpec,
    Variant,
    contradictions_in_candidate,
    precision_of,
    variant_name,
)

__all__ = [
    "Bounds",
    "Candidate",
    "Kind",
    "Manifest",
    "Member",
    "Model",
    "Precision",
    "Space",
    "TensorSpec",
    "Variant",
    "precision_of",
    "variant_name",
]

SCHEMA = 1

Neck = Literal["before", "after"]
Metric = Literal["cosine", "euclidean"]

EMBEDDING = "embedding"
"""The meaning of an output whose vectors lie in the bundle's space."""

GOLDEN_CROPS = "golden/crops.npy"
PROBE_CROPS = "probe/crops.npy"
PROBE_EMBEDDINGS = "probe/embeddings.npy"

_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Model:
    """`config` is that of core.models.config, kept plain because devices have no torch."""

    name: str
    config: Mapping[str, Any]


@dataclass(frozen=True)
class Space:
    """Vectors of one space may be compared with each other."""

    lineage: str
    """sha256 of the full-precision weights that span the space."""
    neck: Neck
    dimension: int
    metric: Metric = "cosine"
    id: str = ""

    def derived_id(self) -> str:
        return _identifier("space", [self.lineage, self.neck, self.dimension, self.metric])


@dataclass(frozen=True)
class Member:
    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """A draft has empty ids and no members; `write_bundle` seals it."""

    tool: str
    """The version of this project that wrote the bundle."""
    name: str
    model: Model
    preprocess: Preprocess
    space: Space
    variants: tuple[Variant, ...]
    golden_source: Literal["synthetic", "data"] = "synthetic"
    probe_source: Literal["synthetic", "data"] | None = None
    """Nothing where there is no probe."""
    calibration: str | None = None
    members: tuple[Member, ...] = ()
    schema: int = SCHEMA

    def sealed(self, members: tuple[Member, ...]) -> Manifest:
        """With the members, and every id derived from what it names."""
        space = dataclasses.replace(self.space, id=self.space.derived_id())
        manifest = dataclasses.replace(self, space=space, members=members)
        variants = tuple(_sealed_variant(manifest, variant) for variant in self.variants)
        manifest = dataclasses.replace(manifest, variants=variants)
        check(manifest)
        return manifest

    def encoder_id(self, variant: Variant) -> str:
        """Names what produced a vector: model, recipe, preprocessing and class of runtime."""
        recipe = self.digest_of(variant.recipe) if variant.recipe else ""
        runtime = [variant.kind, variant.candidate, variant.precision]
        # A space names its own model, but not the student that projects into it.
        student = [self.digest_of(variant.member)] if self.model.config.get("projection") else []
        facts = [self.space.id, recipe, self.preprocess.digest(), *runtime, *student]
        return _identifier("encoder", facts)

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """In the order of the variants; the first is the default."""
        return tuple(dict.fromkeys(variant.candidate for variant in self.variants))

    def variants_of(self, candidate: Candidate) -> tuple[Variant, ...]:
        return tuple(variant for variant in self.variants if variant.candidate == candidate)

    def digest_of(self, member: str) -> str:
        return next((entry.sha256 for entry in self.members if entry.name == member), "")

    def variant(self, name: str) -> Variant:
        for variant in self.variants:
            if variant.name == name:
                return variant
        known = ", ".join(variant.name for variant in self.variants)
        raise BundleError(f"this bundle has no variant {name!r}; it has {known}")

    def has(self, member: str) -> bool:
        return any(entry.name == member for entry in self.members)

    def to_bytes(self) -> bytes:
        return strict_json.dump(self)

    @classmethod
    def from_bytes(cls, data: bytes) -> Manifest:
        """Parse and check; the only accepted spelling is the one that `to_bytes` gives."""
        try:
            document = strict_json.parse(data)
            _check_schema(document)
            manifest = strict_json.build(cls, document)
        except strict_json.DocumentError as problem:
            raise BundleError(f"{FIRST}: {problem}; {_MEND}") from problem
        check(manifest)
        if manifest.to_bytes() != data:
            raise BundleError(f"{FIRST}: it was edited or written by another tool; {_MEND}")
        return manifest


def check(manifest: Manifest) -> None:
    """Refuse a manifest that contradicts itself."""
    for where, what in _contradictions(manifest):
        raise BundleError(f"{FIRST}: {where}: {what}; {_MEND}")


def _contradictions(manifest: Manifest) -> Iterator[tuple[str, str]]:
    if manifest.schema != SCHEMA:
        yield "schema", f"must be {SCHEMA}, not {manifest.schema}"
    for where, text in (("name", manifest.name), ("model.name", manifest.model.name)):
        if not text.strip() or len(text) > 200 or not text.isprintable():
            yield where, f"must be 1 to 200 printable characters, not {text[:60]!r}"
    if not _DIGEST.fullmatch(manifest.space.lineage):
        yield "space.lineage", "must be a sha256 in 64 hexadecimal digits"
    if manifest.space.dimension < 1:
        yield "space.dimension", f"must be above 0, not {manifest.space.dimension}"
    if manifest.space.id != manifest.space.derived_id():
        yield "space.id", f"must be {manifest.space.derived_id()}, which follows from the space"
    yield from _contradictions_in_size(manifest)
    yield from _contradictions_in_members(manifest)
    yield from _contradictions_in_variants(manifest)


def _contradictions_in_size(manifest: Manifest) -> Iterator[tuple[str, str]]:
    size = {"height_px": manifest.preprocess.height, "width_px": manifest.preprocess.width}
    for key, wanted in size.items():
        if manifest.model.config.get(key) != wanted:
            found = manifest.model.config.get(key)
            yield f"model.config.{key}", f"is {found}, but the preprocessing makes {wanted}"


def _contradictions_in_members(manifest: Manifest) -> Iterator[tuple[str, str]]:
    names = [member.name for member in manifest.members]
    if names != sorted(set(names)):
        yield "members", "must be sorted by name, each once"
    for index, member in enumerate(manifest.members):
        where = f"members[{index}]"
        if reason := bad_name(member.name):
            yield f"{where}.name", f"{member.name!r} {reason}"
        if member.name == FIRST:
            yield f"{where}.name", "the manifest cannot list itself"
        if not _DIGEST.fullmatch(member.sha256):
            yield f"{where}.sha256", "must be a sha256 in 64 hexadecimal digits"
        if member.size < 0:
            yield f"{where}.size", "must not be below 0"
    if manifest.calibration is not None and not manifest.has(manifest.calibration):
        yield "calibration", f"names {manifest.calibration!r}, which is not among the members"
    if not manifest.has(GOLDEN_CROPS):
        yield "members", f"lack {GOLDEN_CROPS}"
    yield from _contradictions_in_probe(manifest)


def _contradictions_in_probe(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """All of a probe, or none of it: a device trusts no candidate it cannot compare."""
    there = {member.name for member in manifest.members if member.name.startswith(PROBE)}
    every = {PROBE_CROPS, PROBE_EMBEDDINGS, *(variant.probe for variant in manifest.variants)}
    wanted = every if there else set()
    if missing := sorted(wanted - there):
        yield "members", f"hold part of a probe, but lack {', '.join(missing)}"
    if strange := sorted(there - wanted):
        yield "members", f"hold {', '.join(strange)}, which belongs to no variant"
    if bool(there) != (manifest.probe_source is not None):
        yield "probe_source", "must say where the probe crops are from, and nothing without a probe"


def _contradictions_in_variants(manifest: Manifest) -> Iterator[tuple[str, str]]:
    names = [variant.name for variant in manifest.variants]
    if not names:
        yield "variants", "there is none; a bundle has at least one"
        return
    default = manifest.candidates[0]
    for index, variant in enumerate(manifest.variants):
        where = f"variants[{index}]"
        if variant.name != (wanted := variant_name(variant.kind, variant.candidate, default)):
            yield f"{where}.name", f"must be {wanted!r}, not {variant.name!r}"
        if variant.name in names[:index]:
            yield f"{where}.name", f"{variant.name!r} is there twice"
        for member in (variant.member, variant.golden, variant.recipe):
            if member is not None and not manifest.has(member):
                yield where, f"needs {member!r}, which is not among the members"
        yield from contradictions_in_candidate(variant, where)
        if variant.opset < 1:
            yield f"{where}.opset", f"must be above 0, not {variant.opset}"
        if not 0 < variant.bounds.cosine_min <= 1:
            yield f"{where}.bounds.cosine_min", "must be above 0 and at most 1"
        if not 0 < variant.bounds.norm_tolerance < 1:
            yield f"{where}.bounds.norm_tolerance", "must be between 0 and 1"
        if variant.encoder_id != manifest.encoder_id(variant):
            yield f"{where}.encoder_id", "does not follow from the model, recipe and preprocessing"
        yield from _contradictions_in_tensors(manifest, variant, where)


def _contradictions_in_tensors(
    manifest: Manifest, variant: Variant, where: str
) -> Iterator[tuple[str, str]]:
    if len(variant.inputs) < 1:
        yield f"{where}.inputs", "there is none"
    embeddings = [spec for spec in variant.outputs if spec.meaning == EMBEDDING]
    if len(embeddings) != 1:
        yield f"{where}.outputs", f"must hold one with the meaning {EMBEDDING!r}"
    for spec in embeddings:
        if spec.shape[-1:] != (manifest.space.dimension,):
            yield f"{where}.outputs", f"{spec.name!r} must end in {manifest.space.dimension} values"
        if spec.space != manifest.space.id:
            yield f"{where}.outputs", f"{spec.name!r} must lie in the space {manifest.space.id}"


def _check_schema(document: object) -> None:
    found = document.get("schema") if isinstance(document, dict) else None
    if type(found) is int and found > SCHEMA:
        raise BundleError(
            f"{FIRST}: schema: the bundle has schema {found}, and this version reads up to "
            f"{SCHEMA}; upgrade personvit, or export the bundle again with this version"
        )


def _sealed_variant(manifest: Manifest, variant: Variant) -> Variant:
    outputs = tuple(
        dataclasses.replace(spec, space=manifest.space.id) if spec.meaning == EMBEDDING else spec
        for spec in variant.outputs
    )
    return dataclasses.replace(variant, outputs=outputs, encoder_id=manifest.encoder_id(variant))


def _identifier(kind: str, parts: Sequence[object]) -> str:
    digest = hashlib.sha256(json.dumps([kind, *parts]).encode()).hexdigest()
    return f"{kind}-{digest[:32]}"


_MEND = "export the bundle again, or copy it again from its source"
