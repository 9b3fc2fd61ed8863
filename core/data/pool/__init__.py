"""Pools of unlabelled crops, millions of them, opened without listing them in memory."""
