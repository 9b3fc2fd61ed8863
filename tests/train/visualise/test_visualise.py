"""Pictures show what the network computes, for every layout of tokens, and say what they lack."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import scaled_dot_product_attention

from personvit.core.models.config import ModelConfig
from personvit.core.models.native import save_native
from personvit.core.models.vit import build
from personvit.core.preprocess import Preprocess
from personvit.train.cli import main
from personvit.train.visualise.looking import Looked, look
from personvit.train.visualise.parts import BACKGROUND, find_parts

SIZES = {"width": 32, "depth": 3, "heads": 2, "height_px": 64, "width_px": 32, "neck": "none"}


def model_of(**changes):
    torch.manual_seed(0)
    model = build(ModelConfig(**{**SIZES, **changes})).eval()
    with torch.no_grad():
        for weight in model.backbone.parameters():
            weight.add_(0.2 * torch.randn_like(weight))
    return model


@pytest.fixture
def crops(tmp_path):
    """Six crops in two folders; one more is no image."""
    folder = tmp_path / "crops"
    (folder / "deeper").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(6):
        where = folder / "deeper" if number > 3 else folder
        pixels = rng.integers(0, 256, (70, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(where / f"{number}.png")
    (folder / "broken.jpg").write_bytes(b"no image")
    return folder


@pytest.fixture
def show(tmp_path, crops, capsys):
    """Run the command on a small random model: exit code, result and complaint."""

    def run(*words, folder=crops, **changes):
        path = tmp_path / "model.safetensors"
        save_native(path, model_of(**changes), Preprocess(height=64, width=32), {})
        out = tmp_path / "pictures"
        code = main.run(["visualise", str(path), str(folder), "-o", str(out), "--json", *words])
        said = capsys.readouterr()
        return code, json.loads(said.out) if code == 0 else None, said.err

    return run


@pytest.mark.parametrize("tokens", ["cls", "pass", "cls-drop-patch"])
def test_the_attention_is_what_the_block_mixes_values_with(tokens):
    model, images = model_of(tokens=tokens), torch.randn(2, 3, 64, 32)
    attention, seen = model.backbone.blocks[-1].attn, {}
    handles = [
        attention.qkv.register_forward_hook(lambda m, given, out: seen.update(qkv=out)),
        attention.proj.register_forward_pre_hook(lambda m, given: seen.update(mixed=given[0])),
    ]
    looked = look(model, images)
    for handle in handles:
        handle.remove()
    with torch.no_grad():
        query, key, value = seen["qkv"].unflatten(-1, (3, 2, 16)).permute(2, 0, 3, 1, 4)
        # Values that name their own token: what comes out is the attention itself.
        named = torch.eye(key.shape[2]).expand(2, 2, -1, -1)
        shares = scaled_dot_product_attention(query, key, named)
    leading = model.config.leading_tokens
    cells = looked.attention.reshape(2, leading, 2, -1)
    present = ~np.isnan(cells)
    assert present[0, 0, 0].sum() == model.config.tokens_in_blocks - leading
    wanted = shares[:, :, :leading, leading:].transpose(1, 2).numpy()
    np.testing.assert_allclose(cells[present], wanted.ravel(), rtol=1e-5)
    mixed = (shares @ value).transpose(1, 2).flatten(2)
    torch.testing.assert_close(mixed, seen["mixed"].detach())


def test_a_dropped_patch_has_no_value_and_the_others_keep_their_places():
    model = model_of(tokens="cls-drop-patch")
    looked = look(model, torch.randn(1, 3, 64, 32))
    absent = ~looked.present[0]
    assert absent[0, 0]
    assert absent.sum() == 1


def test_a_token_schedule_shows_the_patches_that_are_left_where_they_were():
    model = model_of(token_schedule=((1, 6), (2, 3)))
    images = torch.randn(2, 3, 64, 32)
    looked = look(model, images)
    assert looked.present.sum(axis=(1, 2)).tolist() == [3, 3]
    with torch.no_grad():
        tokens = model.backbone(images)[:, 1:]
    units = torch.nn.functional.normalize(tokens, dim=-1).numpy()
    blocks = model.backbone.blocks
    places = blocks[0].kept.gather(1, blocks[1].kept).numpy()
    for image in range(2):
        cells = looked.features[image].reshape(8, -1)[places[image]]
        np.testing.assert_allclose(cells, units[image], rtol=1e-6)


def drawn(out):
    return Path(out["page"]).read_text(), [Image.open(path) for path in out["pictures"]]


def test_a_folder_becomes_pictures_and_one_page(show, crops):
    code, out, _ = show("--heads", "--parts", "3")
    assert code == 0
    page, pictures = drawn(out)
    assert len(pictures) == 6
    # crop, mean, two heads and the parts, each 32 wide, with 4 between them
    assert {picture.size for picture in pictures} == {(5 * 32 + 4 * 4, 64)}
    assert page.count("data:image/png;base64,") == 6 * 5
    assert not re.search(r"(src|href)=[\"'](?!data:)", page)
    assert str(crops / "deeper" / "4.png") in page
    assert len(out["bad"]) == 1
    assert "broken.jpg" in out["bad"][0]
    assert "broken.jpg" in page


@pytest.mark.parametrize(
    ("changes", "pictures", "words"),
    [
        ({"tokens": "pass"}, 1 + 4 + 1, None),
        ({"tokens": "mean"}, 1 + 1, "no class token"),
        ({"tokens": "cls-drop-patch"}, 1 + 1 + 1, "top-left"),
        ({"token_schedule": ((1, 6),)}, 1 + 1 + 1, "token schedule"),
        ({"cameras": 3}, 1 + 1 + 1, "camera 0"),
        ({"stem": "ics"}, 1 + 1 + 1, None),
    ],
)
def test_every_layout_is_drawn_and_says_what_it_lacks(show, changes, pictures, words):
    _, out, _ = show(**changes)
    page, drawings = drawn(out)
    assert drawings[0].width == pictures * 32 + (pictures - 1) * 4
    if words is not None:
        assert any(words in note for note in out["notes"])
        assert words in page


def test_the_same_seed_draws_the_same_bytes(show, tmp_path):
    _, out, _ = show()
    before = {Path(path).name: Path(path).read_bytes() for path in out["pictures"]}
    Path(out["page"]).parent.rename(tmp_path / "before")
    _, out, _ = show()
    assert {Path(path).name: Path(path).read_bytes() for path in out["pictures"]} == before


def test_a_larger_size_gives_a_finer_grid(show):
    _, out, _ = show("--size", "128x64")
    assert drawn(out)[1][0].height == 128


def test_what_cannot_be_shown_is_refused_in_a_sentence(show, tmp_path):
    (tmp_path / "empty").mkdir()
    for words, complaint in [
        ({"folder": tmp_path / "empty"}, "no images in"),
        ({"folder": tmp_path / "crops" / "broken.jpg"}, "none of the 1 images can be read"),
        ({"folder": tmp_path / "nowhere.jpg"}, "nowhere.jpg"),
    ]:
        code, _, said = show(**words)
        assert (code, complaint in said) == (1, True), said
    code, _, said = show("--parts", "0", tokens="mean")
    assert code == 1
    assert "no class token" in said
    assert not (tmp_path / "pictures").exists()


def test_a_limit_takes_images_evenly_and_says_so(show):
    _, out, _ = show("--limit", "2")
    assert [Path(path).stem for path in out["pictures"]] == ["1-0", "2-3"]
    assert any("5 more images" in note for note in out["notes"])


def bands(images, rng):
    """Background, head, torso and legs: four directions, plus what is each image's own."""
    directions = np.linalg.qr(rng.normal(size=(16, 16)))[0]
    labels = np.zeros((images, 12, 6), dtype=int)
    labels[:, 1:4, 2:4], labels[:, 4:8, 1:5], labels[:, 8:, 2:4] = 1, 2, 3
    scales = np.array([-2.0, 1, 1, 1])[:, None] * directions[4]
    spots = (directions[:4] + scales)[labels]
    own = rng.normal(size=(images, 1, 1, 16))
    features = spots + 2 * own + 0.05 * rng.normal(size=spots.shape)
    features /= np.linalg.norm(features, axis=-1, keepdims=True)
    shape = (images, 0, 1, 12, 6)
    looked = Looked((), np.zeros(shape, dtype=np.float32), features.astype(np.float32))
    return looked, labels


def test_a_part_is_the_same_in_all_images_and_parts_go_from_top_to_bottom():
    looked, labels = bands(5, np.random.default_rng(0))
    parts = find_parts(looked, 3, "component")
    np.testing.assert_array_equal(parts.labels == BACKGROUND, labels == 0)
    np.testing.assert_array_equal(parts.labels[labels > 0], labels[labels > 0] - 1)


def test_more_parts_than_patches_become_fewer():
    looked, _ = bands(1, np.random.default_rng(0))
    same = Looked((), looked.attention, np.ones_like(looked.features))
    assert find_parts(same, 4, "all").count == 1
