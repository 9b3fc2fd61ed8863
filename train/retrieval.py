"""How well a trained model finds people: query and gallery, embedded and ranked."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import numpy as np
import torch
from numpy.typing import NDArray

from ..core.data.base import ReidDataset, Sample, cameras, identities
from ..core.data.crops import BadImages, stream
from ..core.metrics.scores import RetrievalScores, evaluate
from ..core.models.vit import ReidVit
from ..core.preprocess import Preprocess
from .crops import Reading, camera_rows

BATCH = 64


def retrieval(
    model: ReidVit, dataset: ReidDataset, preprocess: Preprocess, reading: Reading
) -> tuple[RetrievalScores, list[str]]:
    """Scores of query against gallery, and the crops left out because they cannot be read."""
    model.eval()
    known = camera_rows(dataset.train) if model.config.cameras else None
    query, query_seen, bad_query = embedded(
        model, dataset.root, dataset.query, preprocess, reading, known
    )
    gallery, gallery_seen, bad_gallery = embedded(
        model, dataset.root, dataset.gallery, preprocess, reading, known
    )
    scores = evaluate(
        query,
        gallery,
        identities(query_seen),
        identities(gallery_seen),
        cameras(query_seen),
        cameras(gallery_seen),
    )
    return scores, [bad.reason for bad in (*bad_query, *bad_gallery)]


def embedded(
    model: ReidVit,
    root: Path,
    samples: Sequence[Sample],
    preprocess: Preprocess,
    reading: Reading,
    known: Mapping[int, int] | None,
) -> tuple[NDArray[np.float32], tuple[Sample, ...], BadImages]:
    crops = stream(root, samples, preprocess, BATCH, reading.workers, skip_bad=reading.skip_bad)
    device = next(model.parameters()).device
    parts = [np.empty((0, model.config.embedding), dtype=np.float32)]
    seen: list[Sample] = []
    with (
        torch.inference_mode(),
        click.progressbar(length=len(samples), label="embedding", file=sys.stderr) as bar,
    ):
        for indices, pixels in crops:
            batch = [samples[index] for index in indices]
            images = torch.from_numpy(preprocess.normalise(pixels)).to(device)
            rows = None
            if known is not None:
                rows = torch.tensor([known[sample.camera] for sample in batch], device=device)
            parts.append(model.embed(images, rows).float().cpu().numpy())
            seen += batch
            bar.update(len(batch))
    return np.concatenate(parts), tuple(seen), crops.bad
