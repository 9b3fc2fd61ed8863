"""What only a GPU can show; `make gpu-test` runs this file where one is."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from personvit.benchmark.gpu_bench import GpuBenchOptions, gpu_bench
from personvit.benchmark.gpu_race import CudaClock
from personvit.core.models.config import ModelConfig
from personvit.core.models.vit import build
from personvit.core.preprocess import Preprocess
from personvit.engines.base import EngineOptions
from personvit.engines.device_memory import open_device
from personvit.engines.torch_engine import TorchEngine


def embed(device: str, precision: str, crops: np.ndarray) -> np.ndarray:
    torch.manual_seed(0)
    model = build(ModelConfig(width=64, depth=2, heads=2, height_px=64, width_px=32)).eval()
    options = EngineOptions(precision=precision, device=device, batch=8)
    with TorchEngine(model, Preprocess(height=64, width=32), options) as engine:
        return engine.embed(crops)


@pytest.mark.parametrize(
    ("precision", "least"), [("fp32", 0.99999), ("fp16", 0.999), ("bf16", 0.995)]
)
def test_torch_on_the_gpu_agrees_with_the_processor(precision, least):
    crops = np.random.default_rng(0).integers(0, 256, (20, 64, 32, 3), dtype=np.uint8)
    cosines = np.sum(embed("cuda", precision, crops) * embed("cpu", "fp32", crops), axis=1)
    assert cosines.min() >= least


def test_device_memory_gives_back_what_it_was_given():
    device = open_device()
    with device.current():
        stream = device.stream()
        sent, got = device.pinned(1000), device.pinned(1000)
        sent[:] = np.arange(1000) % 251
        address = device.allocate(1000)
        stream.upload(address, sent)
        stream.download(got, address)
        stream.wait()
        np.testing.assert_array_equal(got, sent)
        device.free(address)
        stream.close()
        device.unpin(sent)
        device.unpin(got)
    device.close()


def test_the_clock_waits_for_the_device():
    """A product that takes milliseconds returns at once; both clocks must see the milliseconds."""
    left = torch.randn(4096, 4096, device="cuda")
    call = CudaClock().call(lambda: left @ left)
    assert 0 < call.device_ms <= call.wall_ms + 0.05
    assert call.device_ms > 2 * 4096**3 / 1e15 * 1000


def test_a_short_bench_runs(tmp_path):
    options = GpuBenchOptions(
        out=tmp_path, models="vit_micro_16", batches="1,8", only="eager", rounds=2, steady=0.2
    )
    gpu_bench(options)
    (path,) = tmp_path.glob("*.json")
    (model,) = json.loads(path.read_text())["models"]
    timed = {(row["entrant"], row["batch"]) for row in model["timings"]}
    assert timed == {
        (f"torch eager {each}", n) for each in ("fp32", "fp16", "bf16") for n in (1, 8)
    }
    assert all(one["worst_cosine_to_fp32"] > 0.99 for one in model["entrants"].values())
