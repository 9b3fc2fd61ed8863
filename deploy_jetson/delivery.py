"""The sender's end of a push: goes on where the last connection broke."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

import click

from ..core.errors import EnvironmentMismatch
from .openssh import ConnectionLost, Device
from .receive import MARK

_BLOCK = 1 << 18
_LONGEST_LINE = 4096
_MOST_LINES = 200
"""What a login script may say before the device's answer."""
_PAUSE_S = 1.0
PATIENCE_S = 300.0
"""How long a device may stay silent, or take nothing: another push may be under way there."""

Patience = Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True)
class Goods:
    bundle: Path
    digest: str
    size: int
    signature: bytes


@dataclass(frozen=True)
class Delivery:
    """How a bundle arrived."""

    place: str
    """Its path on the device."""
    size: int
    resumed_at: tuple[int, ...]
    """For each connection, how many bytes were on the device already."""

    def as_json(self) -> Mapping[str, Any]:
        return {"place": self.place, "size": self.size, "resumed_at": list(self.resumed_at)}

    def as_text(self) -> str:
        first, *later = self.resumed_at
        there = f", {first:,} of which were there already" if first else ""
        broke = f" over {len(later) + 1} connections" if later else ""
        return f"{self.size:,} bytes{there}{broke}"


def deliver(device: Device, goods: Goods, tries: int) -> Delivery:
    """Send what is missing; another try only after a connection that did work broke."""
    starts: list[int] = []
    while True:
        known = len(starts)
        try:
            place = _deliver_once(device, goods, starts)
        except ConnectionLost:
            if len(starts) == known or len(starts) >= tries:
                raise
            click.echo(f"{device.destination}: the connection broke; trying again", err=True)
            time.sleep(_PAUSE_S)
        else:
            return Delivery(place, goods.size, tuple(starts))


def _deliver_once(device: Device, goods: Goods, starts: list[int]) -> str:
    words = ["receive", "--digest", goods.digest, "--size", str(goods.size)]
    words += ["--signature-size", str(len(goods.signature))]
    with _talking(device.command(*words)) as (process, to_device, from_device):
        place, patience = None, partial(_patience, process, device)
        with suppress(BrokenPipeError):  # why, the device or ssh has said; the exit code tells who
            to_device.write(goods.signature)
            to_device.flush()
            with patience():
                there = _answer(from_device, "have")
            if there is not None:
                starts.append(_offset(device, there, goods))
                _send(goods, starts[-1], to_device, patience)
                with patience():
                    place = _answer(from_device, "stored")
            to_device.close()
        from_device.close()  # one that goes on talking is not waited for
        with patience():
            code = process.wait()
    if code or place is None:
        raise device.refusal("receive", code) if code else _not_understood(device)
    return place


@contextmanager
def _patience(process: subprocess.Popen[bytes], device: Device) -> Iterator[None]:
    """A device that is there and stays silent is given up."""
    given_up = threading.Event()

    def give_up() -> None:
        given_up.set()
        process.kill()

    timer = threading.Timer(PATIENCE_S, give_up)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
    if given_up.is_set():
        raise EnvironmentMismatch(
            f"{device.destination} was silent for {PATIENCE_S:.0f} s; what arrived is kept there, "
            "so look what keeps it busy and push again"
        )


def _send(goods: Goods, start: int, to_device: IO[bytes], patience: Patience) -> None:
    bar = click.progressbar(length=goods.size, label="sending", file=sys.stderr)
    with bar, goods.bundle.open("rb") as file:
        file.seek(start)
        bar.update(start)
        while block := file.read(_BLOCK):
            with patience():
                to_device.write(block)
            bar.update(len(block))
    to_device.flush()


def _answer(from_device: IO[bytes], word: str) -> str | None:
    """The rest of the device's next line to us; None where it ended without one."""
    for _ in range(_MOST_LINES):
        line = from_device.readline(_LONGEST_LINE).decode(errors="replace")
        if not line:
            return None
        if found := re.fullmatch(rf"{re.escape(MARK)} {word} (.+)\n", line):
            return found[1]
    return None


def _offset(device: Device, text: str, goods: Goods) -> int:
    if not re.fullmatch(r"\d{1,12}", text) or int(text) > goods.size:
        raise _not_understood(device)
    return int(text)


def _not_understood(device: Device) -> EnvironmentMismatch:
    return EnvironmentMismatch(
        f"{device.destination} did not answer as this version's 'receive' does; install the same "
        "version of personvit there"
    )


@contextmanager
def _talking(command: list[str]) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes], IO[bytes]]]:
    """A child that does not outlive us."""
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe)  # noqa: S603 - no shell here
    to_device, from_device = process.stdin, process.stdout
    if to_device is None or from_device is None:  # as mypy wants to hear
        raise EnvironmentMismatch("ssh could not be given pipes")
    try:
        yield process, to_device, from_device
    finally:
        process.kill()
        process.wait()
        from_device.close()
        with suppress(BrokenPipeError):
            to_device.close()
