"""Distillation: a light student that answers as its teacher does."""
