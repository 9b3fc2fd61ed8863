"""From engines and data to verdicts: accuracy, speed and the reports that show them."""
