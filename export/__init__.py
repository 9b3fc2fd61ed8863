"""From a checkpoint to a verified bundle. Nothing lives here yet: see CHANGELOG.md for what does."""
