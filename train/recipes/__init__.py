"""Recipe files, as data."""
