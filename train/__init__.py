"""From crops to a checkpoint: fine-tuning, pre-training and distillation."""
