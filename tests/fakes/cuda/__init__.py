"""A stand-in for cuda-python over fake_gpu: the calls that the tree makes, and no others."""
