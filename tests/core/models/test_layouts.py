"""Particular layouts: prefixes, branches, converted files, necks, grids and what travels along."""

from __future__ import annotations

import json

import pytest
import torch

from personvit.core.errors import CheckpointError
from personvit.core.models.weights import ReadOptions, load_weights


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "_orig_mod.module."])
def test_prefixes_of_parallel_and_compiled_training_are_peeled(official, prefix):
    payload = official.payload("personvit-finetuned")
    loaded = load_weights(official.save({prefix + key: value for key, value in payload.items()}))
    assert loaded.report.family == "personvit-finetuned"
    assert loaded.config.classes == 5


def test_one_key_under_two_names_is_refused(official):
    payload = official.payload("personvit-finetuned")
    payload["module.base.norm.weight"] = payload["base.norm.weight"] + 1
    with pytest.raises(CheckpointError, match=r"base\.norm\.weight twice"):
        load_weights(official.save(payload))


def test_the_student_is_read_when_asked_for(official):
    path = official.file("personvit-pretrained")
    teacher = load_weights(path).model.state_dict()
    loaded = load_weights(path, ReadOptions(branch="student"))
    student = loaded.model.state_dict()
    assert torch.allclose(student["backbone.norm.bias"], teacher["backbone.norm.bias"] + 1)
    assert "backbone.masked_embed" in {entry.key for entry in loaded.report.dropped}
    with pytest.raises(CheckpointError, match="no student"):
        load_weights(official.file("personvit-finetuned"), ReadOptions(branch="student"))


@pytest.mark.parametrize(
    ("raw", "converted"),
    [
        ("transreid-ssl-pretrained", "transreid-ssl-pretrained"),
        ("pass-pretrained", "pass-pretrained"),
        ("personvit-pretrained", "transreid-ssl-pretrained"),
        ("dino", "dino"),
    ],
)
def test_converted_pre_training_files_give_the_same_weights(official, raw, converted):
    payload = official.payload(raw)
    before = load_weights(official.save(payload))
    flat = {
        key.removeprefix("backbone."): value
        for key, value in payload["teacher"].items()
        if key.startswith("backbone.")
    }
    after = load_weights(official.save(flat, "converted.pth"))
    assert after.report.family == converted
    assert after.config == before.config
    for key, value in before.model.state_dict().items():
        assert torch.equal(value, after.model.state_dict()[key]), key


def test_the_settings_of_the_training_are_kept(official):
    """Nobody has published PersonViT's pre-training settings; its file carries them."""
    provenance = load_weights(official.file("personvit-pretrained")).provenance
    settings = json.loads(provenance["training_args"])
    assert settings["pred_ratio"] == [0, 0.3]
    assert float(settings["lr"]) == 5e-4


def test_a_plain_stem_of_transreid_ssl_is_recognised(official):
    payload = official.payload("personvit-pretrained")
    del (
        payload["teacher"]["head.last_layer2.weight_g"],
        payload["teacher"]["head.last_layer2.weight_v"],
    )
    assert load_weights(official.save(payload)).config.stem == "patch"


def test_a_short_ibot_file_is_read(official, fill):
    payload = official.payload("ibot")
    flat = {
        key.removeprefix("backbone."): value
        for key, value in payload["teacher"].items()
        if key.startswith("backbone.")
    }
    flat["masked_embed"] = fill(1, 64)
    loaded = load_weights(official.save({"state_dict": flat}))
    assert loaded.report.family == "ibot"


def test_pass_with_one_neck_and_mean_fusion(official, fill):
    payload = official.payload("pass-supervised")
    single = {key: value for key, value in payload.items() if not key.startswith("bottleneck_")}
    single["classifier.weight"] = fill(5, 64)
    config = load_weights(official.save(single)).config
    assert (config.neck, config.fusion, config.embedding) == ("single", "mean", 64)
    config = load_weights(official.save(payload)).config
    assert (config.neck, config.fusion, config.embedding) == ("multi", "cat", 128)


