"""Weights of a run that is not at its end yet, made of its checkpoints."""

import os

import pytest
import torch
from safetensors.torch import load_file

from personvit.core.errors import CheckpointError
from personvit.core.models.native import load_native
from personvit.core.models.weights import load_weights
from personvit.train.finetune import finetune
from personvit.train.import_checkpoint import ImportOptions, import_checkpoint
from personvit.train.pretrain.pretrain import pretrain


@pytest.fixture
def finished(pretrain_options):
    """The folder of a run of four epochs, with a checkpoint of each."""
    asked = pretrain_options(save_every_steps=3, keep=9)
    pretrain(asked)
    return asked.out


def checkpoint(run, step):
    return run / "checkpoints" / f"step-{step:09d}.pt"


def changed(path, change):
    payload = torch.load(path, weights_only=True)
    change(payload)
    torch.save(payload, path)
    return path


def test_the_last_checkpoint_becomes_the_file_of_the_end_byte_for_byte(finished, tmp_path):
    out = tmp_path / "last.safetensors"
    shown = import_checkpoint(ImportOptions(str(checkpoint(finished, 12)), out)).as_text()
    assert out.read_bytes() == (finished / "model.safetensors").read_bytes()
    assert "used in pre-training only" in shown


def test_one_from_between_is_another_teacher_and_says_of_which_epoch(finished, shell, tmp_path):
    out = tmp_path / "between.safetensors"
    assert shell(["import", str(checkpoint(finished, 6)), str(out)])[0] == 0
    between, end = load_native(out), load_native(finished / "model.safetensors")
    told = between.provenance
    assert (told["epochs"], told["steps"]) == ("2 of 4", "6")
    assert (end.provenance["epochs"], end.provenance["steps"]) == ("4 of 4", "12")
    assert between.preprocess == end.preprocess
    saved = torch.load(checkpoint(finished, 6), weights_only=True)["trainer"]["teacher"]
    tensors, last = load_file(out), load_file(finished / "model.safetensors")
    assert all(torch.equal(value, saved[name]) for name, value in tensors.items())
    assert any(not torch.equal(value, last[name]) for name, value in tensors.items())


def test_the_students_half_and_another_size_are_to_be_had_too(finished, tmp_path):
    out = tmp_path / "student.safetensors"
    asked = ImportOptions(str(checkpoint(finished, 6)), out, branch="student", size="96x32")
    import_checkpoint(asked)
    native = load_native(out)
    assert (native.config.height_px, native.preprocess.height) == (96, 96)
    assert native.provenance["branch"] == "student"
    saved = torch.load(checkpoint(finished, 6), weights_only=True)["trainer"]["student"]
    name = "backbone.norm.weight"
    assert torch.equal(native.model.state_dict()[name], saved[name])


class Harm:
    def __reduce__(self):
        return os.mkdir, ("harm",)


X = torch.zeros(1)
BAD = [
    (lambda payload: payload.update(probes=[Harm()]), "would run foreign code"),
    (lambda payload: payload.pop("described"), "before checkpoints said"),
    (lambda payload: payload["described"].pop("config"), "no checkpoint that can be used"),
    (lambda payload: payload["described"]["config"].update(width="wide"), "can be used"),
    (lambda payload: payload["described"]["config"].update(depth=-1), "can be used"),
    (lambda payload: payload["described"]["config"].update(heads=0), "can be used"),
    (lambda payload: payload["described"]["config"].update(width=10**12), "can be used"),
    (lambda payload: payload["trainer"].update(teacher=None), "can be used"),
    (lambda payload: payload["trainer"].update(teacher={"backbone.x": "y"}), "can be used"),
    (lambda payload: payload["trainer"]["teacher"].pop("backbone.norm.bias"), "norm.bias"),
    (lambda payload: payload["trainer"]["teacher"].update({"backbone.x": X}), "backbone.x"),
]


def test_what_is_no_checkpoint_of_ours_is_refused(finished, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "out.safetensors"
    whole = checkpoint(finished, 6).read_bytes()
    for change, sentence in BAD:
        checkpoint(finished, 6).write_bytes(whole)
        path = changed(checkpoint(finished, 6), change)
        with pytest.raises(CheckpointError, match=sentence):
            import_checkpoint(ImportOptions(str(path), out))
    assert not out.exists()
    assert not (tmp_path / "harm").exists()


def test_flipped_bits_and_missing_ends_are_noticed(finished):
    path = checkpoint(finished, 6)
    whole = path.read_bytes()
    for place in (0.3, 0.6, 0.9):
        content = bytearray(whole)
        content[int(place * len(content))] ^= 1
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match="damaged"):
            load_weights(path)
    path.write_bytes(whole[:-200])
    with pytest.raises(CheckpointError, match="cut short"):
        load_weights(path)


def test_a_fine_tuning_checkpoint_is_called_what_it_is(options):
    asked = options(evaluate=False, set=("schedule.epochs=1",))
    finetune(asked)
    path = max((asked.out / "checkpoints").glob("*.pt"))
    with pytest.raises(CheckpointError, match=r"fine-tuning or distillation.*model\.safetensors"):
        load_weights(path)
