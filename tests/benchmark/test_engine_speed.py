"""Engines are timed on the same model, targets are held to the right side, mistakes are told."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import openvino
import pytest
import torch

from personvit.benchmark.cli import main
from personvit.benchmark.engine_contenders import Case, contenders, int8_products, worst_cosines
from personvit.benchmark.engine_speed import interpreter
from personvit.benchmark.engine_targets import (
    DEFAULT,
    FLOOR,
    FULL,
    NNCF,
    ORT_FULL,
    ORT_INT8,
    OURS,
    TARGETS,
    judged,
    pairs_of,
)
from personvit.benchmark.int8_floor import Product, compile_products, counted, products_of
from personvit.benchmark.latency import Latency, Speedup
from personvit.benchmark.nncf_model import quantise_nncf
from personvit.benchmark.report import Setting
from personvit.core.errors import ConfigError, EnvironmentMismatch, UserError
from personvit.core.models.config import ModelConfig
from personvit.core.models.vit import build
from personvit.core.preprocess import Preprocess
from personvit.export.graph import GraphSpec, build_graph, serialise
from personvit.export.scales import LinearScale, layer_names

ALL = {ORT_FULL, ORT_INT8, FULL, DEFAULT, OURS, FLOOR}
TOKENS = 33

PEER = """#!{python}
# Stands for an interpreter with NNCF: it passes the graph on as it is.
import json, sys
import numpy, openvino
isolated, child, graph, crops, out = sys.argv[1:]
assert isolated == "-I" and child.endswith("nncf_child.py")
openvino.save_model(openvino.Core().read_model(graph), out, compress_to_fp16=False)
print("chatter")
print(json.dumps({{"nncf": "test", "crops": numpy.load(crops).shape}}))
"""


def write_graphs(folder: Path, seed: int = 0) -> tuple[Path, Path]:
    torch.manual_seed(seed)
    config = ModelConfig(width=64, depth=2, heads=2, height_px=128, width_px=64)
    model = build(config).eval()
    layers = layer_names(config.depth)
    modules = dict(model.backbone.named_modules())
    scales = {
        name: LinearScale(4.0, modules[name].weight.detach().abs().amax(dim=1).numpy())
        for name in layers
    }
    written = []
    for name, int8 in (("int8", frozenset(layers)), ("fp32", frozenset())):
        graph = build_graph(model, Preprocess(height=128, width=64), GraphSpec(int8=int8), scales)
        written.append(folder / f"{name}.onnx")
        written[-1].write_bytes(serialise(graph))
    return written[0], written[1]


@pytest.fixture(scope="module")
def graphs(tmp_path_factory) -> tuple[Path, Path]:
    return write_graphs(tmp_path_factory.mktemp("graphs"))


@pytest.fixture
def case(graphs, tmp_path) -> Case:
    return Case(*graphs, threads=1, batches=(1, 2), folder=tmp_path, calibration_crops=5)


@pytest.fixture
def peer(tmp_path) -> Path:
    path = tmp_path / "python"
    path.write_text(PEER.format(python=sys.executable))
    path.chmod(0o755)
    return path


def test_every_contender_runs_the_same_model_and_the_peer_runs_its_own_file(case, peer):
    with contenders(case, peer) as found:
        assert set(found) == ALL | {NNCF}
        crops = case.crops(2)
        cosines = worst_cosines(found, crops, case.batches)
        assert set(cosines) == set(found) - {FLOOR}
        assert min(cosines.values()) > 0.98
        for one in found.values():
            one.call(crops[:1])
        assert found[NNCF].facts["versions"] == {"nncf": "test", "crops": [5, 128, 64, 3]}
        for name, precision in ((OURS, "int8"), (ORT_INT8, "int8"), (FULL, "fp32")):
            assert found[name].facts["precision"].startswith(precision)


def test_a_model_of_the_peer_is_kept_and_one_that_was_not_finished_is_made_again(case, peer):
    def made() -> Path:
        graph = case.graph("fp32")
        return quantise_nncf(graph, case.crops(4), peer, case.folder, threads=1).model

    first = made()
    when = first.stat().st_mtime_ns
    assert made() == first
    assert first.stat().st_mtime_ns == when
    first.with_suffix(".json").unlink()
    assert made().stat().st_mtime_ns > when


def test_the_floor_has_every_int8_product_of_the_graph_at_its_own_shape(case):
    shapes = counted(int8_products(case))
    # The last block makes one token: its queries, proj, fc1 and fc2 are cut to it.
    assert shapes == {
        f"{TOKENS}x64x192": 1,
        f"{TOKENS}x64x128": 1,
        f"{TOKENS}x64x64": 1,
        f"{TOKENS}x64x256": 1,
        f"{TOKENS}x256x64": 1,
        "1x64x64": 2,
        "1x64x256": 1,
        "1x256x64": 1,
    }
    assert Product(33, 64, 192).operations == 2 * 33 * 64 * 192


def test_the_floor_runs_in_int8_from_end_to_end(case):
    compiled = compile_products(int8_products(case), 2, {"INFERENCE_PRECISION_HINT": "f32"})
    assert len(compiled.outputs) == 9
    for port in (*compiled.inputs, *compiled.outputs):
        assert port.get_element_type().get_type_name() == "i8"
        assert port.get_shape()[0] == 2


def test_a_graph_without_int8_weights_has_no_floor(graphs):
    with pytest.raises(ConfigError, match="give the INT8 one"):
        products_of(openvino.Core().read_model(graphs[1]))


def a_latency(**ratios: float) -> Latency:
    names = {"ort": (OURS, ORT_FULL), "floor": (FLOOR, OURS), "peer": (OURS, NNCF)}
    speedups = tuple(
        Speedup(*names[key], batch, ratio, ratio - 0.1, ratio + 0.1, 40)
        for key, ratio in ratios.items()
        for batch in (1, 8, 3)
    )
    return Latency((), speedups, ORT_FULL, Setting(), None)


def test_a_target_is_met_or_missed_on_its_own_side():
    said = {
        (each.target.fast, each.target.slow, each.ratio.batch): each.kept
        for each in judged(a_latency(ort=2.7, floor=1.7, peer=0.96))
    }
    assert said[OURS, ORT_FULL, 1] is True
    assert said[OURS, ORT_FULL, 8] is False
    assert said[FLOOR, OURS, 1] is True
    assert said[OURS, NNCF, 8] is False
    assert said[OURS, NNCF, 3] is None
    (slow,) = (each for each in judged(a_latency(floor=1.9)) if each.ratio.batch == 1)
    assert slow.as_row()[-3:] == ("1.80 to 2.00", "<= 1.8, aim 1.5", "missed")
    assert slow.as_json()["met"] is False


def test_only_ratios_of_those_who_took_part_are_asked_for():
    assert (OURS, NNCF) in pairs_of({OURS: 1, NNCF: 1, FLOOR: 1})
    assert pairs_of({OURS: 1, FLOOR: 1}) == ((FLOOR, OURS),)
    assert len(pairs_of(dict.fromkeys((*ALL, NNCF)))) == len(TARGETS)


def test_the_command_writes_every_ratio_beside_its_target(graphs, peer, tmp_path, capsys):
    words = ["engines", *map(str, graphs), "--peer", f"nncf={peer}", "--rounds", "1"]
    words += ["--threads", "1", "--calibration-crops", "3", "-o", str(tmp_path / "out"), "--json"]
    assert main.run(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == json.loads((tmp_path / "out" / "engines.json").read_text())
    assert {(each["target"], each["batch"]) for each in told["targets"]} == {
        (target.title, batch) for target in TARGETS for batch in (1, 8)
    }
    assert told["floor"]["products_per_crop"]["1x64x64"] == 2
    page = (tmp_path / "out" / "engines.md").read_text()
    assert all(target.title in page for target in TARGETS)
    assert told["machine"]["cpu"] in page


def test_graphs_of_two_models_are_not_compared(graphs, tmp_path, capsys):
    (tmp_path / "other").mkdir()
    other = write_graphs(tmp_path / "other", seed=1)
    assert main.run(["engines", str(graphs[0]), str(other[1])]) == UserError.exit_code
    assert "export both from the same weights" in capsys.readouterr().err


def test_a_peer_that_cannot_start_or_fails_is_told(case, tmp_path):
    for word, reason in (("other=/bin/sh", "takes nncf=PYTHON"), ("nncf=/not/there", "venv")):
        with pytest.raises(ConfigError, match=reason):
            interpreter(word)
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho no nncf here >&2\nexit 1\n")
    broken.chmod(0o755)
    with (
        pytest.raises(EnvironmentMismatch, match="no nncf here"),
        contenders(case, broken),
    ):
        pass


def test_crops_are_the_same_for_everyone_and_every_run(case):
    np.testing.assert_array_equal(case.crops(3), case.crops(3))
    assert case.crops(3).shape == (3, 128, 64, 3)
