"""Addresses on the hub and short names, through the hub's own local cache."""

from __future__ import annotations

import shutil

import pytest
from huggingface_hub import constants

from personvit.core.errors import CheckpointError, EnvironmentMismatch
from personvit.core.files import sha256
from personvit.core.models.hub import fetch, is_remote, parse, short_names
from personvit.core.models.weights import load_weights

COMMIT = "20bc52b77acb97e034fcb526b0fa109bb491306d"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty local cache, and no network behind it."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return tmp_path / "hub"


def place(cache, repository, path, file, branch=None):
    """Put a file where the hub's client would have left it."""
    folder = cache / f"models--{repository.replace('/', '--')}"
    target = folder / "snapshots" / COMMIT / path
    target.parent.mkdir(parents=True)
    shutil.copy(file, target)
    if branch:
        (folder / "refs").mkdir()
        (folder / "refs" / branch).write_text(COMMIT)


def test_the_eight_released_models_have_short_names():
    assert len(short_names()) == 8
    address = short_names()["personvit-base-occ-duke"]
    assert str(address) == (
        "hf://lakeAGI/PersonViTReID/occ_duke.vitb.lup.256x128.wopt.csk.4-8.ar.375.n8.e0260/"
        f"transformer_120.pth@{COMMIT}"
    )
    assert all(address.revision == COMMIT for address in short_names().values())


def test_a_short_name_loads_and_records_where_it_came_from(cache, official):
    file = official.file("personvit-finetuned")
    address = parse("personvit-small-market1501")
    place(cache, address.repository, address.path, file)
    loaded = load_weights("personvit-small-market1501")
    assert loaded.provenance["source"] == str(address)
    assert loaded.provenance["commit"] == COMMIT
    assert loaded.provenance["sha256"] == sha256(file)


def test_a_branch_is_recorded_as_the_commit_it_was(cache, official):
    place(cache, "me/mine", "a/b.pth", official.file("timm"), branch="main")
    loaded = load_weights("hf://me/mine/a/b.pth")
    assert loaded.provenance["source"] == "hf://me/mine/a/b.pth@main"
    assert loaded.provenance["commit"] == COMMIT


def test_without_a_network_the_sentence_says_what_to_download(cache):
    with pytest.raises(EnvironmentMismatch, match=r"transformer_120\.pth of lakeAGI"):
        fetch("personvit-small-duke")


def test_without_the_package_the_sentence_says_what_to_install(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(EnvironmentMismatch, match="install"):
        fetch("personvit-small-duke")


@pytest.mark.parametrize("ref", ["hf://owner", "hf://owner/name", "hf://a//b", "hf://a/b/../c"])
def test_half_an_address_is_refused(ref):
    assert is_remote(ref)
    with pytest.raises(CheckpointError, match="hf://owner/repository"):
        parse(ref)


def test_a_file_wins_over_a_short_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert is_remote("personvit-small-duke")
    (tmp_path / "personvit-small-duke").write_bytes(b"x")
    assert not is_remote("personvit-small-duke")
