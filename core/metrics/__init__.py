"""Retrieval metrics, exact and per query."""
