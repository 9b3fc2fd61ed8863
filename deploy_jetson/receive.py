"""`personvit-deploy receive`: the device's end of a push, fed through its standard input."""

from __future__ import annotations

import os
import re
import select
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ..core.canonical_zip import MAX_FILE
from ..core.command import option
from ..core.errors import ConfigError, EnvironmentMismatch
from ..core.signature import MAX_BYTES
from . import inbox
from .home import open_home
from .inbox import Parcel
from .trust import require_trusted

MARK = "personvit-push 1"
"""Begins each line that is meant for the sender; a login script may have said other things."""

_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class ReceiveOptions:
    """Take a bundle from standard input: 'push' runs this on the device.

    First comes the signature, then the answer says how many bytes of the bundle are here
    already, then come the others.

    Example: personvit-deploy receive --digest 9f86d081... --size 44571008 --signature-size 290
    """

    digest: str = option("", "The bundle's sha256 in 64 hexadecimal digits.")
    size: int = option(0, "The bundle's size in bytes.", low=0, high=MAX_FILE)
    signature_size: int = option(0, "The signature's size; 0 for none.", low=0, high=MAX_BYTES)
    home: Path | None = option(None, "Where the device keeps its slots.")


@dataclass(frozen=True)
class Received:
    bundle: Path
    size: int
    sent: int

    def as_json(self) -> Mapping[str, Any]:
        return {"bundle": str(self.bundle), "size": self.size, "sent": self.sent}

    def as_text(self) -> str:
        return f"{MARK} stored {self.bundle}"


def receive(options: ReceiveOptions) -> Received:
    if not _DIGEST.fullmatch(options.digest) or options.size < 1:
        raise ConfigError(
            "a bundle is announced by --digest (64 hexadecimal digits) and --size (bytes); "
            "'personvit-deploy push' does it"
        )
    home = open_home(options.home)
    home.prepare()
    parcel = Parcel(home.inbox, options.digest, options.size)
    signature = _exactly(options.signature_size)
    with inbox.taking(home.inbox):
        inbox.sweep(home.inbox)
        parcel.sign(signature)
        # Whether it is too old is for `install` to say, which may be told to take it.
        require_trusted(home, parcel.bundle, options.digest, allow_older=True)
        parcel.require_room()
        there = parcel.there()
        click.echo(f"{MARK} have {there}")
        parcel.take(_read)
        bundle = parcel.finish()
    sent = options.size - there
    home.journal.write("receive", "transfer", "done", digest=options.digest, sent=sent)
    return Received(bundle, options.size, sent)


def _exactly(size: int) -> bytes:
    data = b""
    while len(data) < size and (block := _read(size - len(data))):
        data += block
    if len(data) < size:
        raise EnvironmentMismatch("the connection ended before the signature came; push again")
    return data


def _read(most: int) -> bytes:
    """What has come; a sender that stays silent has gone, though nobody has noticed it."""
    source = sys.stdin.fileno()
    ready, _, _ = select.select([source], [], [], inbox.PATIENCE_S)
    if not ready:
        raise EnvironmentMismatch(
            f"nothing came for {inbox.PATIENCE_S:.0f} seconds; what did is kept, push again"
        )
    return os.read(source, most)
