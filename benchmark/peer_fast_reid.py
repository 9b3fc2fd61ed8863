"""JDAI-CV/fast-reid as a contender, run from its own checkout.

Ranking is its Cython evaluator, which it documents as the fast one; it is compiled in a temporary
folder, as the checkout may be read-only. Re-ranking is `fastreid/evaluation/rerank.py`; its other
form (`compute_jaccard_distance`) needs a CUDA device as called by its evaluator.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from ..core.errors import ConfigError, EnvironmentMismatch
from .contest import Contender, Facts
from .retrieval_case import load_labels

MAX_RANK = 50


def _rank_distances(checkout: Path | None, case: Path) -> Callable[[], Facts]:
    evaluator = _compiled(_inside(checkout, "fastreid/evaluation/rank_cylib"))
    distances, labels = np.load(case / "distances.npy"), load_labels(case)
    query_ids, gallery_ids, query_cams, gallery_cams = labels

    def work() -> Facts:
        cmc, precisions, penalties = evaluator.evaluate_cy(
            distances, query_ids, gallery_ids, query_cams, gallery_cams, MAX_RANK
        )
        return {
            "mean_ap": float(np.mean(precisions, dtype=np.float64)),
            "rank1": float(cmc[0]),
            "minp": float(np.mean(penalties, dtype=np.float64)),
        }

    return work


def _rerank(checkout: Path | None, case: Path) -> Callable[[], Facts]:
    module = module_at(_inside(checkout, "fastreid/evaluation/rerank.py"))
    query, gallery = np.load(case / "query.npy"), np.load(case / "gallery.npy")
    k1, k2, weight = np.load(case / "settings.npy").tolist()

    def work() -> Facts:
        """It squares what it is given, so it gets distances, not squares."""
        every = np.sqrt(squared_distances(query, gallery))
        count = len(query)
        made = module.re_ranking(
            every[:count, count:],
            every[:count, :count],
            every[count:, count:],
            int(k1),
            int(k2),
            weight,
        )
        np.save(case / "fast-reid-reranked.npy", made.astype(np.float32))
        return {}

    return work


def squared_distances(
    query: NDArray[np.float32], gallery: NDArray[np.float32]
) -> NDArray[np.float32]:
    """All against all, between unit vectors, in float32: what a peer's caller computes for it."""
    vectors = np.concatenate([query, gallery])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    distances: NDArray[np.float32] = vectors @ vectors.T
    distances *= -2
    distances += 2
    np.maximum(distances, 0, out=distances)
    np.fill_diagonal(distances, 0)
    return distances


def module_at(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.name.split(".")[0], path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{path}: this is not a Python module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _inside(checkout: Path | None, name: str) -> Path:
    if checkout is None or not (checkout / name).exists():
        raise ConfigError(f"{checkout}: there is no {name} here; give a checkout of fast-reid")
    return checkout / name


def _compiled(sources: Path) -> ModuleType:
    missing = [name for name in ("Cython", "setuptools") if importlib.util.find_spec(name) is None]
    if missing:
        raise EnvironmentMismatch(
            f"{', '.join(missing)} missing, to compile fast-reid's evaluator; "
            "pip install cython setuptools"
        )
    with tempfile.TemporaryDirectory() as folder:
        build = Path(folder) / "rank_cylib"
        shutil.copytree(sources, build)
        subprocess.run(
            [sys.executable, "setup.py", "build_ext", "--inplace"],
            cwd=build,
            check=True,
            capture_output=True,
        )
        return module_at(next(build.glob("rank_cy.*.so")))


CONTENDER = Contender(
    "fast-reid",
    "fast-reid (Cython ranking, numpy re-ranking)",
    {"rank-distances": _rank_distances, "rerank": _rerank},
)
