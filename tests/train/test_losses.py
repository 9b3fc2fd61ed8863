"""The losses against slow transcriptions of their definitions."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from personvit.train.losses import (
    batch_hard_triplet,
    contrastive_loss,
    identity_loss,
    pairwise_distances,
)


def distance(a, b):
    return math.sqrt(max(sum((x - y) ** 2 for x, y in zip(a, b, strict=True)), 1e-12))


def slow_triplet(features, labels, margin):
    total = 0.0
    for anchor, label in zip(features, labels, strict=True):
        fellows = [
            distance(anchor, other)
            for other, its in zip(features, labels, strict=True)
            if its == label
        ]
        strangers = [
            distance(anchor, other)
            for other, its in zip(features, labels, strict=True)
            if its != label
        ]
        gap = max(fellows) - min(strangers)
        total += math.log1p(math.exp(gap)) if margin is None else max(gap + margin, 0.0)
    return total / len(labels)


@st.composite
def batches(draw):
    people, crops = draw(st.integers(2, 5)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    features = rng.normal(size=(people * crops, draw(st.integers(1, 6)))) * draw(
        st.sampled_from([0.1, 1.0, 5.0])
    )
    if draw(st.booleans()):
        features = np.round(features)  # ties and coinciding crops
    return features, rng.permutation(np.repeat(np.arange(people), crops))


@settings(max_examples=200, deadline=None)
@given(batches(), st.sampled_from([None, 0.0, 0.3]))
def test_the_triplet_loss_is_the_slow_one(batch, margin):
    features, labels = batch
    found = batch_hard_triplet(torch.tensor(features), torch.tensor(labels), margin)
    assert float(found) == pytest.approx(slow_triplet(features, labels, margin), abs=1e-6)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.1]))
def test_the_identity_loss_is_the_slow_one(seed, smoothing):
    rng = np.random.default_rng(seed)
    logits, labels = rng.normal(size=(5, 4)), rng.integers(0, 4, size=5)
    total = 0.0
    for row, label in zip(logits, labels, strict=True):
        log_sum = math.log(sum(math.exp(value) for value in row))
        wanted = [smoothing / 4 + (1 - smoothing) * (place == label) for place in range(4)]
        total -= sum(weight * (value - log_sum) for weight, value in zip(wanted, row, strict=True))
    found = identity_loss(torch.tensor(logits), torch.tensor(labels), smoothing)
    assert float(found) == pytest.approx(total / 5)


@settings(max_examples=100, deadline=None)
@given(batches(), st.sampled_from([0.1, 0.3, 1.0]))
def test_the_contrastive_loss_is_the_slow_one(batch, temperature):
    features, labels = batch
    features = features + 1e-3
    units = features / np.linalg.norm(features, axis=1, keepdims=True)
    total = 0.0
    for anchor, label in enumerate(labels):
        others = [other for other in range(len(labels)) if other != anchor]
        scores = {other: float(units[anchor] @ units[other]) / temperature for other in others}
        log_sum = math.log(sum(math.exp(score) for score in scores.values()))
        fellows = [other for other in others if labels[other] == label]
        if fellows:
            total -= sum(scores[other] - log_sum for other in fellows) / len(fellows)
    found = contrastive_loss(torch.tensor(features), torch.tensor(labels), temperature)
    assert float(found) == pytest.approx(total / len(labels), abs=1e-6)


def test_crops_that_coincide_give_no_nan_gradient():
    features = torch.zeros(4, 3, requires_grad=True)
    batch_hard_triplet(features, torch.tensor([0, 0, 1, 1])).backward()
    assert torch.isfinite(features.grad).all()
    assert torch.isfinite(pairwise_distances(features)).all()
