"""The whole command on a convolutional model: a bundle that an engine serves, or a sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from personvit.core.bundle import Bundle
from personvit.core.models.lineage import lineage
from personvit.core.models.native import load_native, save_native
from personvit.core.models.registry import config_of
from personvit.core.models.vit import build
from personvit.core.preprocess import Preprocess
from personvit.engines.catalogue import open_engine
from personvit.export.cli import main


@pytest.fixture(scope="module")
def light(tmp_path_factory) -> Path:
    """Random weights: what is asked is whether engine and model agree, so the gate is wide."""
    torch.manual_seed(0)
    model = build(config_of("mobilenetv4_conv_small", height_px=64, width_px=32)).eval()
    for norm in model.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.running_mean.normal_(0, 0.1)
            nn.init.uniform_(norm.weight, 0.5, 1.5)
    path = tmp_path_factory.mktemp("light") / "light.safetensors"
    save_native(path, model, Preprocess(height=64, width=32), {"weights": "random"})
    return path


def test_a_bundle_in_int8_serves_what_the_unmerged_model_says(words, light, people, tmp_path):
    out = tmp_path / "light.pvb"
    assert main.run(words(light, people, out, "--int8", "--gate", "mAP>=-50")) == 0
    opened = Bundle.open(out)
    model = load_native(light).model
    assert opened.manifest.space.lineage == lineage(model)
    assert [variant.precision for variant in opened.manifest.variants] == ["int8"]
    golden = opened.golden()
    with open_engine(str(out), "openvino") as engine:
        found = engine.embed(golden.crops)
    preprocess = Preprocess(height=64, width=32)
    with torch.no_grad():
        exact = model.embed(torch.from_numpy(preprocess.normalise(golden.crops))).numpy()
    assert float(np.sum(found * exact, axis=1).min()) > 0.99


@pytest.mark.parametrize(
    ("more", "words_said"),
    [
        (("--target", "cpu,rtx"), "target cpu only, not for rtx"),
        (("--int8", "--candidates", "int8-attention"), "has no attention"),
    ],
)
def test_what_it_cannot_be_exported_to_is_said(
    words, light, people, tmp_path, capsys, more, words_said
):
    assert main.run(words(light, people, tmp_path / "light.pvb", *more)) == 1
    assert words_said in capsys.readouterr().err
