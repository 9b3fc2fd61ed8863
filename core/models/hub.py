"""Weights from the Hugging Face hub: hf:// addresses and short names of the released models."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import CheckpointError, EnvironmentMismatch

SCHEME = "hf://"
_REPOSITORY = "lakeAGI/PersonViTReID"
_REVISION = "20bc52b77acb97e034fcb526b0fa109bb491306d"
_DATA_SETS = {"market1501": "market", "msmt17": "msmt", "duke": "duke", "occ-duke": "occ_duke"}
_SIZES = {"small": ("vits", "e0220"), "base": ("vitb", "e0260")}


@dataclass(frozen=True)
class Address:
    """One file of one repository at one revision."""

    repository: str
    path: str
    revision: str

    def __str__(self) -> str:
        return f"{SCHEME}{self.repository}/{self.path}@{self.revision}"


@dataclass(frozen=True)
class Fetched:
    path: Path
    provenance: dict[str, str]


def short_names() -> dict[str, Address]:
    """The eight fine-tuned PersonViT models that its authors published, at a pinned revision."""
    return {
        f"personvit-{size}-{data_set}": Address(
            _REPOSITORY,
            f"{folder}.{vit}.lup.256x128.wopt.csk.4-8.ar.375.n8.{epoch}/transformer_120.pth",
            _REVISION,
        )
        for data_set, folder in _DATA_SETS.items()
        for size, (vit, epoch) in _SIZES.items()
    }


def is_remote(ref: str) -> bool:
    """Whether this is an address or a short name; a file of that name wins over a short name."""
    return ref.startswith(SCHEME) or (ref in short_names() and not Path(ref).exists())


def parse(ref: str) -> Address:
    """`hf://owner/repository/path/in/it@revision`, or a short name."""
    if ref in short_names():
        return short_names()[ref]
    rest, _, revision = ref.removeprefix(SCHEME).partition("@")
    words = rest.split("/")
    if not ref.startswith(SCHEME) or len(words) < 3 or not all(words) or ".." in words:
        raise CheckpointError(
            f"{ref!r} is not an address; write hf://owner/repository/path/to/file@revision, or one "
            f"of {', '.join(short_names())}"
        )
    return Address("/".join(words[:2]), "/".join(words[2:]), revision or "main")


def fetch(ref: str) -> Fetched:
    """Download (or take from the local cache) and say exactly what was fetched."""
    address = parse(ref)
    try:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import (
            HfHubHTTPError,
            HFValidationError,
            LocalEntryNotFoundError,
        )
    except ImportError:
        raise EnvironmentMismatch(
            f"{ref} needs huggingface_hub; install it with `pip install personvit[train]`"
        ) from None
    try:
        local = hf_hub_download(address.repository, address.path, revision=address.revision)
    except LocalEntryNotFoundError:
        raise EnvironmentMismatch(
            f"{ref} is not in the local cache and the hub cannot be reached; download "
            f"{address.path} of {address.repository} elsewhere and name the file"
        ) from None
    except (HfHubHTTPError, HFValidationError) as problem:
        raise CheckpointError(f"{address} cannot be had: {problem}; check its name") from None
    path = Path(local)
    return Fetched(path, {"source": str(address), "commit": _commit(path, address)})


def _commit(path: Path, address: Address) -> str:
    """The cache keeps each file under the commit it belongs to: .../snapshots/<commit>/path."""
    parts = path.parts
    if "snapshots" in parts[:-1]:
        return parts[parts.index("snapshots") + 1]
    return address.revision
