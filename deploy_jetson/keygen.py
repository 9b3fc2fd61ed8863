"""`personvit-deploy keygen`: a pair of keys to vouch for bundles with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ..core.command import argument, option
from ..core.errors import ConfigError
from ..core.signature import PublicKey
from .private_key import encoded, new_private_key, write_new


@dataclass(frozen=True)
class KeygenOptions:
    """Make an Ed25519 key: NAME signs and stays here, NAME.pub goes to the devices.

    Needs the extra 'sign'. An existing file is never overwritten.

    Example: personvit-deploy keygen fleet
    """

    name: Path = argument("Where the private key goes; the public one lies beside it (.pub).")
    passphrase: bool = option(False, "Ask for a passphrase that protects the private key.")


@dataclass(frozen=True)
class KeyPair:
    private: Path
    public: Path
    key: PublicKey

    def as_json(self) -> Mapping[str, Any]:
        return {"key": self.key.id, "private": str(self.private), "public": str(self.public)}

    def as_text(self) -> str:
        return (
            f"{self.key.id}\n"
            f"  {self.private}: signs; keep it off devices, and a copy in a safe place\n"
            f"  {self.public}: pin it on every device: personvit-deploy trust {self.public.name}"
        )


def keygen(options: KeygenOptions) -> KeyPair:
    if not options.name.name:
        raise ConfigError(f"{options.name} names no file; say one for the key, such as fleet")
    private, public = options.name, options.name.with_name(f"{options.name.name}.pub")
    word = _passphrase() if options.passphrase else None
    secret = new_private_key()
    key = PublicKey(secret.public_key().public_bytes_raw())
    write_new({private: encoded(secret, word), public: key.to_pem().encode()})
    public.chmod(0o644)
    return KeyPair(private, public, key)


def _passphrase() -> bytes:
    text: str = click.prompt("passphrase", hide_input=True, confirmation_prompt=True, err=True)
    return text.encode()
