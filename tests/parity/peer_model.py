"""Runs inside a peer's checkout: builds its model, fills it at random, saves weights and features.

Nothing of this project is imported here and nothing of the checkout is edited; the few names that
it expects of an old PyTorch are put in place before it is imported.
"""

from __future__ import annotations

import collections.abc
import contextlib
import importlib
import importlib.util
import json
import sys
import types
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

BATCH = 4


def main(words: list[str]) -> None:
    root, case, folder = Path(words[0]), json.loads(words[1]), Path(words[2])
    old_torch = types.ModuleType("torch._six")
    old_torch.container_abcs = collections.abc
    sys.modules["torch._six"] = old_torch
    sys.path.insert(0, str(root))
    torch.manual_seed(case["seed"])
    with contextlib.redirect_stdout(sys.stderr):
        model = MAKERS[case["kind"]](case, root, folder).eval()
        if not (folder / "state.pth").exists():
            first_run(model, case, folder)
        else:
            strictly_reloaded(model, case, folder)


def first_run(model: torch.nn.Module, case: dict[str, Any], folder: Path) -> None:
    """The official features of random weights on random pixels."""
    if case["kind"] == "pretrained":
        (folder / "raw.pth").rename(folder / "state.pth")
    else:
        disturb(model)
        state = model.state_dict()
        torch.save(
            {"state_dict": state} if case["kind"] == "unsupervised" else state, folder / "state.pth"
        )
    pixels = torch.rand(BATCH, 3, *case["size"]) * 2 - 1
    cameras = torch.arange(BATCH) % max(1, case.get("cameras", 0))
    torch.save(
        {"pixels": pixels, "cameras": cameras, **features(model, case, pixels, cameras)},
        folder / "features.pth",
    )


def strictly_reloaded(model: torch.nn.Module, case: dict[str, Any], folder: Path) -> None:
    """What the project wrote goes in strictly and gives the features again."""
    before = torch.load(folder / "features.pth", weights_only=True)
    model.load_state_dict(torch.load(folder / "exported.pth", weights_only=True), strict=True)
    again = features(model, case, before["pixels"], before["cameras"])
    torch.save(again, folder / "again.pth")


def features(
    model: torch.nn.Module, case: dict[str, Any], pixels: torch.Tensor, cameras: torch.Tensor
) -> dict[str, torch.Tensor]:
    with torch.no_grad():
        if case["kind"] == "unsupervised":
            return {"after": model(pixels)}
        if case["kind"] == "pretrained":
            return {"before": model(pixels, None, None)}
        label = cameras if case.get("cameras") else None
        found = {}
        for side in ("before", "after"):
            model.neck_feat = side
            found[side] = model(pixels, cam_label=label)
        return found


def disturb(model: torch.nn.Module) -> None:
    """Random everywhere: zero biases and unit norms would hide a mistake."""
    with torch.no_grad():
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                value += 0.05 * torch.randn(value.shape)
            if name.endswith("running_var"):
                value.abs_().add_(0.1)


def supervised(case: dict[str, Any], root: Path, folder: Path) -> torch.nn.Module:
    settings = SimpleNamespace(
        MODEL=SimpleNamespace(
            NAME="transformer", LAST_STRIDE=1, PRETRAIN_PATH="", PRETRAIN_CHOICE="",
            COS_LAYER=False,
            NECK="bnneck", REDUCE_FEAT_DIM=False, FEAT_DIM=512, DROPOUT_RATE=0.0, JPM=False,
            TRANSFORMER_TYPE=f"vit_{case['arch']}_patch16_224_TransReID",
            SIE_CAMERA=bool(case.get("cameras")), SIE_VIEW=False, SIE_COE=3.0,
            STRIDE_SIZE=[16, 16], DROP_PATH=0.1, DROP_OUT=0.0, ATT_DROP_RATE=0.0,
            POOLING="None", GEM_POOLING=False, STEM_CONV=case.get("ics", False),
            ID_LOSS_TYPE="softmax", RE_ARRANGE=True,
            MULTI_NECK=case.get("multi", True), FEAT_FUSION=case.get("fusion", "cat"),
        ),
        INPUT=SimpleNamespace(SIZE_TRAIN=case["size"]),
        TEST=SimpleNamespace(NECK_FEAT="before"),
    )  # fmt: skip
    make_model = importlib.import_module("model.make_model").make_model
    return make_model(settings, 11, case.get("cameras", 0), 0)


def unsupervised(case: dict[str, Any], root: Path, folder: Path) -> torch.nn.Module:
    nothing = folder / "nothing.pth"
    torch.save({}, nothing)
    path = root / "clustercontrast/models/vision_transformer.py"
    spec = importlib.util.spec_from_file_location("peer_vision_transformer", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    extra = {"feat_fusion": case["fusion"], "multi_neck": case["multi"]} if "multi" in case else {}
    build = getattr(module, f"vit_{case['arch']}")
    return build(
        img_size=tuple(case["size"]), pretrained_path=str(nothing), hw_ratio=2,
        conv_stem=case.get("ics", False), **extra,
    )  # fmt: skip


def pretrained(case: dict[str, Any], root: Path, folder: Path) -> torch.nn.Module:
    """The backbone alone, after the official loader has resampled its positions."""
    module = importlib.import_module("model.backbones.vit_pytorch")
    build = getattr(module, f"vit_{case['arch']}_patch16_224_TransReID")
    source = build(img_size=tuple(case["source_size"]))
    disturb(source)
    teacher = {
        f"backbone.{name}": value
        for name, value in source.state_dict().items()
        if not name.startswith("fc.")
    }
    raw = folder / "raw.pth"
    torch.save({"teacher": teacher}, raw)
    model = build(img_size=tuple(case["size"]))
    model.load_param(str(raw), hw_ratio=case["ratio"])
    return model


MAKERS = {"supervised": supervised, "unsupervised": unsupervised, "pretrained": pretrained}

if __name__ == "__main__":
    main(sys.argv[1:])
