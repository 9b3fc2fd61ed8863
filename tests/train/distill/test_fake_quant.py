"""A student that trains as INT8 computes: what it writes, learns, keeps and refuses."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from personvit.core.errors import CalibrationError, ConfigError
from personvit.core.models.native import load_native, read_native
from personvit.core.models.ranges import layer_names
from personvit.core.models.registry import config_of
from personvit.train.distill.distill import distill
from personvit.train.distill.fake_quant import check_int8, fake_quantise, plain


def crops(count: int = 16, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.fixture
def quantised(lively):
    student = lively()
    fake_quantise(student, [crops()])
    return student


def test_a_run_writes_weights_that_anyone_can_load_and_the_ranges_beside_them(options, weights):
    asked = options(int8=True, recipe="distill-int8")
    result = distill(asked)
    path = asked.out / "model.safetensors"
    content, start = read_native(path), read_native(weights["student"])
    assert set(content.ranges) == set(layer_names(2))
    assert min(content.ranges.values()) > 0
    assert not [name for name in content.tensors if "quantizer" in name]
    layer = "backbone.blocks.1.mlp.fc1.weight"
    assert not torch.equal(content.tensors[layer], start.tensors[layer])
    assert load_native(path).config.width == 64
    assert result.scores.student.queries == 8


def test_a_resumed_run_ends_as_an_undisturbed_one(options, capsys):
    asked = options(int8=True, recipe="distill-int8", evaluate=False)
    steps = distill(asked).steps
    model = asked.out / "model.safetensors"
    undisturbed = model.read_bytes()
    last = (asked.out / "checkpoints").glob(f"*{steps}.*")
    for path in (model, asked.out / "result.json", *last):
        path.unlink()
    distill(replace(asked, resume=True))
    said = capsys.readouterr().err
    assert "resuming after step" in said
    assert f"resuming after step {steps}" not in said
    assert model.read_bytes() == undisturbed


def test_its_linear_layers_round_and_nothing_else_does(lively, quantised):
    """Against a transcription: inputs in 255 steps per tensor, weights in 255 per row."""
    seen = {}
    exact = lively()
    for name in layer_names(2):
        layer = quantised.backbone.get_submodule(name)
        layer.register_forward_hook(
            lambda _, given, out, name=name: seen.update({name: (given, out)})
        )
    _, ranges = plain(quantised)
    with torch.no_grad():
        assert not torch.equal(quantised.embed(crops(4)), exact.embed(crops(4)))
    for name, (given, out) in seen.items():
        layer = exact.requires_grad_(False).backbone.get_submodule(name)
        step = ranges[name] / 127
        x = (given[0] / step).round().clamp(-128, 127) * step
        rows = layer.weight.abs().amax(dim=1, keepdim=True) / 127
        weight = (layer.weight / rows).round() * rows
        wanted = x @ weight.T + layer.bias
        # A value half-way between two steps may go either way: one step of one input.
        slack = step * float(weight.abs().max()) * 1.01
        out = out.detach()
        assert torch.allclose(out, wanted, atol=slack)
        assert float((out - wanted).abs().mean()) < 0.02 * slack


def test_gradients_pass_the_rounding(quantised):
    quantised.train()
    quantised(crops(8)).before.square().sum().backward()
    for name in layer_names(2):
        assert quantised.backbone.get_submodule(name).weight.grad.any()


def test_ranges_travel_with_the_state(lively, quantised):
    other = lively()
    fake_quantise(other, [3 * crops(seed=1)])
    assert plain(other)[1] != plain(quantised)[1]
    other.load_state_dict(quantised.state_dict())
    assert plain(other)[1] == plain(quantised)[1]
    with torch.no_grad():
        assert torch.equal(other.embed(crops(4)), quantised.embed(crops(4)))


def test_a_student_that_has_learnt_nothing_is_refused(options):
    with pytest.raises(ConfigError, match="distil without it first"):
        distill(options(student="vit-tiny", int8=True))


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (config_of("vit_micro_16", cameras=3), "camera embeddings"),
        (config_of("repvit_m1_0"), "trains transformers"),
    ],
)
def test_students_that_no_such_engine_is_made_of_are_refused(config, sentence):
    with pytest.raises(ConfigError, match=sentence):
        check_int8(config, random=False)


def test_broken_weights_have_no_ranges(lively):
    student = lively()
    with torch.no_grad():
        student.backbone.blocks[0].norm2.weight.zero_()
        student.backbone.blocks[0].norm2.bias.zero_()
    with pytest.raises(CalibrationError, match=r"blocks\.0\.mlp\.fc1"):
        fake_quantise(student, [crops()])
