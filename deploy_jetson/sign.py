"""`personvit-deploy sign`: vouch for a bundle, in a file that travels beside it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ..core.bundle import verify
from ..core.command import argument, option
from ..core.errors import ConfigError
from ..core.files import write_atomically
from ..core.signature import (
    MAX_SERIAL,
    PublicKey,
    Signature,
    check_signature,
    signature_beside,
)
from .private_key import read_private_key


@dataclass(frozen=True)
class SignOptions:
    """Verify a bundle and sign its digest; the signature is written to BUNDLE.sig.

    A device that has accepted a serial refuses lower ones of the same model name.
    Needs the extra 'sign'.

    Example: personvit-deploy sign model.pvb --key fleet
    """

    bundle: Path = argument("The bundle (.pvb).")
    key: Path | None = option(None, "The private key, from 'personvit-deploy keygen'.")
    serial: int | None = option(
        None, "A number that never falls; the time in seconds by default.", low=1, high=MAX_SERIAL
    )


@dataclass(frozen=True)
class Signed:
    path: Path
    signature: Signature

    def as_json(self) -> Mapping[str, Any]:
        signature = self.signature
        return {
            "signature": str(self.path),
            "sha256": signature.digest,
            "name": signature.name,
            "serial": signature.serial,
            "key": signature.key_id,
        }

    def as_text(self) -> str:
        signature = self.signature
        return (
            f"{self.path}: {signature.key_id} vouches for {signature.name!r}\n"
            f"  sha256  {signature.digest}\n  serial  {signature.serial}"
        )


def sign(options: SignOptions) -> Signed:
    if options.key is None:
        raise ConfigError("say which key signs: --key NAME, from 'personvit-deploy keygen NAME'")
    secret = read_private_key(options.key, _ask)
    key = PublicKey(secret.public_key().public_bytes_raw())
    whole = verify(options.bundle)
    serial = int(time.time()) if options.serial is None else options.serial
    unsigned = Signature(whole.digest, whole.manifest.name, serial, key.id)
    path = signature_beside(options.bundle)
    write_atomically(path, unsigned.signed(secret.sign(unsigned.to_sign())).to_bytes())
    return Signed(path, check_signature(path, key, whole.digest))


def _ask() -> str:
    text: str = click.prompt("passphrase", hide_input=True, err=True)
    return text
