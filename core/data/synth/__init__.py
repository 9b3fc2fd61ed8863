"""Seeded synthetic pedestrians: for checking and demonstrating, never for claims about people."""

from .command import SynthOptions, SynthReport, synth

__all__ = ["SynthOptions", "SynthReport", "synth"]
