"""`personvit-deploy service`: the systemd unit that serves one home, sandboxed and watched."""

from __future__ import annotations

import grp
import os
import pwd
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.command import option
from ..core.errors import ConfigError, EnvironmentMismatch
from ..core.files import write_atomically
from .home import Home, open_home

NAME = "personvit.service"
TEMPLATES = Path(__file__).parent / "systemd"
GPU_GROUPS = ("video", "render")
"""Who may use the GPU of a Jetson. Those who are in the first may also ask the service."""
HIDDEN = ("/home", "/root", "/run/user")
"""What ProtectHome=yes hides."""

_PLAIN = re.compile(r"/[\w./+@:,=-]*")


@dataclass(frozen=True)
class ServiceOptions:
    """Write a systemd unit that serves this device's home, and say how to start it.

    A home of root's is served by a user that exists only while the service runs; any other by
    its owner.

    Example: personvit-deploy service -o /etc/systemd/system
    """

    out: Path | None = option(None, "The folder for the unit; without it, the unit is shown.")
    home: Path | None = option(None, "Where the device keeps its slots.")
    user: bool = option(False, "A unit for this user's own manager; it protects less.")
    memory: str = option("4G", "The most memory of the service, GPU memory of a Jetson included.")


@dataclass(frozen=True)
class Service:
    unit: str
    path: Path | None
    commands: tuple[str, ...]

    def as_json(self) -> Mapping[str, Any]:
        path = str(self.path) if self.path else None
        return {"unit": self.unit, "path": path, "commands": list(self.commands)}

    def as_text(self) -> str:
        if self.path is None:
            return self.unit.rstrip()
        return "\n".join([f"{self.path}; now run", *(f"  {line}" for line in self.commands)])


def service(options: ServiceOptions) -> Service:
    if not re.fullmatch(r"\d+[KMGT]?|\d{1,2}%|infinity", options.memory):
        raise ConfigError(f"--memory is {options.memory!r}; give it as 4G, 80% or infinity")
    home = open_home(options.home)
    command = _command()
    for path in (home.path, command):
        if not _PLAIN.fullmatch(str(path)):
            raise ConfigError(f"systemd would misread {path}; use a path of plain characters")
    name = "personvit-user.service" if options.user else NAME
    values = {"HOME": str(home.path), "COMMAND": str(command), "MEMORY": options.memory}
    if not options.user:
        values |= _identity(home, command)
    unit = _filled((TEMPLATES / name).read_text(), values)
    place = options.out / NAME if options.out is not None else None
    if place is not None:
        write_atomically(place, unit)
    whose = " --user" if options.user else ""
    commands = (
        f"systemctl{whose} daemon-reload",
        f"systemctl{whose} enable --now personvit",
        f"journalctl{whose} -u personvit",
    )
    return Service(unit, place, commands)


def _identity(home: Home, command: Path) -> dict[str, str]:
    """Who the service is. A rebuilt engine is written into the home by who owns it, so root's
    is rebuilt by the check before the start, and the service itself only reads."""
    owner = _owner(home)
    hidden = any(path.is_relative_to(place) for path in (home.path, command) for place in HIDDEN)
    values = {"PROTECT_HOME": "read-only" if hidden else "yes"}
    there = {group.gr_name for group in grp.getgrall()}
    groups = [name for name in GPU_GROUPS if name in there]
    lines = [f"Group={groups[0]}", f"SupplementaryGroups={' '.join(groups)}"] if groups else []
    if owner == "root":
        lines = ["DynamicUser=yes", "User=personvit", *lines]
        return values | {"IDENTITY": "\n".join(lines), "CHECK_PREFIX": "+"}
    lines = [f"User={owner}", *lines, f"ReadWritePaths={home.path}"]
    return values | {"IDENTITY": "\n".join(lines), "CHECK_PREFIX": ""}


def _owner(home: Home) -> str:
    number = home.path.stat().st_uid if home.path.exists() else os.geteuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        raise EnvironmentMismatch(
            f"{home.path} belongs to user {number}, who has no name here; give it to one who has"
        ) from None


def _command() -> Path:
    """Beside the Python that runs this, which is the environment it was installed in."""
    command = Path(sys.executable).parent / "personvit-deploy"
    if not command.is_file():
        raise EnvironmentMismatch(
            f"there is no {command}; install personvit in a virtual environment of the device"
        )
    return command


def _filled(template: str, values: Mapping[str, str]) -> str:
    for key, value in values.items():
        template = template.replace(f"@{key}@", value)
    return template
