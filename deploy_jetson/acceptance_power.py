"""The power modes of a board, entered one after another and left as they were found."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from ..core.errors import ConfigError
from ..engines.device_facts import system_root
from ..engines.device_power import offered_modes, power_mode

COMMAND = "nvpmodel"
UNKNOWN = "as it is"
"""The name of the one mode of a machine that has no nvpmodel."""
LIMIT_S = 60.0


def wanted_modes(told: tuple[str, ...]) -> tuple[str, ...]:
    """The present one, all of this board's, or those that were named."""
    offered = offered_modes(system_root())
    present = power_mode() or UNKNOWN
    if not told:
        return (present,)
    if told == ("all",):
        return tuple(offered) or (present,)
    unknown = [name for name in told if name not in offered]
    if unknown:
        known = ", ".join(offered) or "none, for there is no nvpmodel"
        raise ConfigError(f"--mode {unknown[0]}: this board has {known}")
    return told


@contextmanager
def entered(mode: str) -> Iterator[str]:
    """Yield why the mode could not be entered; empty where it was."""
    before = power_mode()
    if mode in (UNKNOWN, before):
        yield ""
        return
    offered = offered_modes(system_root())
    try:
        yield _enter(mode, offered)
    finally:
        if before is not None and power_mode() != before:
            _enter(before, offered)


def _enter(mode: str, offered: Mapping[str, int]) -> str:
    command = [COMMAND, "-m", str(offered[mode])]
    try:
        # Some changes need a restart and ask for it: the answer is no.
        done = subprocess.run(  # noqa: S603
            command, input="no\n", capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
    except (OSError, subprocess.SubprocessError) as problem:
        return f"{' '.join(command)} could not be run: {problem}"
    if power_mode() == mode:
        return ""
    said = (done.stdout + done.stderr).strip().splitlines()
    return f"{' '.join(command)} left the mode as it was: {said[-1] if said else 'run it as root'}"