def test_four_necks_without_a_classifier_must_be_told_their_fusion(official, fill):
    payload = official.payload("pass-unsupervised")
    state = payload["state_dict"]
    for key in [key for key in state if "bottleneck" in key]:
        del state[key]
    for neck in ("bottleneck", "bottleneck_pt1", "bottleneck_pt2", "bottleneck_pt3"):
        state |= {f"module.{key}": value for key, value in fill.batch_norm(neck, 64).items()}
    path = official.save(payload)
    with pytest.raises(CheckpointError, match="--fusion"):
        load_weights(path)
    loaded = load_weights(path, ReadOptions(fusion="mean"))
    assert (loaded.config.fusion, loaded.config.branch_norm) == ("mean", True)
    assert loaded.report.matched["bottleneck_pt2.bias"] == "bottleneck_2.bias"


def test_a_wrong_fusion_is_contradicted(official):
    with pytest.raises(CheckpointError, match="--fusion cat"):
        load_weights(official.file("pass-supervised"), ReadOptions(fusion="mean"))


def test_camera_embeddings_are_found(official, fill):
    payload = official.payload("personvit-finetuned")
    payload["base.sie_embed"] = fill(6, 1, 64)
    assert load_weights(official.save(payload)).config.cameras == 6


def test_positions_are_resampled_only_when_the_size_differs(official):
    path = official.file("dino")
    same = load_weights(path, ReadOptions(size=(224, 224)))
    assert not same.report.changed
    upright = load_weights(path, ReadOptions(size=(256, 128)))
    (change,) = upright.report.changed
    assert (change.before, change.after) == ((1, 197, 64), (1, 129, 64))
    assert upright.config.grid == (16, 8)
    assert (upright.preprocess.height, upright.preprocess.width) == (256, 128)


def test_a_384x128_file_is_known_by_its_tokens(official, fill):
    payload = official.payload("pass-supervised")
    payload["base.pos_embed"] = fill(1, 192, 64)
    assert load_weights(official.save(payload)).config.height_px == 384


def test_an_ambiguous_grid_asks_for_the_size(official, fill):
    payload = official.payload("personvit-finetuned")
    payload["base.pos_embed"] = fill(1, 145, 64)
    path = official.save(payload)
    with pytest.raises(CheckpointError, match="--source-size"):
        load_weights(path)
    assert load_weights(path, ReadOptions(source_size=(288, 128))).config.grid == (18, 8)
    with pytest.raises(CheckpointError, match="correct --source-size"):
        load_weights(path, ReadOptions(source_size=(256, 128)))


def test_a_distilled_deit_loses_its_second_token(official, fill):
    payload = official.payload("timm")
    positions = fill(1, 198, 64)
    payload |= {"pos_embed": positions, "dist_token": fill(1, 1, 64)}
    payload |= fill.linear("head_dist", 1000, 64)
    loaded = load_weights(official.save({"model": payload}))
    kept = loaded.model.state_dict()["backbone.pos_embed"]
    assert torch.equal(kept[:, 0], positions[:, 0])
    assert torch.equal(kept[:, 1:], positions[:, 2:])


def test_a_linear_patch_layer_becomes_a_convolution(official):
    payload = official.payload("personvit-finetuned")
    weight = payload["base.patch_embed.proj.weight"]
    payload["base.patch_embed.proj.weight"] = weight.flatten(1)
    loaded = load_weights(official.save(payload))
    assert torch.equal(loaded.model.state_dict()["backbone.patch_embed.proj.weight"], weight)
    assert loaded.report.changed[0].key == "base.patch_embed.proj.weight"


def test_normalisation_travels_with_each_family(official):
    def mean(family):
        return load_weights(official.file(family)).preprocess.mean[0]

    assert mean("personvit-finetuned") == mean("pass-supervised") == 0.5
    assert mean("personvit-pretrained") == mean("dino") == 0.485


def test_timm_says_its_own_preprocessing_when_it_can(official, tmp_path):
    path = official.file("timm")
    assert load_weights(path).preprocess.mean == (0.5, 0.5, 0.5)
    told = '{"pretrained_cfg": {"interpolation": "bilinear", "mean": [0, 0, 0], "std": [1, 1, 1]}}'
    (tmp_path / "config.json").write_text(told)
    preprocess = load_weights(path).preprocess
    assert (preprocess.filter, preprocess.mean, preprocess.std) == ("bilinear", (0,) * 3, (1,) * 3)


def test_an_unknown_layout_lists_the_known_ones(official):
    state = {"layer1.0.bn1.weight": torch.ones(64), "norm.weight": torch.ones(64)}
    with pytest.raises(CheckpointError, match="no known family") as refusal:
        load_weights(official.save(state))
    assert "personvit-finetuned" in str(refusal.value)
