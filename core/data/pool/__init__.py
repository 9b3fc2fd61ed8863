"""Pools of unlabelled crops, millions of them, opened without listing them in memory."""

from .catalogue import Pool, open_pool

__all__ = ["Pool", "open_pool"]
