"""The losses, centres and schedules against slow transcriptions of the published equations."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from personvit.train.distributed import World
from personvit.train.pretrain.centre import Centres, Tally
from personvit.train.pretrain.ema import Follower
from personvit.train.pretrain.loss import dino_loss, entropy, mim_loss, patch_weights, sharpened

SEEDS = st.integers(0, 2**32 - 1)


def softmax(row):
    top = max(row)
    powers = [math.exp(value - top) for value in row]
    return [power / sum(powers) for power in powers]


def sharp(row, centre, temperature):
    return softmax([(value - c) / temperature for value, c in zip(row, centre, strict=True)])


def cross_entropy(target, row, temperature):
    shares = softmax([value / temperature for value in row])
    return -sum(p * math.log(q) for p, q in zip(target, shares, strict=True))


@st.composite
def scores(draw):
    random = np.random.default_rng(draw(SEEDS))
    views, images, outputs = (
        draw(st.integers(2, 6)),
        draw(st.integers(1, 4)),
        draw(st.integers(2, 9)),
    )
    return (
        random.uniform(-1, 1, (views, images, outputs)),
        random.uniform(-1, 1, (2, images, outputs)),
        random.uniform(-0.5, 0.5, outputs),
        draw(st.sampled_from([0.04, 0.07, 0.5])),
    )


@settings(max_examples=100, deadline=None)
@given(scores())
def test_equation_4_view_by_view(case):
    student, teacher, centre, temperature = case

    def mean(q, v):
        pairs = zip(teacher[q], student[v], strict=True)
        return np.mean([cross_entropy(sharp(t, centre, temperature), s, 0.1) for t, s in pairs])

    terms = [mean(q, v) for q in range(2) for v in range(len(student)) if v != q]
    assert len(terms) == 2 * len(student) - 2
    targets = sharpened(torch.tensor(teacher), torch.tensor(centre), temperature)
    found = dino_loss(torch.tensor(student), targets, 0.1)
    assert float(found) == pytest.approx(np.mean(terms), rel=1e-9)


@settings(max_examples=100, deadline=None)
@given(SEEDS, st.integers(1, 3), st.integers(1, 6), st.integers(2, 7))
def test_equation_7_patch_by_patch(seed, images, patches, outputs):
    random = np.random.default_rng(seed)
    student = random.uniform(-1, 1, (2, images, patches, outputs))
    teacher = random.uniform(-1, 1, (2, images, patches, outputs))
    centre = random.uniform(-0.5, 0.5, outputs)
    masks = random.random((2, images, patches)) < random.random()
    total = 0.0
    for view in range(2):
        for image in range(images):
            inside = [
                cross_entropy(
                    sharp(teacher[view, image, patch], centre, 0.05),
                    student[view, image, patch],
                    0.1,
                )
                for patch in range(patches)
                if masks[view, image, patch]
            ]
            total += sum(inside) / max(len(inside), 1) / images / 2
    flat = torch.tensor(masks).flatten(0, 1)
    hidden = flat.nonzero()
    rows = hidden[:, 0], hidden[:, 1]
    targets = sharpened(torch.tensor(teacher).flatten(0, 1)[rows], torch.tensor(centre), 0.05)
    weights = patch_weights(flat, hidden[:, 0])
    found = mim_loss(torch.tensor(student).flatten(0, 1)[rows], targets, weights.double(), 0.1)
    assert float(found) == pytest.approx(total, rel=1e-6, abs=1e-12)


@settings(max_examples=50, deadline=None)
@given(SEEDS, st.integers(1, 4), st.integers(2, 6))
def test_centres_follow_the_means_of_the_teachers_scores(seed, steps, outputs):
    random = np.random.default_rng(seed)
    centres = Centres(outputs, 0.9, torch.device("cpu"))
    slow = [0.0] * outputs
    for _ in range(steps):
        rows = random.uniform(-1, 1, (5, outputs))
        for k in range(outputs):
            slow[k] = 0.9 * slow[k] + 0.1 * sum(row[k] for row in rows) / 5
        tally = Tally(outputs, 3, World(torch.device("cpu")))
        sums = torch.tensor(rows).float().sum(dim=0)
        tally.add(images=5, class_scores=sums, patches=10, patch_scores=2 * sums)
        centres.update(tally, torch.tensor(False))
    np.testing.assert_allclose(centres.cls, slow, atol=1e-6)
    np.testing.assert_allclose(centres.patch, slow, atol=1e-6)


def test_a_step_without_patches_or_with_bad_numbers_leaves_its_centres():
    centres = Centres(2, 0.9, torch.device("cpu"))
    tally = Tally(2, 3, World(torch.device("cpu")))
    tally.add(images=1, class_scores=torch.tensor([1.0, 2.0]))
    centres.update(tally, torch.tensor(False))
    assert centres.patch.tolist() == [0, 0]
    before = centres.cls.clone()
    tally.add(class_scores=torch.tensor([math.nan, 2.0]))
    centres.update(tally, torch.tensor(True))
    assert torch.equal(centres.cls, before)


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.sampled_from([0.0, 0.5, 0.996, 1.0]))
def test_equation_3_number_by_number(seed, momentum):
    torch.manual_seed(seed)
    student, teacher = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    slow = []
    for own, other in zip(teacher.parameters(), student.parameters(), strict=True):
        pairs = zip(own.flatten().tolist(), other.flatten().tolist(), strict=True)
        slow.append([momentum * t + (1 - momentum) * s for t, s in pairs])
    Follower(teacher, student).follow(momentum)
    for row, parameter in zip(slow, teacher.parameters(), strict=True):
        np.testing.assert_allclose(parameter.detach().flatten(), row, atol=1e-6)


def test_entropy_of_certainty_and_of_none():
    found = entropy(torch.tensor([[1.0, 0.0, 0.0, 0.0], [0.25] * 4]))
    assert found.tolist() == pytest.approx([0.0, math.log(4)])
