"""Convolutional models are fine-tuned like transformers, and go on from their own files."""

import pytest
import torch

from personvit.core.models.weights import load_weights
from personvit.train.finetune import finetune

SIZE = ("input.height=64", "input.width=32", "schedule.epochs=1", "model.drop_path=0.1")


@pytest.mark.parametrize("name", ["mobilenetv4_conv_small", "repvit_m1_0"])
def test_a_run_writes_a_model_that_a_next_run_goes_on_from(options, tmp_path, name):
    first = finetune(options(weights=name, set=SIZE, out=tmp_path / "first"))
    assert first.start == f"{name}: no weights given, so it starts from random numbers"
    loaded = load_weights(first.model)
    assert (loaded.config.trunk, loaded.config.classes) == (name, 8)
    seen = [norm.num_batches_tracked for norm in loaded.model.backbone.modules()
            if isinstance(norm, torch.nn.BatchNorm2d)]  # fmt: skip
    assert seen
    assert all(int(count) == first.steps for count in seen)
    second = finetune(options(weights=first.model, set=SIZE, out=tmp_path / "second"))
    assert name in second.start
    again = load_weights(second.model).model.backbone.state_dict()
    before = loaded.model.backbone.state_dict()
    assert any(not torch.equal(again[key], before[key]) for key in before)


def test_pictures_of_attention_are_refused(options, shell, people, tmp_path):
    made = finetune(options(weights="mobilenetv4_conv_small", set=SIZE, evaluate=False))
    code, _, said = shell(
        ["visualise", made.model, str(people / "query"), "-o", str(tmp_path / "pictures")]
    )
    assert code == 1
    assert "no transformer" in said
