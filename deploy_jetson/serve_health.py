"""`personvit-deploy health`: asks the running service how it is, as a container's check does."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core import strict_json
from ..core.command import option
from ..core.errors import EnvironmentMismatch
from .home import open_home
from .serve_socket import default_path


@dataclass(frozen=True)
class HealthOptions:
    """Ask the service that runs here whether it serves, and what. Ends with 3 where it does not.

    Example: personvit-deploy health
    """

    home: Path | None = option(None, "Where the device keeps its slots.")
    socket: Path | None = option(None, "The service's Unix socket; that of the home by default.")
    timeout: float = option(5.0, "Seconds to wait for the answer.", low=0.1, high=600)


@dataclass(frozen=True)
class Health:
    report: Mapping[str, Any]

    def as_json(self) -> Mapping[str, Any]:
        return self.report

    def as_text(self) -> str:
        serves, tested = self.report["serves"], self.report["self_test"]
        lines = [
            f"{self.report['state']}: {serves['name']} ({serves['variant']}) from slot "
            f"{serves['slot']}, {serves['runtime']}",
            f"self-test {tested['age_s']} s ago: {tested['said']}",
        ]
        if self.report["refused_reload"]:
            lines.append(f"REFUSED the slot that should serve: {self.report['refused_reload']}")
        return "\n".join(lines)


class UnixConnection(http.client.HTTPConnection):
    """HTTP to a Unix socket."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def health(options: HealthOptions) -> Health:
    path = options.socket or default_path(open_home(options.home))
    connection = UnixConnection(path, options.timeout)
    try:
        connection.request("GET", "/health")
        answer = connection.getresponse()
        report = strict_json.parse(answer.read(strict_json.MAX_BYTES))
    except (OSError, http.client.HTTPException, strict_json.DocumentError) as problem:
        raise EnvironmentMismatch(
            f"no service answers at {path}: {problem}; see 'systemctl status personvit'"
        ) from problem
    finally:
        connection.close()
    found = Health(_health(report, path))
    if answer.status != 200:
        raise EnvironmentMismatch(found.as_text())
    return found


def _health(report: object, path: Path) -> Mapping[str, Any]:
    """What a service of this version tells; one with too many connections tells only that."""
    told = report if isinstance(report, dict) else {}
    serves, tested = told.get("serves"), told.get("self_test")
    if (
        isinstance(serves, dict)
        and isinstance(tested, dict)
        and {"state", "refused_reload"} <= set(told)
        and {"name", "variant", "slot", "runtime"} <= set(serves)
        and {"age_s", "said"} <= set(tested)
    ):
        return told
    said = told.get("error", "nothing of its health")
    raise EnvironmentMismatch(
        f"what answers at {path} said {str(said)!r}; see 'systemctl status personvit'"
    )
