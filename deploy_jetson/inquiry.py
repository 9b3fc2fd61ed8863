"""Asking devices what they are and do, several at once."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import click

from ..core import strict_json
from ..core.errors import ConfigError, PersonvitError
from .openssh import Device, LinkOptions

AT_ONCE = 16


@dataclass(frozen=True)
class Answer:
    """One device's report, or why there is none."""

    destination: str
    report: Mapping[str, Any]
    problem: str = ""

    @property
    def host(self) -> str:
        return self.destination.rpartition("@")[2]

    @property
    def trouble(self) -> str:
        """Why nothing can be said of what it serves; empty where something can."""
        return self.problem or str(self.report["status"].get("problem", ""))


def ask(destinations: Sequence[str], link: LinkOptions, *words: str) -> tuple[Answer, ...]:
    """Every device's answer, in the order asked for; ssh may ask back only if there is one."""
    several = len(destinations) > 1
    devices = [Device(name, link, unattended=several) for name in destinations]
    hosts = [name.rpartition("@")[2] for name in destinations]
    if twice := sorted({host for host in hosts if hosts.count(host) > 1}):
        raise ConfigError(f"{', '.join(twice)} is named more than once; name each device once")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return tuple(pool.map(lambda device: _ask(device, *words), devices))


def _ask(device: Device, *words: str) -> Answer:
    done = subprocess.run(  # noqa: S603 - the words are ours, and no shell sees them here
        device.command("report", *words, "--json"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    for line in done.stderr.decode(errors="replace").splitlines():
        click.echo(f"{device.destination}: {plain(line)}", err=True)
    try:
        if done.returncode:
            raise device.refusal("report", done.returncode)
        return Answer(device.destination, _document(done.stdout))
    except PersonvitError as problem:
        return Answer(device.destination, {}, str(problem))


def _document(data: bytes) -> Mapping[str, Any]:
    """The report; a login script may have said something before it."""
    start = data.find(b"\n{") + 1 if not data.startswith(b"{") else 0
    document = strict_json.parse(data[start:])
    if not isinstance(document, dict) or not isinstance(document.get("status"), dict):
        raise ConfigError("its answer is not a report; install the same version of personvit there")
    return document


def table(value: object) -> Mapping[str, Any]:
    """A table that a device told, or an empty one where it told something else."""
    return value if isinstance(value, dict) else {}


def plain(text: str) -> str:
    """What a device says, without what would command a terminal."""
    return "".join(sign for sign in text if sign.isprintable() or sign == "\n")


def as_lines(table: Mapping[str, Any]) -> str:
    return json.dumps(table, indent=1, sort_keys=True) + "\n"
