"""Finds the metrics: every module of this package that lists `METRICS`."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from pathlib import Path

from .base import RetrievalMetric


@cache
def metrics() -> tuple[RetrievalMetric, ...]:
    found: list[RetrievalMetric] = []
    for module in sorted(info.name for info in pkgutil.iter_modules([str(Path(__file__).parent)])):
        if module != "catalogue":
            found.extend(getattr(import_module(f"{__package__}.{module}"), "METRICS", ()))
    return tuple(sorted(found, key=lambda metric: metric.place))
