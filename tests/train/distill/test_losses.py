"""Every lesson against a slow transcription of its formula in docs/distill.md."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from personvit.train.distill import losses

SEEDS = st.integers(0, 2**31 - 1)
TEMPERATURES = st.floats(0.05, 8.0)


def draw(seed, *shapes):
    rng = np.random.default_rng(seed)
    return [torch.tensor(rng.normal(size=shape), dtype=torch.float64) for shape in shapes]


def cosine(a, b):
    dot = sum(float(x) * float(y) for x, y in zip(a, b, strict=True))
    lengths = [math.sqrt(sum(float(x) ** 2 for x in one)) for one in (a, b)]
    return dot / (lengths[0] * lengths[1])


def softened(values, temperature):
    exps = [math.exp((value - max(values)) / temperature) for value in values]
    return [one / sum(exps) for one in exps]


def divergence(theirs, ours):
    return sum(p * (math.log(p) - math.log(q)) for p, q in zip(theirs, ours, strict=True) if p)


def rows(queries, gallery):
    count = len(queries)
    return [[cosine(queries[i], gallery[j]) for j in range(count) if j != i] for i in range(count)]


@given(SEEDS, st.integers(3, 7), TEMPERATURES)
def test_relational_kl(seed, count, temperature):
    ours, theirs = draw(seed, (count, 4), (count, 6))
    slow = np.mean(
        [
            divergence(softened(b, temperature), softened(a, temperature))
            for a, b in zip(rows(ours, ours), rows(theirs, theirs), strict=True)
        ]
    )
    assert float(losses.relation_kl(ours, theirs, temperature)) == pytest.approx(slow, abs=1e-9)


@given(SEEDS, st.integers(3, 7))
def test_relational_mse(seed, count):
    ours, theirs = draw(seed, (count, 4), (count, 6))
    slow = np.mean((np.array(rows(ours, ours)) - np.array(rows(theirs, theirs))) ** 2)
    assert float(losses.relation_mse(ours, theirs)) == pytest.approx(slow, abs=1e-12)


@given(SEEDS, st.integers(3, 7), TEMPERATURES)
def test_students_queries_in_the_teachers_gallery(seed, count, temperature):
    ours, theirs = draw(seed, (count, 5), (count, 5))
    slow = np.mean(
        [
            divergence(softened(b, temperature), softened(a, temperature))
            for a, b in zip(rows(ours, theirs), rows(theirs, theirs), strict=True)
        ]
    )
    assert float(losses.cross_kl(ours, theirs, temperature)) == pytest.approx(slow, abs=1e-9)


@given(SEEDS, st.integers(1, 5), TEMPERATURES)
def test_identity_logits(seed, count, temperature):
    ours, theirs = draw(seed, (count, 9), (count, 9))
    slow = temperature**2 * np.mean(
        [
            divergence(softened(b.tolist(), temperature), softened(a.tolist(), temperature))
            for a, b in zip(ours, theirs, strict=True)
        ]
    )
    assert float(losses.logits_kl(ours, theirs, temperature)) == pytest.approx(slow, abs=1e-9)


@given(SEEDS, st.integers(1, 5))
def test_direct_embedding_by_either_measure(seed, count):
    ours, theirs = draw(seed, (count, 6), (count, 6))
    by_cosine = np.mean([1 - cosine(a, b) for a, b in zip(ours, theirs, strict=True)])
    by_square = np.mean(
        [
            (float(x) - float(y)) ** 2
            for a, b in zip(ours, theirs, strict=True)
            for x, y in zip(a, b, strict=True)
        ]
    )
    assert float(losses.direct(ours, theirs, "cosine")) == pytest.approx(by_cosine, abs=1e-9)
    assert float(losses.direct(ours, theirs, "mse")) == pytest.approx(by_square, abs=1e-9)


@given(SEEDS, st.integers(3, 17), st.integers(1, 4))
def test_stripes_average_the_rows_they_touch(seed, count, columns):
    (grid,) = draw(seed, (2, 3, count, columns))
    found = losses.stripes(grid, 3)
    for stripe in range(3):
        first, last = stripe * count // 3, -(-(stripe + 1) * count // 3)
        slow = grid[:, :, first:last].mean(dim=(2, 3))
        torch.testing.assert_close(found[:, stripe], slow)


def test_a_map_shrinks_by_averages_and_keeps_its_own_size():
    (grid,) = draw(0, (2, 3, 8, 4))
    assert losses.resampled(grid, (8, 4)) is grid
    flat = torch.full((1, 1, 8, 4), 3.0)
    assert torch.allclose(losses.resampled(flat, (4, 2)), torch.tensor(3.0))
    peak = torch.zeros(1, 1, 8, 8)
    peak[0, 0, 3, 3] = 1
    shrunk = losses.resampled(peak, (2, 2))
    assert float(shrunk.min()) >= 0
    assert 0.04 < float(shrunk.sum()) < 0.1, "no pixel may be skipped"


@pytest.mark.parametrize("name", ["relation_kl", "relation_mse", "cross_kl", "direct"])
def test_equal_answers_cost_nothing_and_others_pull_towards_the_teacher(name):
    ours, theirs = (one.float() for one in draw(1, (6, 5), (6, 5)))
    more = {"relation_kl": (0.1,), "cross_kl": (0.1,), "direct": ("cosine",)}.get(name, ())
    loss = getattr(losses, name)
    assert float(loss(theirs, theirs, *more)) == pytest.approx(0, abs=1e-6)
    moving = ours.clone().requires_grad_(True)
    optimiser = torch.optim.Adam([moving], lr=0.05)
    before = float(loss(ours, theirs, *more))
    for _ in range(60):
        optimiser.zero_grad()
        loss(moving, theirs, *more).backward()
        optimiser.step()
    assert float(loss(moving.detach(), theirs, *more)) < 0.2 * before
