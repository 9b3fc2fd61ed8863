"""`personvit-deploy serve`: what is installed, behind HTTP on a Unix socket."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from typing import Any

import click

from ..core.command import option
from ..core.errors import ConfigError, EnvironmentMismatch
from .home import Home, open_home
from .serve_http import Limits
from .serve_model import Model, install_of, open_model
from .serve_notify import Notifier
from .serve_run import Settings, Source, run
from .serve_socket import default_path, listening, listening_on_loopback

UNFINISHED = EnvironmentMismatch.exit_code


@dataclass(frozen=True)
class ServeOptions:
    """Answer requests with the installed model, until SIGTERM.

    POST /embed takes a JPEG or PNG, or several as multipart/form-data. GET /health, GET /metrics.

    Example: personvit-deploy serve --socket /run/personvit/serve.sock
    """

    home: Path | None = option(None, "Where the device keeps its slots.")
    socket: Path | None = option(None, "The Unix socket; by default serve.sock in the home.")
    port: int | None = option(
        None, "Listen on this port of 127.0.0.1 instead; 0 chooses one.", low=0, high=65535
    )
    check: bool = option(False, "Open the model, replay its golden crops, and end.")
    queue: int = option(256, "Crops that may wait; more are refused with 503.", low=1, high=65536)
    largest_mb: int = option(32, "Megabytes of one request.", low=1, high=1024)
    timeout: float = option(10.0, "Seconds for one request.", low=0.1, high=600)
    window_ms: float = option(2.0, "How long a crop waits for company.", low=0, high=1000)
    test_every: float = option(20.0, "Seconds between self-tests.", low=0.05, high=3600)
    drain: float = option(15.0, "Seconds for what is in flight on stopping.", low=0, high=600)


@dataclass(frozen=True)
class Served:
    home: Path
    said: str
    answered: int
    model: Mapping[str, Any]

    def as_json(self) -> Mapping[str, Any]:
        return {"home": str(self.home), "answered": self.answered, "model": dict(self.model)}

    def as_text(self) -> str:
        return self.said


def serve(options: ServeOptions) -> Served:
    if options.socket is not None and options.port is not None:
        raise ConfigError("say --socket or --port, not both")
    home = open_home(options.home)
    model = open_model(home)
    about = model.as_json()
    if options.check:
        model.retire()
        said = f"slot {about['slot']} is sound: {about['name']} on {about['runtime']}"
        return Served(home.path, said, 0, about)
    answered = _listen(options, home, model)
    return Served(home.path, f"stopped after {answered} answers", answered, about)


def _listen(options: ServeOptions, home: Home, model: Model) -> int:
    settings = Settings(
        limits=Limits(body=options.largest_mb << 20, seconds=options.timeout),
        queue=options.queue,
        window_s=options.window_ms / 1000,
        test_every_s=options.test_every,
        drain_s=options.drain,
    )
    source = Source(lambda: open_model(home), lambda: install_of(home))
    with _bound(options, home) as bound:
        _say(f"listening on {_name(bound)}")
        notifier = Notifier.from_environment()
        answered, whole = asyncio.run(run(source, model, bound, settings, notifier, _say))
    if not whole:
        _say(f"stopped with requests unanswered after {options.drain:g} s; see GET /health")
        os._exit(UNFINISHED)  # the engine may hang, and an ordinary exit would wait for it
    return answered


def _bound(options: ServeOptions, home: Home) -> AbstractContextManager[socket]:
    if options.port is not None:
        return listening_on_loopback(options.port)
    return listening(options.socket or default_path(home))


def _name(bound: socket) -> str:
    where = bound.getsockname()
    return where if isinstance(where, str) else f"127.0.0.1:{where[1]}"


def _say(line: str) -> None:
    click.echo(line, err=True)
