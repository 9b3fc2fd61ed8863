"""Data sets of person crops: real layouts, plain folders and synthetic pedestrians."""
