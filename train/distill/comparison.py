"""The student and its teacher on the same queries and gallery, and one in the other's gallery."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...core.data.base import ReidDataset, Sample, cameras, identities
from ...core.metrics.scores import evaluate
from ...core.models.vit import ReidVit
from ...core.preprocess import Preprocess
from ..crops import Reading, camera_rows
from ..result import Scores
from ..retrieval import embedded
from .result import Comparison
from .teacher import Teacher

Side = tuple[NDArray[np.float32], tuple[Sample, ...]]


def compared(
    student: ReidVit,
    preprocess: Preprocess,
    teacher: Teacher,
    dataset: ReidDataset,
    reading: Reading,
) -> tuple[Comparison, list[str]]:
    """Scores of both, and the crops left out because they cannot be read."""
    bad: list[str] = []

    def both(model: ReidVit, how: Preprocess) -> tuple[Side, Side]:
        known = camera_rows(dataset.train) if model.config.cameras else None
        sides = []
        for samples in (dataset.query, dataset.gallery):
            vectors, seen, left = embedded(model, dataset.root, samples, how, reading, known)
            sides.append((vectors, seen))
            bad.extend(one.reason for one in left)
        return sides[0], sides[1]

    student.eval()
    query, gallery = both(student, preprocess)
    their_query, their_gallery = both(teacher.model, teacher.preprocess)
    shared = student.config.projection == teacher.config.embedding
    across = scored(query, their_gallery) if shared else None
    found = Comparison(scored(query, gallery), scored(their_query, their_gallery), across)
    return found, sorted(set(bad))


def scored(query: Side, gallery: Side) -> Scores:
    (queries, asked), (vectors, held) = query, gallery
    found = evaluate(
        queries, vectors, identities(asked), identities(held), cameras(asked), cameras(held)
    )
    return Scores(
        mean_ap=found.mean_ap,
        rank1=found.rank(1),
        rank5=found.rank(5),
        minp=found.minp,
        queries=found.n_queries,
        skipped_queries=found.n_skipped,
    )
