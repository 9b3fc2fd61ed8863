"""Layer reports in the forms of TensorRT 10.x and 11.x tell what an engine really runs."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from dataclasses import replace
from importlib import util
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personvit.core.errors import DataError
from personvit.engines.layer_report import read_layers

HERE = Path(__file__).parent / "layer_reports"


@pytest.fixture(scope="module")
def maker():
    spec = util.spec_from_file_location("layer_report_maker", HERE / "make_reports.py")
    module = util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def golden(name: str):
    return read_layers((HERE / f"{name}.json").read_text())


def work(depth: int, width: int, tokens: int = 129, kept: int = 2) -> int:
    """Operations of the graph that export writes, counted by hand."""
    whole = 12 * tokens * width**2 + 2 * tokens**2 * width
    # Q, the projection and the MLP of the last block are made for the kept tokens only.
    last = 2 * tokens * width**2 + 10 * kept * width**2 + 2 * kept * tokens * width
    return 2 * ((depth - 1) * whole + last + (tokens - 1) * 768 * width)


def test_files_are_what_the_script_makes(maker):
    for name, case in maker.CASES.items():
        assert (HERE / f"{name}.json").read_text() == maker.report(case), name


@pytest.mark.parametrize("name", ["trt10.3-vits-int8", "trt11.1-vits-int8"])
def test_int8_engine(name):
    report = golden(name)
    patches = 2 * 128 * 768 * 384
    attention = 4 * 384 * 129 * (11 * 129 + 2)
    assert report.form == ("11.x" if "11" in name else "10.x")
    assert report.operations == work(12, 384)
    assert report.fp16_share == pytest.approx((patches + attention) / report.operations)
    assert report.int8_share == pytest.approx(1 - report.fp16_share)
    assert report.fused_blocks == tuple(range(12))
    assert report.all_attention_fused
    assert len(report.quantised) == 48
    assert not (report.not_quantised or report.fp32_islands or report.uncounted or report.missing)
    assert "blocks 0-11: attention fused (FP16)" in report.findings()


@pytest.mark.parametrize("name", ["trt10.3-micro-fp16", "trt11.1-micro-fp16"])
def test_fp16_engine(name):
    report = golden(name)
    assert report.shares == {"fp16": 1.0}
    assert report.operations == work(4, 192)
    assert report.blocks == 4
    assert report.all_attention_fused


def test_free_batch_joined_with_tokens_is_counted_from_the_block():
    report = golden("trt10.16-vits-int8-free-batch")
    assert report.operations == work(12, 384) - 2 * 128 * 768 * 384
    assert report.uncounted == ("patch_embed_proj_product_myl0_2",)
    assert any(line.startswith("not counted") for line in report.findings())


@pytest.mark.parametrize("batch", [1, 8])
def test_work_is_told_for_one_image(maker, batch):
    case = replace(maker.CASES["trt10.3-micro-fp16"], batch=batch)
    assert read_layers(maker.report(case)).operations == work(4, 192)


RULES = {
    "apart-int8-fp16": "Q/DQ is missing after softmax",
    "apart-fp16-int8": "Q/DQ is missing before the product of Q and K",
    "apart-int8-int8": "Q/DQ is missing after the second product",
    "apart-fp16-fp16": "no documented rule",
    "apart-fp32-fp32": "take FP32",
}


@pytest.mark.parametrize("attention", RULES)
def test_attention_apart_names_the_rule_it_breaks(maker, attention):
    case = replace(maker.CASES["trt10.3-micro-fp16"], attention=attention)
    report = read_layers(maker.report(case))
    assert report.fused_blocks == ()
    assert not report.all_attention_fused
    assert report.operations == work(4, 192)
    (line,) = (line for line in report.findings() if "not fused" in line)
    assert line.startswith("blocks 0-3: ")
    assert RULES[attention] in line


@pytest.mark.parametrize(
    ("tokens", "heads", "rule"), [(601, 3, "601 tokens"), (129, 2, "a head has 96 values")]
)
def test_int8_attention_beyond_its_limits(maker, tokens, heads, rule):
    case = replace(maker.CASES["trt10.3-micro-fp16"], tokens=tokens, heads=heads)
    report = read_layers(maker.report(replace(case, attention="apart-int8-int8")))
    assert any(rule in line for line in report.findings())


def test_fused_int8_attention_is_int8_work(maker):
    case = replace(maker.CASES["trt10.3-vits-int8"], attention="int8")
    report = read_layers(maker.report(case))
    assert report.all_attention_fused
    assert report.fp16_share == pytest.approx(2 * 128 * 768 * 384 / report.operations)


def test_fp32_islands_are_named_as_in_the_vit():
    report = golden("trt10.3-micro-fp32-islands")
    assert report.fp32_islands == ("blocks.0.norm1", "blocks.2.mlp.fc1")
    assert report.not_quantised == ("blocks.2.mlp.fc1",)
    assert report.fp32_share == pytest.approx(2 * 129 * 192 * 768 / work(4, 192))
    assert "9% of matrix work is FP32: blocks.2.mlp.fc1" in report.findings()
    assert len(report.reformats) == 6
    assert any(line.startswith("6 reformats: ") for line in report.findings())


@pytest.mark.parametrize("name", ["trt10.3-micro-names", "trt11.1-micro-names"])
def test_names_alone_tell_no_precision(name):
    report = golden(name)
    assert report.verbosity == "names"
    assert report.shares == {}
    assert report.blocks == 4
    assert report.fused_blocks == ()
    assert report.unplaced_attention == 4
    assert "without detailed profiling" in report.findings()[0]


def test_real_lines_of_a_foreign_engine():
    report = read_layers((HERE / "bert-10.x-lines.txt").read_text())
    products = (3 * 40 * 256 * 256, 40 * 256 * 256, 40 * 1024 * 256)
    assert report.operations == 2 * sum(products) + 4 * 4 * 40 * 40 * 64
    assert report.shares == {"fp16": 1.0}
    assert report.unplaced_attention == 1
    assert report.blocks == 0


def test_a_node_called_mha_is_no_fused_kernel():
    """BERT's projections are called /mha/...; only what TensorRT names counts."""
    lines = (HERE / "bert-10.x-lines.txt").read_text().splitlines()
    assert read_layers("\n".join(line for line in lines if "_gemm_mha" not in line)).layers == 3
    kept = [line for line in lines if "dense" in line]
    assert read_layers(kept[0]).unplaced_attention == 0


