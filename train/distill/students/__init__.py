"""One file per student; each defines STUDENT."""
