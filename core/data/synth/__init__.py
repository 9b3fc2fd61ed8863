"""Seeded synthetic pedestrians: for checking and demonstrating, never for claims about people."""
