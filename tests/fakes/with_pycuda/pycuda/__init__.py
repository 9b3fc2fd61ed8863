"""A stand-in for pycuda over fake_gpu: the calls that the tree makes, and no others."""

VERSION_TEXT = "2026.1"
