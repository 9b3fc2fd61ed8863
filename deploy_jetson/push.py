"""`personvit-deploy push`: bring a bundle to a device over OpenSSH, and install it there."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ..core.bundle import verify
from ..core.command import argument, option
from ..core.errors import BundleError, ConfigError
from ..core.signature import read_signature, signature_beside
from .delivery import Delivery, Goods, deliver
from .openssh import Device, LinkOptions

_STDERR = 2


@dataclass(frozen=True)
class PushOptions(LinkOptions):
    """Send a bundle and its signature to a device over ssh, and install it there.

    A broken connection is no loss: what has arrived is kept, and the next push goes on from
    there. Words behind '--' are options of 'install'.

    Example: personvit-deploy push model.pvb jetson@10.0.0.5 -- --batches 8
    """

    bundle: Path = argument("The bundle (.pvb); its signature (.pvb.sig) goes with it.")
    destination: str = argument("The device, as ssh knows it: user@host.")
    words: tuple[str, ...] = argument("Behind '--': options of 'install' on the device.", ())
    install: bool = option(True, "Whether to install it once it is there.")
    tries: int = option(5, "Connections to try while the link breaks.", low=1, high=1000)


@dataclass(frozen=True)
class Pushed:
    destination: str
    digest: str
    signed: bool
    delivery: Delivery
    installed: bool

    def as_json(self) -> Mapping[str, Any]:
        return {
            "destination": self.destination,
            "sha256": self.digest,
            "signed": self.signed,
            **self.delivery.as_json(),
            "installed": self.installed,
        }

    def as_text(self) -> str:
        end = "installed" if self.installed else f"lies in {self.delivery.place}"
        return f"{self.destination}: {self.delivery.as_text()}; {end}"


def push(options: PushOptions) -> Pushed:
    if options.words and not options.install:
        raise ConfigError("options of 'install' have no use with --no-install; drop one of them")
    device = Device(options.destination, options)
    goods = _goods(options.bundle)
    delivery = deliver(device, goods, options.tries)
    click.echo(f"{device.destination}: {delivery.as_text()}", err=True)
    if options.install:
        _install(device, delivery.place, options.words)
    return Pushed(
        device.destination, goods.digest, bool(goods.signature), delivery, options.install
    )


def _goods(bundle: Path) -> Goods:
    """What travels, checked here first: a device is slow, and far away."""
    whole = verify(bundle)
    path = signature_beside(bundle)
    if not path.exists():
        return Goods(bundle, whole.digest, whole.size, b"")
    if read_signature(path).digest != whole.digest:
        raise BundleError(f"{path} signs another bundle; sign this one again, or remove it")
    return Goods(bundle, whole.digest, whole.size, path.read_bytes())


def _install(device: Device, place: str, words: tuple[str, ...]) -> None:
    """What the device says goes to stderr as it comes, so that stdout stays ours."""
    sys.stderr.flush()
    done = device.run("install", place, *words, stdout=_STDERR)
    if done.returncode:
        raise device.refusal("install", done.returncode)
