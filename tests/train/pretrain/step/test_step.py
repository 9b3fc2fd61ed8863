"""A whole step: the published sums, parts that equal the whole, state that is everything."""

import math

import pytest
import torch
from torch.nn.functional import normalize

from personvit.train.means import DivergedError
from personvit.train.pretrain.schedules import Moment

LATER = Moment(5, 10)


def slow_scores(network, images, masks=None):
    """Crop by crop: scores of the class token and of every patch."""
    cls, patches = [], []
    for number in range(len(images)):
        mask = None if masks is None else masks[number : number + 1]
        tokens, layout = network.embed([images[number : number + 1]], mask)
        features = network(tokens, layout, torch.arange(len(tokens)))
        head = network.head
        units = normalize(head.mlp(features), dim=-1)
        cls.append(slow_prototypes(head.last_layer) @ units[0])
        patches.append(units[1:] @ slow_prototypes(head.last_layer2).T)
    return torch.stack(cls), torch.stack(patches)


def slow_prototypes(layer):
    return layer.weight_v / layer.weight_v.norm(dim=1, keepdim=True) * layer.weight_g


def slow_losses(pretrainer, batch, now):
    images = len(batch)
    with torch.no_grad():
        taught, taught_patches = slow_scores(pretrainer.teacher, batch.globals.flatten(0, 1))
    masks = batch.masks.flatten(0, 1)
    said, said_patches = slow_scores(pretrainer.student, batch.globals.flatten(0, 1), masks)
    local, _ = slow_scores(pretrainer.student, batch.locals.flatten(0, 1))
    views = torch.cat([said, local]).unflatten(0, (-1, images))
    centres = pretrainer.centres
    targets = ((taught - centres.cls) / now.temperature).softmax(-1).unflatten(0, (2, images))
    dino = [
        -(targets[q] * (views[v] / 0.1).log_softmax(-1)).sum(-1).mean()
        for q in range(2)
        for v in range(len(views))
        if v != q
    ]
    patch_targets = ((taught_patches - centres.patch) / now.patch_temperature).softmax(-1)
    each = -(patch_targets * (said_patches / 0.1).log_softmax(-1)).sum(-1)
    mim = ((each * masks).sum(-1) / masks.sum(-1).clamp(min=1)).mean()
    return sum(dino) / len(dino), mim, taught.mean(0), taught_patches.mean((0, 1))


@pytest.mark.parametrize("shared", ["true", "false"])
def test_a_step_is_the_published_one(
    small_recipe, small_config, made_batch, made_pretrainer, shared
):
    """Losses, gradients and centres against the sums written out, heads on every token."""
    recipe = small_recipe("optimiser.clip_norm=0", f"head.shared={shared}")
    made = [made_pretrainer(recipe, small_config(drop_path=0.0)) for _ in range(2)]
    batch = made_batch(recipe, 3, made[0].drop_path_slots)
    assert batch.masks.any()
    for pretrainer in made:
        torch.manual_seed(3)
        for name in ("cls", "patch"):
            getattr(pretrainer.centres, name).copy_(torch.randn(40) / 10)
    quick, slow = made
    before = {name: value.clone() for name, value in quick.centres.state().items()}
    dino, mim, cls, patch = slow_losses(slow, batch, slow.schedules.at(LATER))
    (dino + mim).backward()
    dino, mim = dino.detach(), mim.detach()
    losses = quick([batch], LATER)
    assert float(losses.dino) == pytest.approx(float(dino), rel=1e-5)
    assert float(losses.mim) == pytest.approx(float(mim), rel=1e-5)
    assert float(losses.total) == pytest.approx(float(dino + mim), rel=1e-5)
    torch.testing.assert_close(quick.centres.cls, 0.9 * before["cls"] + 0.1 * cls)
    torch.testing.assert_close(quick.centres.patch, 0.9 * before["patch"] + 0.1 * patch)
    expected = dict(slow.student.named_parameters())
    for name, parameter in quick.student.named_parameters():
        torch.testing.assert_close(
            parameter.grad, expected[name].grad, rtol=1e-3, atol=1e-5, msg=name
        )


