"""Vision transformers for re-identification and the checkpoints they come from. Needs torch."""
