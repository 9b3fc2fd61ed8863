"""Runs engines in a process of its own that has a pretended GPU and a pretended TensorRT."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import numpy as np

FAKES = Path(__file__).parents[1] / "fakes"
RUN = FAKES / "run_engine.py"


@dataclass(frozen=True)
class Pretended:
    """One machine; `folder` holds its cache, and `crops` is what is embedded on it."""

    folder: Path
    crops: Path
    version: str = "10.13"
    gpu: str = "Orin:8.7"
    fault: str = ""
    pycuda: bool = False
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def cache(self) -> Path:
        return self.folder / "engines"

    @property
    def builds(self) -> list[str]:
        log = self.folder / "builds"
        return log.read_text().splitlines() if log.exists() else []

    def graphs(self) -> set[str]:
        """The digests of the graphs that plans were built of."""
        sidecars = self.cache.glob("*.plan.json")
        return {json.loads(path.read_text())["onnx_sha256"] for path in sidecars}

    def start(self, source: Path | str, **request) -> subprocess.Popen:
        options = {"batch": 8, "cache": str(self.cache), **request.pop("options", {})}
        told = {"source": str(source), "crops": str(self.crops), "options": options, **request}
        return subprocess.Popen(
            [sys.executable, str(RUN), json.dumps(told)],
            env=self.variables(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def open(self, source: Path | str, **request) -> SimpleNamespace:
        """What came of it: `error`, or `found`, `notes`, `sizes` and the rest of run_engine."""
        return self.answer(self.start(source, **request))

    def answer(self, process: subprocess.Popen) -> SimpleNamespace:
        out, err = process.communicate()
        assert process.returncode == 0, err.decode()
        told = json.loads(out)
        if "found" in told:
            told["found"] = [np.array(rows, dtype=np.float32) for rows in told["found"]]
        return SimpleNamespace(**{"error": None, **told})

    def variables(self) -> dict[str, str]:
        paths = [str(FAKES / "with_pycuda")] if self.pycuda else []
        return {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([*paths, str(FAKES)]),
            "FAKE_TENSORRT_VERSION": self.version,
            "FAKE_GPU": self.gpu,
            "FAKE_FAULT": self.fault,
            "FAKE_BUILDS": str(self.folder / "builds"),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "OMP_NUM_THREADS": "1",
            **self.environment,
        }
