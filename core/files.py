"""Files and folders that are either whole under their final name or not there at all."""

from __future__ import annotations

import contextlib
import fcntl
import glob
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import PersonvitError, UserError

_LONGEST_STEM = 200
"""Names may have 255 bytes; the rest is for what makes a temporary one unique."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary neighbour of `path`; move it there only if the block ends well."""
    _refuse_other_than_file(path)
    with _naming(path):
        _prepare_place(path)
        handle, name = tempfile.mkstemp(prefix=_prefix(path), suffix=".part", dir=path.parent)
        part = Path(name)
        try:
            _hold(handle)
            with _knowing_a_full_disk(part):
                yield part
                _flush(part)
            part.chmod(0o666 & ~_umask())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
            os.close(handle)


def refuse_unwritable(path: Path) -> None:
    """Before long work for a file: what `replacing` would refuse when it is done."""
    _refuse_other_than_file(path)
    with _naming(path):
        tempfile.TemporaryFile(dir=_place(path)).close()


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """The same for a folder, which must be new or empty."""
    if path.is_symlink() and not path.exists():
        raise UserError(f"{path} is a link that leads nowhere; remove it or choose another name")
    path = path.resolve() if path.is_symlink() else path
    with _naming(path):
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise UserError(f"{path} is there already; name a new or empty folder")
        _prepare_place(path)
        part = Path(tempfile.mkdtemp(prefix=_prefix(path), suffix=".part", dir=path.parent))
        handle = os.open(part, os.O_RDONLY)
        try:
            _hold(handle)
            yield part
            part.chmod(0o777 & ~_umask())
            part.replace(path)
        finally:
            shutil.rmtree(part, ignore_errors=True)
            os.close(handle)


def write_atomically(path: Path, data: bytes | str) -> None:
    with replacing(path) as part:
        part.write_bytes(data.encode() if isinstance(data, str) else data)


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _refuse_other_than_file(path: Path) -> None:
    if path.is_dir():
        raise UserError(f"{path} is a folder; name the file to write, such as {path / 'NAME'}")
    if path.exists() and not path.is_file():
        raise UserError(f"{path} is a device or a pipe; name a file to write")


def _place(path: Path) -> Path:
    """The nearest folder above that exists already."""
    for folder in path.parents:
        if folder.is_dir():
            return folder
        if folder.exists() or folder.is_symlink():
            raise UserError(f"{folder} is no folder, so {path} cannot be written; name another")
    return Path()


def _prepare_place(path: Path) -> None:
    _place(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path)


def _prefix(path: Path) -> str:
    stem = path.name.encode()[:_LONGEST_STEM].decode(errors="ignore")
    return f".{stem}."


def _hold(handle: int) -> None:
    """Mark a temporary file as being written. The mark ends with the process, however it ends."""
    with contextlib.suppress(OSError):  # a file system without locks
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _sweep(path: Path) -> None:
    """Remove what killed writers of `path` left behind; a living one holds its own."""
    # Eight characters, as tempfile draws them: `model.pvb` must not sweep for `model.pvb.json`.
    for left in path.parent.glob(glob.escape(_prefix(path)) + "?" * 8 + ".part"):
        with contextlib.suppress(OSError):
            handle = os.open(left, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left) if left.is_dir() else left.unlink()
            finally:
                os.close(handle)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """A refusal names the file that was wanted, not its temporary neighbour."""
    try:
        yield
    except OSError as problem:
        name = Path(problem.filename or "").name
        if not name or name.startswith((tempfile.gettempprefix(), _prefix(path))):
            problem.filename = str(path)
        raise


@contextmanager
def _knowing_a_full_disk(part: Path) -> Iterator[None]:
    """Libraries that write files in C++ tell of a full disk in their own words, or in riddles."""
    try:
        yield
    except (OSError, PersonvitError):
        raise
    except Exception as problem:
        try:
            with part.open("ab") as file:
                file.write(bytes(1 << 16))
        except OSError as reason:
            raise reason from problem
        raise


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
