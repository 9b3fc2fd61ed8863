"""Tables of many trainings, each a process; an interrupted call goes on in the same folder."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..core.errors import ConfigError, PersonvitError, UserError
from ..core.files import write_atomically

KEPT = "settings.json"


def claim(work: Path, settings: Mapping[str, Any]) -> None:
    """The folder's trainings are all made with these settings; others would be mixed with them."""
    path = work / KEPT
    wanted = json.loads(json.dumps(settings))
    if not path.exists():
        work.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(wanted, indent=1))
        return
    found = json.loads(path.read_text(encoding="utf-8"))
    changed = [
        f"{name}={found.get(name)} (now {wanted.get(name)})"
        for name in sorted({*found, *wanted})
        if found.get(name) != wanted.get(name)
    ]
    if changed:
        raise ConfigError(
            f"{work} holds trainings with {', '.join(changed)}: go on with those, "
            "or name another --work"
        )


def train(*words: object) -> None:
    """One `personvit-train` command, to its end; what it says on stderr is shown."""
    command = [str(Path(sys.executable).with_name("personvit-train")), *map(str, words)]
    code = subprocess.run(command, check=False, stdout=subprocess.DEVNULL).returncode  # noqa: S603
    if code:
        raise _Failed(f"personvit-train {words[0]} ended with exit code {code}; see above", code)


def going_on(out: Path) -> tuple[str, ...]:
    """The word that takes an interrupted run to its end."""
    return ("--resume",) if (out / "run.json").is_file() else ()


class _Failed(UserError):
    """A training did not end; its own message is on the terminal, and its exit code is ours."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.exit_code = code if 0 < code < 128 or code == 130 else PersonvitError.exit_code
