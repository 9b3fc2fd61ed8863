"""Distillation recipes, as TOML files."""