def test_parts_are_the_whole(small_recipe, made_batch, made_pretrainer):
    recipe = small_recipe()
    whole, parts = made_pretrainer(recipe), made_pretrainer(recipe)
    batch = made_batch(recipe, 4, whole.drop_path_slots)
    halves = [_part(batch, slice(0, 2)), _part(batch, slice(2, 4))]
    for step in range(3):
        one, two = whole([batch], Moment(step, 2)), parts(halves, Moment(step, 2))
        for name in ("total", "dino", "mim", "teacher_entropy", "mean_entropy", "feature_std"):
            assert float(getattr(two, name)) == pytest.approx(float(getattr(one, name)), rel=1e-4)
    _close(parts.state(), whole.state(), 2e-3)


def test_going_on_from_a_state_is_bit_exact(small_recipe, made_batch, made_pretrainer):
    recipe = small_recipe("head.frozen_epochs=1")
    through, first, second = (made_pretrainer(recipe) for _ in range(3))
    batches = [made_batch(recipe, 2, through.drop_path_slots, seed) for seed in range(4)]
    for step, batch in enumerate(batches):
        through([batch], Moment(step, 2))
    for step in (0, 1):
        first([batches[step]], Moment(step, 2))
    kept = first.state()
    first([batches[2]], Moment(2, 2))  # must not reach into what was kept
    second.restore(kept)
    for step in (2, 3):
        second([batches[step]], Moment(step, 2))
    _close(second.state(), through.state(), 0)


def test_dino_is_the_special_case(small_recipe, made_batch, made_pretrainer):
    """Masks that a loader hands out by mistake change nothing, and there is no second loss."""
    recipe = small_recipe()
    batch = made_batch(recipe, 2, made_pretrainer(recipe).drop_path_slots)
    bare = _part(batch, slice(None))
    bare.masks.zero_()
    pretrainers = [made_pretrainer(recipe.with_method("dino")) for _ in range(2)]
    found = [made([given], LATER) for made, given in zip(pretrainers, (batch, bare), strict=True)]
    assert float(found[0].mim) == 0
    assert float(found[0].total) == float(found[1].total) == float(found[0].dino)
    _close(pretrainers[0].state(), pretrainers[1].state(), 0)


def test_the_last_layer_is_frozen_at_first(small_recipe, made_batch, made_pretrainer):
    pretrainer = made_pretrainer(small_recipe("head.frozen_epochs=1"))
    batch = made_batch(pretrainer.recipe, 2, pretrainer.drop_path_slots)
    last = pretrainer.student.head.last_layer.weight_v
    start, first = last.clone(), pretrainer.student.head.mlp[0].weight.clone()
    pretrainer([batch], Moment(1, 2))
    assert torch.equal(last, start)
    assert not torch.equal(pretrainer.student.head.mlp[0].weight, first)
    pretrainer([batch], Moment(2, 2))
    assert not torch.equal(last, start)


def test_biases_and_norms_never_decay(small_recipe, made_pretrainer):
    decaying, spared = made_pretrainer(small_recipe()).optimiser.param_groups
    assert all(value.ndim > 1 for value in decaying["params"])
    assert all(value.ndim == 1 for value in spared["params"])
    assert spared["weight_decay"] == 0


@pytest.mark.parametrize("clip", ["parameter", "global"])
def test_gradients_are_clipped(small_recipe, made_batch, made_pretrainer, clip):
    limit = 1e-3
    pretrainer = made_pretrainer(small_recipe("optimiser.clip_norm=1e-3", f"optimiser.clip={clip}"))
    batch = made_batch(pretrainer.recipe, 2, pretrainer.drop_path_slots)
    assert float(pretrainer([batch], LATER).gradient_norm) > 0.1
    norms = torch.stack([p.grad.norm() for p in pretrainer.student.parameters()])
    assert float(norms.max()) <= limit * 1.001
    together = float(norms.square().sum().sqrt())
    assert (together <= limit * 1.001) == (clip == "global")


