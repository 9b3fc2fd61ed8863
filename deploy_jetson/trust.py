"""Whose bundles this device takes: pinned keys, and the newest serial it has accepted.

HOME/trust/<key id>.pem is a pinned key; HOME/trust/serials.json holds a floor per model name.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core import strict_json
from ..core.command import argument, option
from ..core.errors import BundleError, ConfigError, UserError
from ..core.signature import (
    PublicKey,
    Signature,
    check_signature,
    read_signature,
    signature_beside,
)
from . import durable
from .home import Home, open_home

SCHEMA = 1


@dataclass(frozen=True)
class TrustOptions:
    """Pin a key: from then on this device takes bundles signed with a pinned key only.

    Without a key, list the pinned ones.

    Example: personvit-deploy trust fleet.pub
    """

    key: Path | None = argument("The public key (PEM), or with --remove its id.", None)
    home: Path | None = option(None, "Where the device keeps its slots.")
    remove: bool = option(False, "Forget this key; the last one needs --open too.")
    open: bool = option(False, "With --remove: let the device take unsigned bundles again.")


@dataclass(frozen=True)
class TrustReport:
    keys: tuple[str, ...]
    serials: Mapping[str, int]
    said: str

    def as_json(self) -> Mapping[str, Any]:
        return {"keys": list(self.keys), "serials": dict(self.serials)}

    def as_text(self) -> str:
        pinned = [f"pinned: {key}" for key in self.keys]
        rule = "" if pinned else "no key is pinned: unsigned bundles are taken"
        floors = [f"newest of {name!r}: serial {last}" for name, last in self.serials.items()]
        return "\n".join(line for line in (self.said, rule, *pinned, *floors) if line)


def trust(options: TrustOptions) -> TrustReport:
    home = open_home(options.home)
    said = ""
    if options.key is not None:
        said = _unpin(home, options) if options.remove else pin(home, options.key)
    elif options.remove:
        raise ConfigError("say which key to remove; 'personvit-deploy trust' lists them")
    return TrustReport(tuple(key.id for key in pinned(home)), _serials(home), said)


def pin(home: Home, path: Path) -> str:
    key = PublicKey.from_pem(path)
    home.prepare()
    durable.write(home.trust / f"{key.id}.pem", key.to_pem())
    home.journal.write("trust", "pin", "done", key=key.id)
    return f"{key.id} may sign bundles for {home.path}"


def pinned(home: Home) -> tuple[PublicKey, ...]:
    """A key file that cannot be read is an error: a device must not open up by damage."""
    if not home.trust.is_dir():
        if os.path.lexists(home.trust):
            raise ConfigError(
                f"{home.trust} is no folder, or a link to none, so this device takes no bundle: "
                "its pinned keys may be behind it; bring the folder back, such as by mounting it"
            )
        return ()
    paths = sorted(path for path in home.trust.iterdir() if path.suffix == ".pem")
    try:
        return tuple(PublicKey.from_pem(path) for path in paths)
    except UserError as problem:
        raise ConfigError(
            f"a pinned key is damaged, so this device takes no bundle: {problem}; put the file "
            "back, or remove it if another key is pinned"
        ) from problem


def require_trusted(
    home: Home,
    bundle: Path,
    digest: str,
    signature: Path | None = None,
    *,
    allow_older: bool = False,
) -> Signature | None:
    """The signature this device demands of a bundle; None only where no key is pinned.

    `signature` is the file beside the bundle unless another is named. `digest` must be that of
    the bytes themselves.
    """
    keys = pinned(home)
    if not keys:
        return None
    place = signature_beside(bundle) if signature is None else signature
    if not place.exists():
        raise BundleError(
            f"{bundle} is not signed, and this device takes bundles of {_names(keys)} only; sign "
            f"it with 'personvit-deploy sign', so that {place.name} lies beside it"
        )
    signer = read_signature(place).key_id
    key = next((key for key in keys if key.id == signer), None)
    if key is None:
        raise BundleError(
            f"{place} was made with {signer}, which this device does not know; it takes bundles "
            f"of {_names(keys)}: sign with one of these, or pin the other with "
            "'personvit-deploy trust'"
        )
    checked = check_signature(place, key, digest)
    if not allow_older:
        _refuse_older(home, bundle, checked)
    return checked


def floor(home: Home, name: str) -> int:
    """The highest serial accepted so far for this model name, or 0."""
    return _serials(home).get(name, 0)


def raise_floor(home: Home, signature: Signature | None) -> None:
    """Remember that this was accepted; a lower serial changes nothing."""
    if signature is None or signature.serial <= floor(home, signature.name):
        return
    serials = {**_serials(home), signature.name: signature.serial}
    durable.write(_serials_file(home), strict_json.dump(_Serials(serials)))


@dataclass(frozen=True)
class _Serials:
    serials: Mapping[str, int]
    schema: int = SCHEMA


def _refuse_older(home: Home, bundle: Path, signature: Signature) -> None:
    newest = floor(home, signature.name)
    if signature.serial < newest:
        raise BundleError(
            f"{bundle} has serial {signature.serial}, older than {newest}, which this device has "
            f"accepted for {signature.name!r}; sign it anew, go back with 'personvit-deploy "
            "rollback', or say --allow-older"
        )


def _unpin(home: Home, options: TrustOptions) -> str:
    """Locked: two at once could each leave the other's key, and then none."""
    home.prepare()
    with home.locked("trust"):
        return _unpin_alone(home, options)


def _unpin_alone(home: Home, options: TrustOptions) -> str:
    named = str(options.key)
    wanted = PublicKey.from_pem(Path(named)).id if Path(named).is_file() else named
    keys = [key.id for key in pinned(home)]
    if wanted not in keys:
        raise ConfigError(f"{wanted} is not pinned; pinned are {', '.join(keys) or 'none'}")
    if keys == [wanted] and not options.open:
        raise ConfigError(
            f"{wanted} is the only pinned key, and without one this device takes unsigned "
            "bundles; pin its successor first, or say --open"
        )
    (home.trust / f"{wanted}.pem").unlink()
    durable.sync(home.trust)
    home.journal.write("trust", "remove", "done", key=wanted)
    return f"{wanted} may no longer sign bundles for {home.path}"


def _serials(home: Home) -> dict[str, int]:
    path = _serials_file(home)
    if not path.exists():
        return {}
    try:
        return dict(strict_json.build(_Serials, strict_json.parse(path.read_bytes())).serials)
    except strict_json.DocumentError as problem:
        raise ConfigError(
            f"{path}: {problem}; without it old bundles cannot be told from new ones, so write "
            '{"schema": 1, "serials": {}} there only if you know what this device has served'
        ) from problem


def _serials_file(home: Home) -> Path:
    return home.trust / "serials.json"


def _names(keys: tuple[PublicKey, ...]) -> str:
    return ", ".join(key.id for key in keys)
