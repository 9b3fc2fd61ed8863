"""Work of a run that is worth keeping if it is interrupted: `OUT.work`, removed at the end."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..core.files import replacing

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Workspace:
    """Arrays and files named by a digest of everything they depend on."""

    folder: Path

    def path(self, kind: str, *depends_on: object) -> Path:
        digest = hashlib.sha256(json.dumps([kind, *map(str, depends_on)]).encode())
        return self.folder / f"{kind}-{digest.hexdigest()[:24]}"

    def array(self, make: Callable[[], Array], kind: str, *depends_on: object) -> Array:
        """The kept array, or a new one, which is then kept."""
        path = self.path(kind, *depends_on).with_suffix(".npy")
        try:
            kept: Array = np.load(path, allow_pickle=False)
        except (OSError, ValueError):
            made = make()
            with replacing(path) as part, part.open("wb") as file:
                np.save(file, made, allow_pickle=False)
            return made
        return kept

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
