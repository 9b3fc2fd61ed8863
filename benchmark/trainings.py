"""Tables of many trainings, each a process; an interrupted call goes on in the same folder.

Every training refuses to go on with other settings than it began with. What is left to see to here
is the data set they share.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from ..core.data.synth import SynthOptions, synth
from ..core.errors import ConfigError, DataError, UserError

INTERRUPTED = 130
EXIT_CODES = range(1, 128)


class TrainingFailed(UserError):
    """A training did not end; its own message is on the terminal, and its exit code is ours."""

    def __init__(self, command: str, code: int) -> None:
        super().__init__(f"personvit-train {command} ended with exit code {code}; see above")
        self.exit_code = code if code in EXIT_CODES or code == INTERRUPTED else UserError.exit_code


def drawn(wanted: SynthOptions) -> None:
    """Draw the data set, unless it is there already; another one in its place is refused."""
    work = wanted.out.parent
    if work.exists() and not work.is_dir():
        raise ConfigError(f"{work} is a file; --work takes a folder")
    if not wanted.out.exists():
        work.mkdir(parents=True, exist_ok=True)
        synth(wanted)
        return
    try:
        text = (wanted.out / "synth.json").read_text(encoding="utf-8")
        found = json.loads(text)["options"].items()
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise DataError(
            f"{wanted.out} is no data set of personvit-data synth; name another --work"
        ) from None
    changed = [
        f"{name} {value} (now {getattr(wanted, name)})"
        for name, value in found
        if getattr(wanted, name) != value
    ]
    if changed:
        raise ConfigError(
            f"{wanted.out} was drawn with {', '.join(changed)}: go on with that, or name another "
            "--work"
        )


def train(*words: object) -> None:
    """One `personvit-train` command, to its end; what it says on stderr is shown.

    Asked to stop, it saves where it is before this returns.
    """
    command = [str(Path(sys.executable).with_name("personvit-train")), *map(str, words)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:  # noqa: S603
        try:
            code = process.wait()
        except KeyboardInterrupt:
            process.terminate()
            process.wait()
            raise
    if code:
        raise TrainingFailed(str(words[0]), code)


def going_on(out: Path) -> tuple[str, ...]:
    """The word that takes an interrupted run to its end."""
    return ("--resume",) if (out / "run.json").is_file() else ()
