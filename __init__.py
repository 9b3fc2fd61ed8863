"""PersonViT-Edge: person re-identification transformers, from raw crops to a proven edge engine."""

__version__ = "0.1.0"
