"""From a bundle to a device that serves it. Nothing lives here yet."""
