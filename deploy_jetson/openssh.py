"""Reaching a device with the user's own OpenSSH: its keys, its known hosts, its questions."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ..core.command import option
from ..core.errors import ConfigError, EnvironmentMismatch, PersonvitError

BROKEN = 255
"""What ssh ends with when it is the connection that failed."""

_DESTINATION = re.compile(r"(?:[A-Za-z0-9._][A-Za-z0-9._-]*@)?[A-Za-z0-9._:\[%][A-Za-z0-9._:%\]-]*")
_NOT_FOUND = (126, 127)


@dataclass(frozen=True, kw_only=True)
class LinkOptions:
    """How to reach a device; what is not told, ssh and its configuration decide."""

    port: int | None = option(None, "The device's ssh port.", low=1, high=65535)
    identity: Path | None = option(None, "The private ssh key to log in with.")
    ssh_config: Path | None = option(None, "A configuration for ssh instead of the user's own.")
    remote_command: str = option(
        "personvit-deploy", "How the device starts it, such as 'sudo -n venv/bin/personvit-deploy'."
    )


class ConnectionLost(EnvironmentMismatch):
    """There was no connection, or it broke. ssh has said why."""


class RemoteRefusal(PersonvitError):
    """A command on a device failed, and has said why; its exit code becomes ours."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.exit_code = code


@dataclass(frozen=True)
class Device:
    """One destination and how to get there."""

    destination: str
    link: LinkOptions
    unattended: bool = False
    """Whether ssh must not ask anything, as several at once would."""

    def __post_init__(self) -> None:
        if not _DESTINATION.fullmatch(self.destination):
            raise ConfigError(
                f"{self.destination!r} is not a device; write it as ssh knows it, user@host"
            )

    def command(self, *words: str) -> list[str]:
        """The words of an ssh command line; the device's shell sees `words` quoted."""
        return [*self._ssh(), "--", self.destination, shlex.join([*self._program(), *words])]

    def run(self, *words: str, stdout: int | None = None) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(  # noqa: S603 - the words are ours, and no shell sees them here
            self.command(*words), stdin=subprocess.DEVNULL, stdout=stdout, check=False
        )

    def refusal(self, what: str, code: int) -> PersonvitError:
        """What to raise after a command that ended with this code."""
        if code == BROKEN:
            return ConnectionLost(
                f"the connection to {self.destination} failed or broke during '{what}'; ssh has "
                f"said why above, and 'ssh {self.destination}' shows whether the device answers"
            )
        if code in _NOT_FOUND:
            return EnvironmentMismatch(
                f"{self.destination} has no {self.link.remote_command!r}; install personvit there, "
                "or name its place with --remote-command"
            )
        return RemoteRefusal(
            f"'{what}' on {self.destination} ended with code {code}; what it said stands above",
            code if 0 < code < BROKEN else EnvironmentMismatch.exit_code,
        )

    def _program(self) -> list[str]:
        try:
            return shlex.split(self.link.remote_command)
        except ValueError as problem:
            raise ConfigError(f"--remote-command {self.link.remote_command!r}: {problem}") from None

    def _ssh(self) -> list[str]:
        program = shutil.which("ssh")
        if program is None:
            raise EnvironmentMismatch("OpenSSH's 'ssh' is not here; apt install openssh-client")
        link = self.link
        # A link that died silently is noticed after a minute.
        words = [program, "-T", "-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=4"]
        words += ["-p", str(link.port)] if link.port else []
        words += ["-i", str(link.identity)] if link.identity else []
        words += ["-F", str(link.ssh_config)] if link.ssh_config else []
        return words + (["-o", "BatchMode=yes"] if self.unattended else [])
