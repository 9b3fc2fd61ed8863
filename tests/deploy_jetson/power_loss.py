"""What a disk may hold when the power fails: a model of it that is kept beside the real files.

A file's bytes are safe once the file was synced, a folder's names once the folder was. Until then
a disk may hold the old state or the new one, file by file and name by name: a rename may reach it
before the bytes it names do. `Disk` notes what was synced, and builds folders as they might be
found after a loss of power: the least that was promised, all names at once, and mixtures.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np

Entry = tuple[str, int | str]
"""A kind (`file`, `folder`, `link`), and the inode or where the link leads."""
Names = dict[str, Entry]


class Disk:
    def __init__(self, root: Path, monkeypatch) -> None:
        self.root = root
        self.data: dict[int, bytes] = {}
        self.names: dict[int, Names] = {}
        self.moments = 0
        self.watch: Callable[[Disk], None] = lambda disk: None
        self._held: list[int] = []
        for module, name in ((os, "fsync"), (os, "replace"), (os, "unlink"), (os, "symlink")):
            self._follow(module, name, monkeypatch)
        monkeypatch.setattr(os, "mkdir", self._after(os.mkdir))

    def settle(self) -> None:
        """Take all there is now as safe, as after a clean stop of the machine."""
        for folder, _, names in os.walk(self.root):
            self._note(Path(folder))
            for name in names:
                path = Path(folder, name)
                if not path.is_symlink():
                    self._note(path)

    def least(self, target: Path) -> None:
        """Only what was synced."""
        self._build(self.root, target, lambda synced, now: synced)

    def eager(self, target: Path) -> None:
        """Every name at once; bytes only where they were synced."""
        self._build(self.root, target, lambda synced, now: now)

    def mixed(self, target: Path, rng: np.random.Generator) -> None:
        """Each name that was not synced has reached the disk, or not."""

        def pick(synced: Names, now: Names) -> Names:
            found = {}
            for name in sorted(synced.keys() | now.keys()):
                entry = (now if rng.random() < 0.5 else synced).get(name)
                if entry is not None:
                    found[name] = entry
            return found

        self._build(self.root, target, pick)

    def _follow(self, module, name: str, monkeypatch) -> None:
        real = getattr(module, name)
        if name == "fsync":

            def fsync(handle: int) -> None:
                real(handle)
                self._note(Path(f"/proc/self/fd/{handle}").readlink())
                self._moment()

            monkeypatch.setattr(module, name, fsync)
        else:
            monkeypatch.setattr(module, name, self._after(real))

    def _after(self, real):
        def wrapped(*given, **named):
            result = real(*given, **named)
            self._moment()
            return result

        return wrapped

    def _moment(self) -> None:
        self.moments += 1
        self.watch(self)

    def _note(self, path: Path) -> None:
        if not path.is_relative_to(self.root) or not path.exists():
            return
        facts = path.stat()
        # An inode that is held open is not given to another file.
        self._held.append(os.open(path, os.O_RDONLY))
        if stat.S_ISDIR(facts.st_mode):
            self.names[facts.st_ino] = _listing(path)
        else:
            self.data[facts.st_ino] = path.read_bytes()

    def close(self) -> None:
        for handle in self._held:
            os.close(handle)

    def _build(self, root: Path, target: Path, pick) -> None:
        places = {path.stat().st_ino: path for path in _folders(root)}

        def make(inode: int, where: Path) -> None:
            where.mkdir()
            now = _listing(places[inode]) if inode in places else {}
            for name, (kind, value) in pick(self.names.get(inode, {}), now).items():
                if kind == "link":
                    (where / name).symlink_to(value)
                elif kind == "folder":
                    make(int(value), where / name)
                else:
                    (where / name).write_bytes(self.data.get(int(value), b""))

        make(root.stat().st_ino, target)


def _listing(folder: Path) -> Names:
    found: Names = {}
    for path in folder.iterdir():
        if path.is_symlink():
            found[path.name] = "link", str(path.readlink())
        else:
            found[path.name] = "folder" if path.is_dir() else "file", path.stat().st_ino
    return found


def _folders(root: Path) -> list[Path]:
    return [root, *(path for path in root.rglob("*") if path.is_dir() and not path.is_symlink())]
