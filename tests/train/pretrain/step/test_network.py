"""Packed crops are the crops one by one; positions of local crops are stretched rightly."""

import pytest
import torch
from torch.nn.functional import interpolate

from personvit.core.models.backbone import Backbone
from personvit.train.drop_path import Choices
from personvit.train.pretrain.network import PretrainNetwork
from personvit.train.pretrain.packing import class_rows, pack, patch_rows, per_token


@pytest.fixture(scope="module")
def network(small_config, small_recipe):
    torch.manual_seed(0)
    return PretrainNetwork(small_config(), small_recipe(), masked=True)


def test_rows_of_tokens_in_a_pack():
    parts = [torch.zeros(2, 3, 1), torch.zeros(3, 2, 1)]
    packed, layout = pack(parts)
    assert packed.shape == (12, 1)
    assert class_rows(layout, packed.device).tolist() == [0, 3, 6, 8, 10]
    assert patch_rows(torch.tensor([[0, 1], [1, 0]]), layout).tolist() == [2, 4]
    of_crops = per_token(torch.arange(5.0)[:, None], layout)[:, 0]
    assert of_crops.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 4, 4]


def test_a_whole_crop_is_what_the_backbone_makes_of_it(network):
    images = torch.randn(2, 3, 64, 32)
    tokens, layout = network.embed([images])
    found = network(tokens, layout, torch.arange(len(tokens)))
    whole = network.backbone.eval()(images)
    torch.testing.assert_close(found.view_as(whole), whole, atol=1e-5, rtol=1e-5)


def test_crops_of_two_sizes_do_not_touch_each_other(network):
    wide, small = torch.randn(2, 3, 64, 32), torch.randn(3, 3, 32, 16)
    together, layout = network.embed([wide, small])
    found = network(together, layout, class_rows(layout, together.device))
    alone = []
    for crop in [*wide.split(1), *small.split(1)]:
        tokens, own = network.embed([crop])
        alone.append(network(tokens, own, torch.tensor([0])))
    torch.testing.assert_close(found, torch.cat(alone), atol=1e-5, rtol=1e-5)


def test_only_the_rows_that_are_asked_for(network):
    tokens, layout = network.embed([torch.randn(2, 3, 64, 32)])
    every = network(tokens, layout, torch.arange(len(tokens)))
    some = torch.tensor([0, 5, 9])
    torch.testing.assert_close(network(tokens, layout, some), every[some], atol=1e-6, rtol=1e-5)


def test_a_masked_patch_is_the_mask_token_at_its_place(network):
    images, masks = torch.randn(1, 3, 64, 32), torch.zeros(1, 8, dtype=torch.bool)
    masks[0, 3] = True
    with torch.no_grad():
        network.backbone.masked_embed.fill_(0.5)
        hidden, _ = network.embed([images], masks)
        seen, _ = network.embed([images])
    expected = network.backbone.masked_embed[0] + network.backbone.pos_embed[0, 4]
    torch.testing.assert_close(hidden[4], expected)
    changed = (hidden != seen).any(dim=1)
    assert changed.nonzero().flatten().tolist() == [4]


def test_positions_are_raw_at_the_full_size_and_bicubic_below(network):
    blank = torch.zeros(1, 3, 64, 32)
    positions = network.backbone.pos_embed
    start = torch.cat([network.backbone.cls_token, _stem_of_nothing(network, 8)], dim=1)
    torch.testing.assert_close(network.embed([blank])[0], (start + positions)[0])
    grid = positions[:, 1:].reshape(1, 4, 2, -1).permute(0, 3, 1, 2)
    small = interpolate(grid, size=(2, 1), mode="bicubic", align_corners=False)
    small = torch.cat([positions[:, :1], small.flatten(2).transpose(1, 2)], dim=1)
    start = torch.cat([network.backbone.cls_token, _stem_of_nothing(network, 2)], dim=1)
    torch.testing.assert_close(network.embed([blank[:, :, :32, :16]])[0], (start + small)[0])


def test_positions_that_rise_down_the_body_do_so_in_a_local_crop(small_config, small_recipe):
    """Rows and columns must not be mixed up: 4 rows of 2 columns become 2 rows of 1."""
    network = PretrainNetwork(small_config(), small_recipe(), masked=True)
    with torch.no_grad():
        network.backbone.patch_embed.proj.bias.zero_()
        rows = torch.arange(4.0).repeat_interleave(2)
        network.backbone.pos_embed[0, 1:] = rows[:, None]
        tokens, _ = network.embed([torch.zeros(1, 3, 32, 16)])
    assert tokens[1:, 0].tolist() == pytest.approx([0.5, 2.5], abs=0.2)


def test_branches_are_dropped_as_the_fine_tuning_drops_them(small_config, small_recipe):
    torch.manual_seed(1)
    config = small_config(drop_path=0.6)
    network = PretrainNetwork(config, small_recipe(), masked=True)
    plain = Backbone(config)
    plain.load_state_dict(
        {k: v for k, v in network.backbone.state_dict().items() if k != "masked_embed"}
    )
    choices = Choices(plain)
    assert choices.slots == network.slots == 4  # two branches in two of three blocks
    images, numbers = torch.randn(6, 3, 64, 32), torch.rand(6, 4)
    choices.set(numbers)
    tokens, layout = network.embed([images])
    found = network(tokens, layout, torch.arange(len(tokens)), numbers)
    expected = plain.train()(images)
    torch.testing.assert_close(found.view_as(expected), expected, atol=1e-5, rtol=1e-5)


def _stem_of_nothing(network, patches):
    return network.backbone.patch_embed.proj.bias.expand(1, patches, -1)
