"""Files that are not whole, not weights, or not safe: refused with a sentence, never executed."""

from __future__ import annotations

import argparse
import io
import pickle
import tarfile
import zipfile

import numpy as np
import pytest
import torch

from personvit.core.errors import CheckpointError
from personvit.core.models.pickle_scan import names_in, refused
from personvit.core.models.weights import load_weights


class Bomb:
    """Writes a file when unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("modern", [True, False])
@pytest.mark.parametrize("protocol", [2, 4])
def test_a_malicious_pickle_is_named_and_not_run(official, tmp_path, modern, protocol):
    fuse = tmp_path / "fuse"
    payload = {"model": official.payload("timm"), "args": Bomb(fuse)}
    path = official.save(payload, _use_new_zipfile_serialization=modern, pickle_protocol=protocol)
    with pytest.raises(CheckpointError, match=r"io\.open|_io\.open|builtins\.open") as refusal:
        load_weights(path)
    assert "foreign code" in str(refusal.value)
    assert not fuse.exists()


def test_a_plain_malicious_pickle_is_not_run(tmp_path):
    fuse, path = tmp_path / "fuse", tmp_path / "evil.pth"
    path.write_bytes(pickle.dumps(Bomb(fuse), protocol=2))
    with pytest.raises(CheckpointError, match="foreign code"):
        load_weights(path)
    assert not fuse.exists()


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_names_are_found_in_every_protocol(protocol):
    stream = io.BytesIO(pickle.dumps([argparse.Namespace(a=1), Bomb("x"), "os"], protocol))
    assert [name.split(".")[-1] for name in refused(names_in(stream))][-1] == "open"


def test_a_name_behind_the_memo_is_found():
    """STACK_GLOBAL takes strings that were stored long before."""
    code = b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94h\x00h\x01\x93."
    assert names_in(io.BytesIO(code)) == ("os.system",)


def test_a_computed_name_is_refused():
    code = b"\x80\x04\x8c\x02os\x94N0\x8c\x06system\x94h\x05h\x01\x93."
    assert refused(names_in(io.BytesIO(code)))


def test_settings_and_numpy_numbers_are_welcome(official):
    payload = official.payload("personvit-pretrained")
    payload["args"].extra = {"a": np.float32(1), "b": np.int64(2), "c": np.bool_(True)}
    for modern in (True, False):
        path = official.save(payload, _use_new_zipfile_serialization=modern)
        assert load_weights(path).report.family == "personvit-pretrained"


@pytest.mark.parametrize("kept", [0.3, 0.9, 0.999])
@pytest.mark.parametrize("modern", [True, False])
def test_a_truncated_file_is_refused(official, kept, modern):
    path = official.save(official.payload("timm"), _use_new_zipfile_serialization=modern)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(CheckpointError, match="again"):
        load_weights(path)


@pytest.mark.parametrize("place", ["names", "numbers"])
def test_a_flipped_bit_is_refused(official, place):
    """PyTorch alone would load weights with a damaged number in them."""
    payload = official.payload("timm")
    path = official.save(payload)
    data = bytearray(path.read_bytes())
    wanted = b"pos_embed" if place == "names" else payload["norm.weight"].numpy().tobytes()
    data[data.index(wanted)] ^= 0x01
    path.write_bytes(bytes(data))
    with pytest.raises(CheckpointError, match="checksum"):
        load_weights(path)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "Git LFS pointer"),
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "web page"),
        (b"\x1f\x8b\x08compressed", "archive"),
        (b"just some words", "neither a PyTorch file nor safetensors"),
        (b"\x80\x02garbage", "damaged"),
        (b"PK\x03\x04garbage", "damaged"),
    ],
)
def test_what_is_not_weights_is_called_what_it_is(tmp_path, content, sentence):
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=sentence):
        load_weights(path)


def test_other_archives_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("readme.txt", "weights inside?")
    with pytest.raises(CheckpointError, match=r"readme\.txt"):
        load_weights(tmp_path / "a.zip")
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(tmp_path / "a.zip", "a.zip")
    with pytest.raises(CheckpointError, match="unpack"):
        load_weights(tmp_path / "a.tar")


def test_a_program_is_not_weights(tmp_path):
    with zipfile.ZipFile(tmp_path / "script.pt", "w") as archive:
        for member in ("data.pkl", "constants.pkl", "code/model.py"):
            archive.writestr(f"script/{member}", b"")
    with pytest.raises(CheckpointError, match="TorchScript"):
        load_weights(tmp_path / "script.pt")


def test_a_whole_pickled_model_is_refused(official):
    with pytest.raises(CheckpointError, match=r"torch\.nn\.modules\.linear\.Linear"):
        load_weights(official.save(torch.nn.Linear(2, 2)))


def test_a_table_of_other_things_is_refused(official):
    with pytest.raises(CheckpointError, match="list"):
        load_weights(official.save([1, 2]))
    with pytest.raises(CheckpointError, match="where a tensor belongs"):
        load_weights(official.save({"cls_token": torch.zeros(1), "name": "vit"}))
    with pytest.raises(CheckpointError, match=r"no vision transformer|no known family"):
        load_weights(official.save({"weight": torch.zeros(1)}))


def test_a_missing_file_or_a_folder_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="no weights file"):
        load_weights(tmp_path / "nothing.pth")
    with pytest.raises(CheckpointError, match="not a file"):
        load_weights(tmp_path)