def test_opaque_layers_are_reported_not_guessed():
    layers = [{"Name": "{ForeignNode[blocks.0.norm1...embedding]}", "LayerType": "Myelin"}]
    report = read_layers(json.dumps({"Layers": layers, "Bindings": ["images"]}))
    assert report.shares == {}
    assert report.uncounted == (layers[0]["Name"],)
    assert not report.all_attention_fused


def test_a_convolution_is_sized_by_its_weights():
    layer = {
        "Name": "stem", "LayerType": "CaskConvolution", "ParameterType": "Convolution",
        "Inputs": [{"Name": "x", "Dimensions": [1, 3, 224, 224],
                    "Format/Datatype": "Four wide channel vectorized row major Int8 format"}],
        "Outputs": [{"Name": "y", "Dimensions": [1, 32, 112, 112],
                     "Format/Datatype": "Row major Int8 format"}],
        "Weights": {"Type": "Int8", "Count": 864},
    }  # fmt: skip
    report = read_layers(json.dumps([layer]))
    assert report.operations == 2 * 864 * 112 * 112
    assert report.shares == {"int8": 1.0}


def test_later_profiles_are_not_counted_twice(maker):
    case = maker.CASES["trt10.3-micro-fp16"]
    once = json.loads(maker.report(case))
    again = [{**layer, "Name": layer["Name"] + " [profile 1]"} for layer in once["Layers"]]
    report = read_layers(json.dumps({**once, "Layers": [*once["Layers"], *again]}))
    assert report.operations == work(4, 192)
    assert report.layers == len(once["Layers"])


def test_json_holds_everything_a_reader_needs():
    values = json.loads(json.dumps(golden("trt10.3-vits-int8").as_json()))
    assert values["fused_blocks"] == list(range(12))
    assert values["blocks"] == 12
    assert values["findings"]
    assert values["shares"]["int8"] > 0.9


BROKEN = [
    "",
    "   ",
    "{",
    "null",
    "{}",
    "[]",
    '{"Layers": []}',
    '{"Layers": 3}',
    '{"Layers": [3]}',
    '{"Layers": [{"LayerType": "gemm"}]}',
    '{"Layers": [{"Name": "a", "Inputs": [1]}]}',
    '{"Layers": [{"Name": "a", "Inputs": 1}]}',
    '{"Layers": [{"Name": "a", "Outputs": [{"Name": "b", "Dimensions": "wide"}]}]}',
    "[I] trtexec finished",
    "Name: a, LayerType: gemm, and then the log was cut",
]


@pytest.mark.parametrize("text", BROKEN)
def test_what_is_no_report_is_refused_with_a_mend(text):
    with pytest.raises(DataError, match="exportLayerInfo"):
        read_layers(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["Layers", "Name", "Inputs", "Outputs", "Dimensions", "Metadata"]),
        inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(JSON)
def test_any_json_is_read_or_refused(value):
    with suppress(DataError):
        read_layers(json.dumps(value)).as_text()
