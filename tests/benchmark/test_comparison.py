"""Before and after: flips, changed queries, mixed galleries and the pictures' top five."""

from __future__ import annotations

import numpy as np
import pytest

from personvit.benchmark.comparison import (
    RetrievalLabels,
    Split,
    cosine_summary,
    cosines,
    cross_precision,
    flips,
    summary,
    top_matches,
    worst_changed,
)
from personvit.core.errors import DataError


def angles(*degrees: float) -> np.ndarray:
    return np.stack([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], axis=1)


LABELS = RetrievalLabels(
    query_ids=[1, 2],
    gallery_ids=[1, 1, 2, -1, 0, 1],
    query_cams=[1, 1],
    gallery_cams=[2, 1, 2, 2, 2, 3],
)
BEFORE = Split(angles(0, 50), angles(10, 0, 60, 1, 90, 20))
AFTER = Split(angles(0, 50), angles(40, 0, 35, 1, 50, 20))


def test_flips_and_losses_are_those_of_the_scores() -> None:
    runs = cross_precision(BEFORE, AFTER, LABELS)
    assert runs.reference.rank(1) == 1.0
    found = flips(runs.reference, runs.candidate)
    assert found.right_to_wrong == (1,)
    assert found.wrong_to_right == ()
    assert worst_changed(runs.reference, runs.candidate, 5) == (1, 0)
    assert flips(runs.candidate, runs.reference).wrong_to_right == (1,)
    assert worst_changed(runs.candidate, runs.reference, 5) == ()


def test_mixed_runs_use_the_queries_of_one_and_the_gallery_of_the_other() -> None:
    turned = Split(angles(70, 120), BEFORE.gallery)
    runs = cross_precision(BEFORE, turned, LABELS)
    expected = summary(LABELS.evaluate(turned.query, BEFORE.gallery))
    assert summary(runs.candidate_on_reference) == expected
    assert summary(runs.reference_on_candidate) == summary(runs.reference)
    assert set(runs.as_json()) == {
        "reference",
        "candidate",
        "candidate_on_reference",
        "reference_on_candidate",
    }


def test_the_top_answers_leave_junk_out_and_mark_what_is_right() -> None:
    first, second = top_matches(BEFORE, LABELS, [0, 1], k=3)
    assert first.gallery == (0, 5, 2)
    assert first.right == (True, True, False)
    assert second.gallery[0] == 2
    assert second.right[0]


def test_cosines_are_summarised_by_their_low_tail() -> None:
    values = cosines(angles(*range(100)), angles(*[degree + 2 for degree in range(100)]))
    assert values == pytest.approx(np.cos(np.radians(2)))
    found = cosine_summary(np.linspace(0.9, 1.0, 1001))
    assert found.percentiles == {"p0.1": 0.9001, "p1": 0.901, "p5": 0.905, "p50": 0.95}
    assert (found.smallest, found.crops) == (0.9, 1001)


def test_embeddings_that_do_not_pair_up_are_refused() -> None:
    with pytest.raises(DataError, match="same crops"):
        cosines(angles(0, 1), angles(0))
    with pytest.raises(DataError, match="row 1"):
        cosines(angles(0, 1), np.array([[1.0, 0.0], [np.nan, 0.0]]))
