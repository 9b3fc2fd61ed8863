"""The service under load: started as a user starts it, asked many times, and told to stop."""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..core.errors import EnvironmentMismatch
from .acceptance_speed import Percentiles
from .home import Home
from .serve_health import UnixConnection

CLIENTS = 8
START_S = 1800.0
STOP_S = 60.0


@dataclass(frozen=True)
class Answered:
    """Milliseconds from sending a JPEG to having its embedding, over a Unix socket."""

    requests: int
    clients: int
    statuses: Mapping[str, int]
    request: Percentiles
    per_second: float
    stopped_s: float
    exit_code: int

    @property
    def passed(self) -> bool:
        return set(self.statuses) == {"200"} and self.exit_code == 0

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "passed": self.passed}


def serve_requests(home: Home, crops: NDArray[np.uint8], requests: int) -> Answered:
    images = [_jpeg(crop) for crop in crops]
    with tempfile.TemporaryDirectory(prefix="pv-") as folder:
        path = Path(folder, "s")
        program = "from personvit.deploy_jetson.cli import main; main()"
        words = [sys.executable, "-c", program, "serve", "--home", str(home.path)]
        with tempfile.TemporaryFile("w+") as said:
            process = subprocess.Popen(  # noqa: S603
                [*words, "--socket", str(path)], stdout=subprocess.DEVNULL, stderr=said
            )
            try:
                _wait(process, path, said)
                began = time.perf_counter()
                found = _ask(path, images, requests)
                spent = time.perf_counter() - began
                process.terminate()
                asked = time.perf_counter()
                code = process.wait(STOP_S)
            finally:
                process.kill()
                process.wait()
    seconds, statuses = zip(*found, strict=True)
    return Answered(
        requests=requests,
        clients=CLIENTS,
        statuses={str(status): count for status, count in sorted(Counter(statuses).items())},
        request=Percentiles.of(seconds),
        per_second=round(requests / spent, 2),
        stopped_s=round(time.perf_counter() - asked, 3),
        exit_code=code,
    )


def _wait(process: subprocess.Popen[bytes], path: Path, said: Any) -> None:
    end = time.monotonic() + START_S
    while not path.exists():
        if process.poll() is not None or time.monotonic() > end:
            said.seek(0)
            raise EnvironmentMismatch(f"the service did not start: {said.read().strip()[-300:]}")
        time.sleep(0.05)


def _ask(path: Path, images: list[bytes], requests: int) -> list[tuple[float, int]]:
    """Every client keeps one connection and sends its share, one request after another."""
    shares = [range(first, requests, CLIENTS) for first in range(CLIENTS)]

    def client(share: range) -> list[tuple[float, int]]:
        connection = UnixConnection(path, STOP_S)
        found = []
        for nth in share:
            began = time.perf_counter()
            connection.request("POST", "/embed", images[nth % len(images)])
            answer = connection.getresponse()
            answer.read()
            found.append((time.perf_counter() - began, answer.status))
        connection.close()
        return found

    with ThreadPoolExecutor(CLIENTS) as pool:
        return [one for share in pool.map(client, shares) for one in share]


def _jpeg(crop: NDArray[np.uint8]) -> bytes:
    out = io.BytesIO()
    Image.fromarray(crop).save(out, "JPEG", quality=95)
    return out.getvalue()
