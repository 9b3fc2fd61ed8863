"""From a model or a bundle to embeddings: one runtime per module behind one protocol."""
