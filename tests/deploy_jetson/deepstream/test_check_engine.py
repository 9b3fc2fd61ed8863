"""The program that goes to the device accepts the right engine and refuses the wrong ones."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from personvit.core.bundle import Bundle
from personvit.deploy_jetson.deepstream import DeepStreamOptions, deepstream


@pytest.fixture(scope="module")
def folder(make_bundle, tmp_path_factory) -> tuple[Path, Bundle]:
    out = tmp_path_factory.mktemp("deepstream") / "out"
    bundle = Bundle.open(make_bundle("fp16"))
    deepstream(DeepStreamOptions(bundle.path, out))
    return out, bundle


def exported(rows: np.ndarray) -> str:
    """The form of trtexec's exportJSONOutput (samples/common/sampleReporting.cpp of 10.3)."""
    values = ", ".join(f"{value:.6g}" for value in rows.ravel())
    shape = "x".join(map(str, rows.shape))
    return (
        f'[\n  {{ "name" : "embedding"\n  , "dimensions" : "{shape}"\n'
        f'  , "values" : [ {values} ]\n  }}\n]\n'
    )


@pytest.fixture
def check(folder, tmp_path):
    def run(rows) -> subprocess.CompletedProcess[str]:
        answer = tmp_path / "answer.json"
        answer.write_text(rows if isinstance(rows, str) else exported(rows))
        return subprocess.run(
            [sys.executable, "-I", "-S", folder[0] / "check_engine.py", answer],
            capture_output=True,
            text=True,
        )

    return run


@pytest.mark.parametrize("size", [1, 16])
def test_the_graph_itself_is_accepted(folder, check, size):
    """What lies in the .bin is what the graph takes."""
    out, bundle = folder
    height, width = bundle.manifest.preprocess.height, bundle.manifest.preprocess.width
    planes = np.fromfile(out / f"golden_{size}.bin", "<f4").reshape(size, 3, height, width)
    session = onnxruntime.InferenceSession(out / "reid.onnx", providers=["CPUExecutionProvider"])
    answer = check(session.run(["embedding"], {"images": planes})[0])
    assert (answer.returncode, answer.stderr) == (0, "")
    assert f"{size} crops" in answer.stdout


def test_wrong_engines_are_refused(folder, check):
    right = folder[1].golden().expected["deepstream"].embeddings
    one_bad = right.copy()
    one_bad[7] = right[8]
    broken = right.copy()
    broken[3, 3] = np.nan
    infinite = right.copy()
    infinite[3, 3] = -np.inf
    wrong = {
        "other rows": right[::-1],
        "permuted": right[:, ::-1],
        "scaled": 1.1 * right,
        "one row": one_bad,
        "zero": 0 * right,
        "nan": broken,
        "inf": infinite,
        "too many": np.concatenate([right, right]),
        "short": right[:, :-1],
    }
    for what, rows in wrong.items():
        answer = check(rows)
        assert answer.returncode == 3, what
        assert len(answer.stderr.splitlines()) == 1, what
    assert check(right).returncode == 0
    for text in ("", "[]", "{", '[{"name": "embedding"}]'):
        answer = check(text)
        assert answer.returncode == 1
        assert "exportOutput" in answer.stderr.splitlines()[0]


def test_the_page_gives_the_commands_of_these_files(folder):
    out, _ = folder
    page = (out / "README.md").read_text()
    for name in re.findall(r"--loadInputs=images:(\S+)", page):
        assert (out / name).is_file()
    assert page.count("python3 check_engine.py answer_") == 2
    engine = re.search(r"--saveEngine=(\S+)", page)[1]
    assert f"--loadEngine={engine}" in page
    json.loads((out / "golden.json").read_text())