@pytest.mark.parametrize("where", ["globals", "locals"])
def test_a_loss_that_is_no_number_stops_the_run_and_leaves_no_trace(
    small_recipe, made_batch, made_pretrainer, where
):
    pretrainer = made_pretrainer(small_recipe())
    batch = made_batch(pretrainer.recipe, 2, pretrainer.drop_path_slots)
    pretrainer([batch], Moment(0, 10))
    before = pretrainer.state()
    getattr(batch, where)[0, 0, 0, 0, 0] = math.nan
    with pytest.raises(DivergedError, match="no numbers at step 2; that step was left out"):
        pretrainer([batch], Moment(1, 10))
    after = pretrainer.state()
    for part in ("student", "centres"):
        _close(after[part], before[part], 0)
    assert all(value.isfinite().all() for value in after["teacher"].values())


def test_checkpointed_activations_change_nothing(small_recipe, made_batch, made_pretrainer):
    recipe = small_recipe()
    plain = made_pretrainer(recipe)
    frugal = made_pretrainer(recipe, activation_checkpointing=True)
    batch = made_batch(recipe, 2, plain.drop_path_slots)
    assert float(plain([batch], LATER).total) == float(frugal([batch], LATER).total)
    _close(frugal.state(), plain.state(), 1e-6)


@pytest.mark.slow
def test_compiled_is_near(small_recipe, made_batch, made_pretrainer):
    recipe = small_recipe()
    plain, compiled = made_pretrainer(recipe), made_pretrainer(recipe, compile=True)
    batch = made_batch(recipe, 2, plain.drop_path_slots)
    one, two = plain([batch], LATER), compiled([batch], LATER)
    assert float(two.total) == pytest.approx(float(one.total), rel=1e-4)
    expected = dict(plain.student.named_parameters())
    for name, parameter in compiled.student.named_parameters():
        torch.testing.assert_close(
            parameter.grad, expected[name].grad, rtol=1e-3, atol=1e-5, msg=name
        )


def test_bfloat16_is_near(small_recipe, made_batch, made_pretrainer):
    recipe = small_recipe()
    plain, half = made_pretrainer(recipe), made_pretrainer(recipe, amp="bf16")
    batch = made_batch(recipe, 4, plain.drop_path_slots)
    one, two = plain([batch], LATER), half([batch], LATER)
    assert float(two.total) == pytest.approx(float(one.total), rel=0.02)
    assert float(two.teacher_entropy) == pytest.approx(float(one.teacher_entropy), rel=0.1)


def test_the_watch_sees_features_that_differ_and_features_that_do_not(
    small_recipe, small_config, made_batch, made_pretrainer
):
    pretrainer = made_pretrainer(small_recipe())
    batch = made_batch(pretrainer.recipe, 4, pretrainer.drop_path_slots)
    lively = pretrainer([batch], LATER)
    assert 0 < float(lively.feature_std) <= 32**-0.5
    assert 0 <= float(lively.teacher_entropy) <= float(lively.mean_entropy) <= math.log(40)
    assert float(lively.kl) == pytest.approx(float(lively.dino - lively.teacher_entropy))
    dead = made_pretrainer(pretrainer.recipe)
    with torch.no_grad():
        dead.teacher.backbone.norm.weight.zero_()
        dead.teacher.backbone.norm.bias.fill_(1.0)
    found = dead([batch], LATER)
    assert float(found.feature_std) < 1e-3
    assert float(found.mean_entropy) == pytest.approx(float(found.teacher_entropy), abs=1e-4)


def test_the_teacher_is_a_model_to_embed_with(small_recipe, made_batch, made_pretrainer):
    pretrainer = made_pretrainer(small_recipe())
    model = pretrainer.teacher_model()
    images = torch.randn(2, 3, 64, 32)
    tokens, layout = pretrainer.teacher.embed([images])
    cls = pretrainer.teacher(tokens, layout, torch.tensor([0, layout[0].tokens]))
    torch.testing.assert_close(model.embed(images), normalize(cls), atol=1e-5, rtol=1e-5)
    with torch.no_grad():
        model.backbone.pos_embed.zero_()
    assert pretrainer.teacher.backbone.pos_embed.abs().sum() > 0


def _part(batch, images):
    parts = (batch.globals, batch.locals, batch.masks, batch.drop_path)
    return type(batch)(*(tensor[:, images].clone() for tensor in parts))


def _close(found, expected, tolerance):
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            _close(found[name], value, tolerance)
    elif isinstance(expected, torch.Tensor):
        torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)
