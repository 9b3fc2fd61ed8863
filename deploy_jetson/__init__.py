"""From a bundle to a device that serves it."""
