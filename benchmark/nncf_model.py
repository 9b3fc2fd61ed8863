"""NNCF's model of one of our FP32 graphs, made by an interpreter of its own."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..core.errors import EnvironmentMismatch
from ..core.files import write_atomically
from ..engines.graphs import Graph

_LAST_WORDS = 2000


@dataclass(frozen=True)
class NncfModel:
    model: Path
    """OpenVINO's own format."""
    versions: Mapping[str, str]
    """Of NNCF and of the OpenVINO that it used."""


def quantise_nncf(
    graph: Graph, crops: NDArray[np.uint8], python: Path, folder: Path, threads: int
) -> NncfModel:
    """Calibrated with all crops; one that an earlier run left in the folder is taken as it is."""
    name = f"nncf-{graph.digest[:16]}-{len(crops)}"
    out, said = folder / f"{name}.xml", folder / f"{name}.json"
    if not said.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        source, pixels = folder / "fp32.onnx", folder / "crops.npy"
        source.write_bytes(graph.model())
        np.save(pixels, crops)
        answer = _run(python, [str(source), str(pixels), str(out)], graph, threads)
        # Written last: without it the model beside it may be half of one.
        write_atomically(said, answer + "\n")
    return NncfModel(out, json.loads(said.read_text()))


def _run(python: Path, files: list[str], graph: Graph, threads: int) -> str:
    child = str(Path(__file__).with_name("nncf_child.py"))
    # -I: the folder of the script, this one, would otherwise be searched for modules first.
    words = [str(python), "-I", child, *files]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise EnvironmentMismatch(
            f"NNCF could not quantise {graph.name} with {python}: "
            f"{done.stderr.strip()[-_LAST_WORDS:]}"
        )
    return done.stdout.splitlines()[-1]
