"""Pre-training recipe files, as data."""
