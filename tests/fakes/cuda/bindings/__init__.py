"""The version that the stand-in follows; tests compare its names with the real package."""

__version__ = "13.0.0"
