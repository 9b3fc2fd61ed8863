"""Bundles (`*.pvb`): one verified file from the exporter to the device that serves it."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import canonical_zip, strict_json
from .canonical_zip import FIRST, Content, Contents
from .errors import BundleError
from .files import replacing, sha256
from .golden import CROPS, MIN_PROBE, Expectation, Golden, Probe, read_array
from .manifest import (
    GOLDEN_CROPS,
    PROBE_CROPS,
    PROBE_EMBEDDINGS,
    Manifest,
    Member,
    Variant,
)

MAX_MANIFEST = strict_json.MAX_BYTES


@dataclass(frozen=True)
class Verification:
    """A bundle that is whole: its digest is what a signature signs."""

    path: Path
    digest: str
    size: int
    manifest: Manifest

    def as_json(self) -> Mapping[str, Any]:
        members = [dataclasses.asdict(member) for member in self.manifest.members]
        return {
            "bundle": str(self.path),
            "verified": True,
            "sha256": self.digest,
            "size": self.size,
            "space_id": self.manifest.space.id,
            "candidates": {
                candidate: [entry.name for entry in self.manifest.variants_of(candidate)]
                for candidate in self.manifest.candidates
            },
            "variants": {entry.name: entry.encoder_id for entry in self.manifest.variants},
            "members": members,
        }

    def as_text(self) -> str:
        variants = ", ".join(variant.name for variant in self.manifest.variants)
        default, *others = self.manifest.candidates
        candidates = ", ".join([f"{default} (default)", *others])
        return (
            f"{self.path} is whole and unchanged\n"
            f"  model       {self.manifest.name}, made by personvit {self.manifest.tool}\n"
            f"  candidates  {candidates}\n"
            f"  variants    {variants}\n"
            f"  members     {len(self.manifest.members)}, {self.size:,} bytes\n"
            f"  space       {self.manifest.space.id}\n"
            f"  sha256      {self.digest}"
        )


@dataclass(frozen=True)
class Bundle:
    """An open bundle. Everything in it was verified before it was opened."""

    path: Path
    manifest: Manifest
    digest: str
    entries: Mapping[str, canonical_zip.Entry]

    @classmethod
    def open(cls, path: Path) -> Bundle:
        contents, manifest = _verified(path)
        entries = {entry.name: entry for entry in contents.entries}
        return cls(path, manifest, contents.digest, entries)

    def read(self, member: str) -> bytes:
        """A member's bytes, which are checked again: the file may have changed since."""
        if member not in self.entries:
            known = ", ".join(self.entries)
            raise BundleError(f"{self.path}: there is no member {member!r}; there are {known}")
        data = canonical_zip.read_member(self.path, self.entries[member])
        wanted = self.manifest.digest_of(member)
        if member != FIRST and hashlib.sha256(data).hexdigest() != wanted:
            raise BundleError(f"{self.path}: {member!r} changed since the bundle was opened")
        return self.manifest.to_bytes() if member == FIRST else data

    def json(self, member: str) -> object:
        """A JSON member such as thresholds.json or accuracy.json, as plain values."""
        try:
            return strict_json.parse(self.read(member))
        except strict_json.DocumentError as problem:
            raise BundleError(f"{self.path}: {member}: {problem}") from problem

    def variant(self, name: str) -> Variant:
        return self.manifest.variant(name)

    def model(self, variant: Variant) -> bytes:
        """The ONNX file of a variant."""
        return self.read(variant.member)

    def golden(self) -> Golden:
        crops = self._crops(GOLDEN_CROPS, CROPS, CROPS)
        expected = {
            variant.name: Expectation(self._embeddings(variant.golden, CROPS), variant.bounds)
            for variant in self.manifest.variants
        }
        return Golden(crops, expected)

    def probe(self) -> Probe | None:
        if not self.manifest.has(PROBE_CROPS):
            return None
        crops = self._crops(PROBE_CROPS, MIN_PROBE, None)
        expected = {
            variant.name: self._embeddings(variant.probe, len(crops))
            for variant in self.manifest.variants
        }
        return Probe(crops, self._embeddings(PROBE_EMBEDDINGS, len(crops)), expected)

    def _crops(self, member: str, least: int, most: int | None) -> np.ndarray[Any, Any]:
        crops = read_array(self.read(member), member, np.uint8, 4)
        size = self.manifest.preprocess.height, self.manifest.preprocess.width, 3
        if crops.shape[1:] != size or len(crops) < least or (most and len(crops) > most):
            raise BundleError(
                f"{self.path}: {member}: expected {least}{'' if most else ' or more'} crops of "
                f"shape {size}, found {crops.shape}; export the bundle again"
            )
        return crops

    def _embeddings(self, member: str, count: int) -> np.ndarray[Any, Any]:
        vectors = read_array(self.read(member), member, np.float32, 2)
        wanted = count, self.manifest.space.dimension
        if vectors.shape != wanted or not np.isfinite(vectors).all() or not vectors.any(1).all():
            raise BundleError(
                f"{self.path}: {member}: expected finite, non-zero embeddings of shape {wanted}, "
                f"found shape {vectors.shape}; export the bundle again"
            )
        return vectors


