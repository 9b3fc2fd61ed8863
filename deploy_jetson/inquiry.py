"""Asking devices what they are and do, several at once."""

from __future__ import annotations

import io
import json
import subprocess
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO, Any

import click

from ..core import strict_json
from ..core.errors import ConfigError, EnvironmentMismatch, PersonvitError
from .openssh import Device, LinkOptions

AT_ONCE = 16
PATIENCE_S = 300.0
"""For a report, a passphrase that a person types included."""
PATIENCE_CHECK_S = 2 * 3600.0
"""With a check, for which an engine may have to be built anew."""


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
    patience = PATIENCE_CHECK_S if "--check" in words else PATIENCE_S
    code, out, err = _heard(device.command("report", *words, "--json"), patience)
    for line in err.decode(errors="replace").splitlines():
        click.echo(f"{device.destination}: {plain(line)}", err=True)
    try:
        if code is None:
            raise EnvironmentMismatch(
                f"no whole answer came within {patience:g} seconds, or one too long; log in there "
                "and try 'personvit-deploy status'"
            )
        if code:
            raise device.refusal("report", code)
        return Answer(device.destination, _document(out))
    except PersonvitError as problem:
        return Answer(device.destination, {}, str(problem))


def _heard(command: list[str], patience: float) -> tuple[int | None, bytes, bytes]:
    """How a command ended and what it said; no exit code where it had to be ended. What hangs, or
    says more than a report can be, must not hold up the answers of other devices."""
    pipe, none = subprocess.PIPE, subprocess.DEVNULL
    process = subprocess.Popen(command, stdin=none, stdout=pipe, stderr=pipe)  # noqa: S603
    over = threading.Event()

    def end() -> None:
        over.set()
        process.kill()

    def read(stream: IO[bytes] | None) -> bytes:
        with stream or io.BytesIO() as open_stream:
            data = open_stream.read(strict_json.MAX_BYTES + 1)
            if len(data) > strict_json.MAX_BYTES:
                end()
        return data

    timer = threading.Timer(patience, end)
    timer.start()
    try:
        with ThreadPoolExecutor(2) as pool:
            out, err = pool.map(read, (process.stdout, process.stderr))
        code = process.wait()
    finally:
        timer.cancel()
        process.kill()
    return None if over.is_set() else code, out, err


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
