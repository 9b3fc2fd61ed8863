"""What the TensorRT backend refuses before TensorRT sees a byte, by a program of a build with it.

Neither the GPU nor TensorRT is there: tensorrt_stand_in.cpp stands for both, built with the headers
of the folder that PERSONVIT_TENSORRT_HEADERS names.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from personvit.core.errors import BundleError
from personvit.core.preprocess import Preprocess
from personvit.engines.graphs import open_source
from personvit.engines.tensorrt_plan import (
    BuiltFor,
    Computes,
    Here,
    Plan,
    Sidecar,
    read_plan,
    write_plan,
)

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
BUILD = ROOT / "build/tensorrt-stand-in"
HEADERS = os.environ.get("PERSONVIT_TENSORRT_HEADERS", "").split(os.pathsep)[0]
CUDA = Path(os.environ.get("CUDA_HOME", "/usr/local/cuda")) / "include"
HERE = Here("tensorrt", "10.3.0.30", "Orin (nvgpu)", "8.7")
PREPROCESS = Preprocess(height=32, width=16)
USER, ENVIRONMENT = 1, 3
Refusal = tuple[int, str]


def run(*command: object) -> None:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


@pytest.fixture(scope="module")
def program() -> Path:
    """pv-embed, with the real backend over libraries that stand for NVIDIA's."""
    if not HEADERS or shutil.which("cmake") is None or not CUDA.is_dir():
        pytest.skip("needs cmake, CUDA's headers, and PERSONVIT_TENSORRT_HEADERS")
    root = BUILD / "root"
    (root / "lib").mkdir(parents=True, exist_ok=True)
    (root / "include").unlink(missing_ok=True)
    (root / "include").symlink_to(Path(HEADERS) / "include")
    stand_in = Path(__file__).with_name("tensorrt_stand_in.cpp")
    for name in ("nvinfer", "cudart"):
        found = ("-isystem", root / "include", "-isystem", CUDA)
        made = root / f"lib/lib{name}.so"
        run("c++", "-std=c++17", "-shared", "-fPIC", *found, "-o", made, stand_in)
    named = (f"-DTENSORRT_ROOT={root}", f"-DPV_CUDA_LIBRARY={root}/lib/libcudart.so")
    without = ("-DPV_OPENVINO=OFF", "-DPV_TESTS=OFF")
    run("cmake", "-S", ROOT, "-B", BUILD / "build", "-G", "Ninja", *named, *without)
    run("cmake", "--build", BUILD / "build", "--target", "pv-embed")
    return BUILD / "build/deploy_jetson/runtime/programs/pv-embed"


@pytest.fixture
def bundle(shared, tmp_path) -> Path:
    fake = shared("deploy_jetson/runtime/fake_model.py")
    return fake.write(tmp_path / "m.pvb", PREPROCESS, 24)


@pytest.fixture
def refused(program, bundle) -> Callable[..., Refusal]:
    def ask(plan: Path, **environment: str) -> Refusal:
        words = (program, bundle, __file__, "--jsonl", "--backend", "tensorrt", "--plan", plan)
        done = subprocess.run(
            list(map(str, words)), capture_output=True, text=True, env={**os.environ, **environment}
        )
        assert done.stdout == ""
        assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
        return done.returncode, done.stderr[len("error: ") : -1]

    return ask


@pytest.fixture
def sidecar(bundle) -> Sidecar:
    (graph,) = open_source(str(bundle)).graphs.values()
    return Sidecar(
        runtime="tensorrt",
        versions={"tensorrt": HERE.version},
        plan_sha256=hashlib.sha256(b"plan").hexdigest(),
        onnx_sha256=graph.digest,
        built_for=BuiltFor((HERE.capability,), HERE.gpu, None),
        batch=(1, 8, 8),
        typing="strong",
        static=False,
        fp32_layernorm=False,
        level=None,
        warnings=(),
        seconds=1.0,
        model=Computes.of(graph),
    )


@pytest.fixture
def written(tmp_path) -> Callable[[Sidecar], Path]:
    def write(sidecar: Sidecar) -> Path:
        path = tmp_path / "m.plan"
        write_plan(path, Plan(b"plan", sidecar))
        return path

    return write


@pytest.mark.parametrize(
    "changes",
    [
        {"runtime": "tensorrt_rtx"},
        {"versions": {"tensorrt": "10.13.3.9"}},
        {"built_for": BuiltFor(("11.0",))},
        {"built_for": BuiltFor(("8.7",), "Xavier")},
        {"built_for": BuiltFor(("8.7",), "Orin (nvgpu)", "36.4.3")},
    ],
)
def test_a_plan_for_another_machine_says_for_which(refused, sidecar, written, changes):
    wrong = replace(sidecar, **changes)
    path = written(wrong)
    code, sentence = refused(path)
    assert code == ENVIRONMENT
    assert sentence.startswith(f"{path} is not for this machine: {wrong.misfit(HERE)}; ")


def test_a_plan_that_was_changed_gets_python_s_words(refused, sidecar, written):
    path = written(sidecar)
    path.write_bytes(b"another")
    with pytest.raises(BundleError) as wanted:
        read_plan(path)
    assert refused(path) == (USER, str(wanted.value))


def test_a_plan_of_another_graph(refused, sidecar, written, bundle):
    path = written(replace(sidecar, onnx_sha256="0" * 64))
    code, sentence = refused(path)
    assert code == USER
    assert f"{path} was built from a graph that is not in {bundle}; " in sentence


def test_a_plan_without_its_sidecar_or_with_half_of_it(refused, sidecar, written, tmp_path):
    path = written(sidecar)
    beside = path.with_name("m.plan.json")
    beside.write_bytes(beside.read_bytes()[:100])
    for _ in range(2):
        code, sentence = refused(path)
        assert code == USER
        assert sentence.startswith(f"{path} needs its sidecar m.plan.json beside it (")
        beside.unlink(missing_ok=True)
    (tmp_path / "plans").mkdir()
    code, sentence = refused(tmp_path / "plans")
    assert code == USER and "there is no plan" in sentence


def test_a_right_plan_where_tensorrt_or_the_gpu_fails(refused, sidecar, written):
    path = written(sidecar)
    code, sentence = refused(path)
    assert code == ENVIRONMENT and "TensorRT 10.3.0.30 does not start here" in sentence
    code, sentence = refused(path, STAND_IN_NO_GPU="1")
    assert code == ENVIRONMENT and "there is no usable NVIDIA GPU here" in sentence
