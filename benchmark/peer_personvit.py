"""The official PersonViT re-ranking as a contender, run from its own checkout.

Its distance code calls an overload that current PyTorch no longer has, so the module is given the
matrix (its `local_distmat`), made in float32 inside the timed part.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..core.errors import ConfigError
from .contest import Contender, Facts
from .peer_fast_reid import module_at, squared_distances


def _rerank(checkout: Path | None, case: Path) -> Callable[[], Facts]:
    name = "transreid_pytorch/utils/reranking.py"
    if checkout is None or not (checkout / name).is_file():
        raise ConfigError(f"{checkout}: there is no {name} here; give a checkout of PersonViT")
    module = module_at(checkout / name)
    query, gallery = np.load(case / "query.npy"), np.load(case / "gallery.npy")
    k1, k2, weight = np.load(case / "settings.npy").tolist()

    def work() -> Facts:
        import torch

        every = squared_distances(query, gallery)
        made = module.re_ranking(
            torch.from_numpy(query),
            torch.from_numpy(gallery),
            int(k1),
            int(k2),
            weight,
            local_distmat=every,
            only_local=True,
        )
        np.save(case / "personvit-reranked.npy", made.astype(np.float32))
        return {}

    return work


CONTENDER = Contender("personvit", "PersonViT's reranking.py (float16)", {"rerank": _rerank})