def write_bundle(path: Path, manifest: Manifest, members: Mapping[str, Content]) -> Bundle:
    """Seal a draft manifest over its members and write both; `path` is whole or untouched."""
    if FIRST in members:
        raise BundleError(f"{FIRST} is made from the manifest; leave it out of the members")
    canonical_zip.check_names([FIRST, *members], path)
    listed = tuple(_describe(name, members[name]) for name in sorted(members))
    sealed = manifest.sealed(listed)
    with replacing(path) as part:
        canonical_zip.write(part, {**members, FIRST: sealed.to_bytes()})
        written = Bundle.open(part)
        written.golden()
        written.probe()
    return dataclasses.replace(written, path=path)


def verify(path: Path) -> Verification:
    """Check every byte of a bundle, its members' digests, its manifest and its golden crops."""
    bundle = Bundle.open(path)
    bundle.golden()
    bundle.probe()
    return Verification(path, bundle.digest, path.stat().st_size, bundle.manifest)


def _verified(path: Path) -> tuple[Contents, Manifest]:
    _check_is_file(path)
    contents = canonical_zip.check(path)
    first = contents.entries[0]
    if first.name != FIRST or first.size > MAX_MANIFEST:
        raise BundleError(f"{path}: it has no {FIRST} a bundle could have; this is not a bundle")
    data = canonical_zip.read_member(path, first)
    if hashlib.sha256(data).hexdigest() != contents.member_digests[FIRST]:
        raise BundleError(f"{path}: the file changed while it was read; try again")
    try:
        manifest = Manifest.from_bytes(data)
        _compare_members(contents, manifest)
    except BundleError as problem:
        raise BundleError(f"{path}: {problem}") from problem
    return contents, manifest


def _check_is_file(path: Path) -> None:
    if not path.is_file():
        kind = "a folder" if path.is_dir() else "missing"
        raise BundleError(f"{path}: a bundle was expected here, but this is {kind}")


def _compare_members(contents: Contents, manifest: Manifest) -> None:
    there = {entry.name: entry for entry in contents.entries if entry.name != FIRST}
    listed = {member.name: member for member in manifest.members}
    for name in sorted(there.keys() ^ listed.keys()):
        what = "is not listed in" if name in there else "is missing, but is listed in"
        raise BundleError(f"the member {name!r} {what} {FIRST}; export the bundle again")
    for name, member in listed.items():
        if there[name].size != member.size or contents.member_digests[name] != member.sha256:
            raise BundleError(
                f"the member {name!r} is not the one {FIRST} describes (sha256 "
                f"{contents.member_digests[name][:12]}..., expected {member.sha256[:12]}...); "
                "copy the bundle again from its source, or export it again"
            )


def _describe(name: str, content: Content) -> Member:
    if isinstance(content, bytes):
        return Member(name, len(content), hashlib.sha256(content).hexdigest())
    return Member(name, content.stat().st_size, sha256(content))
