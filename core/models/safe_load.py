"""Reading a PyTorch file without running anything that somebody put into it."""

from __future__ import annotations

import argparse
import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

from ..errors import CheckpointError
from .pickle_scan import LEGACY_PICKLES, names_in, refused
from .strict import listing

_MMAP_FROM = 64 << 20
_ZIP = b"PK\x03\x04"
_PICKLES = tuple(bytes([0x80, protocol]) for protocol in range(2, 6))
_SAFETENSORS_HEADER_LIMIT = 100 << 20
_WHOLE = "copy or download it again"


def looks_like_safetensors(path: Path) -> bool:
    """Whether the file opens as safetensors does: a length, then a JSON header."""
    start = _first_bytes(path)
    size = int.from_bytes(start[:8], "little")
    return len(start) > 8 and 0 < size < _SAFETENSORS_HEADER_LIMIT and start[8:9] == b"{"


def read_pickled(path: Path) -> object:
    """The content of a `torch.save` file, once its pickle is known to call nothing foreign."""
    start = _first_bytes(path)
    if start.startswith(_ZIP):
        names = _names_in_zip(path)
    elif start.startswith(_PICKLES):
        names = _names_in_legacy(path)
    else:
        raise CheckpointError(f"{path} {_what_it_is(start)}")
    if foreign := refused(names):
        raise CheckpointError(
            f"{path} would run foreign code when loaded, so it was not: its pickle names "
            f"{listing(list(foreign))}. If you trust its origin, load it where that does no harm "
            "and save only its state_dict"
        )
    return _load(path, mmap=start.startswith(_ZIP) and path.stat().st_size > _MMAP_FROM)


def _first_bytes(path: Path) -> bytes:
    if not path.exists():
        raise CheckpointError(f"there is no weights file {path}; check the path")
    if not path.is_file():
        raise CheckpointError(f"{path} is not a file; name the weights file itself")
    with path.open("rb") as file:
        start = file.read(512)
    if not start:
        raise CheckpointError(f"{path} is empty; {_WHOLE}")
    return start


def _names_in_zip(path: Path) -> tuple[str, ...]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
            pickles = [name for name in members if name.split("/")[-1] == "data.pkl"]
            if any(name.endswith("constants.pkl") for name in members):
                raise CheckpointError(
                    f"{path} is a TorchScript program, not weights; save the model's state_dict"
                )
            if len(pickles) != 1:
                raise CheckpointError(
                    f"{path} is a zip archive without the one pickle that torch.save writes "
                    f"(found {listing(members) or 'nothing'}); name the weights file itself"
                )
            # PyTorch does not compare the checksums it writes, so a flipped bit would load.
            if damaged := archive.testzip():
                raise CheckpointError(f"{path} is damaged at {damaged} (checksum); {_WHOLE}")
            return names_in(io.BytesIO(archive.read(pickles[0])))
    except (zipfile.BadZipFile, EOFError, ValueError, OSError, NotImplementedError) as problem:
        raise CheckpointError(f"{path} is cut short or damaged ({problem}); {_WHOLE}") from None


def _names_in_legacy(path: Path) -> tuple[str, ...]:
    """All pickles at the front count: `torch.load` reads every one of them."""
    found: set[str] = set()
    try:
        with path.open("rb") as stream:
            for _ in range(LEGACY_PICKLES):
                found.update(names_in(stream))
    except (ValueError, EOFError) as problem:
        if not refused(tuple(found)):
            message = f"{path} is cut short or damaged ({problem}); {_WHOLE}"
            raise CheckpointError(message) from None
    return tuple(sorted(found))


def _load(path: Path, mmap: bool) -> object:
    import torch

    try:
        with torch.serialization.safe_globals(_safe_globals()):
            content: object = torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
            return content
    except (
        pickle.UnpicklingError,
        RuntimeError,
        EOFError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        OSError,
        AssertionError,
    ) as problem:
        reason = str(problem).strip().splitlines()[0] if str(problem).strip() else repr(problem)
        raise CheckpointError(
            f"{path} could not be read as PyTorch weights ({reason}); {_WHOLE}, or save only "
            "its state_dict"
        ) from None


def _safe_globals() -> list[Any]:
    """Beyond PyTorch's own: what argparse settings and numpy numbers in a checkpoint need."""
    import _codecs

    import numpy as np

    scalar = np.float64(0).__reduce__()[0]
    dtypes = {
        type(np.dtype(kind)) for kind in ("f8", "f4", "f2", "i8", "i4", "i2", "i1", "u1", "?")
    }
    return [
        argparse.Namespace,
        (scalar, "numpy.core.multiarray.scalar"),
        (scalar, "numpy._core.multiarray.scalar"),
        np.dtype,
        *dtypes,
        _codecs.encode,
    ]


def _what_it_is(start: bytes) -> str:
    text = start.lstrip().lower()
    if text.startswith(b"version https://git-lfs"):
        return (
            "is a Git LFS pointer, not the weights; run `git lfs pull` or download the file itself"
        )
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<")):
        return (
            "is a web page, not weights; the download met a login or a warning page, so repeat it"
        )
    if start[257:262] == b"ustar" or start.startswith((b"\x1f\x8b", b"7z", b"BZh", b"\xfd7zXZ")):
        return "is an archive; unpack it and name the weights file inside"
    return "is neither a PyTorch file nor safetensors; name a weights file"
