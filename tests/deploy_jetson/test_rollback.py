"""Going back: with what lies on the device, checked before it serves, or refused in a sentence."""

from __future__ import annotations

import json

import pytest

from personvit.core.errors import EnvironmentMismatch
from personvit.core.files import sha256
from personvit.deploy_jetson import serving as serving_module
from personvit.deploy_jetson.serving import open_serving


def test_rolling_back_twice_leads_back(serving_new, old, new, deploy):
    home = serving_new
    answer = deploy("rollback", "--json")
    assert answer.code == 0, answer.err
    assert (answer.json["slot"], answer.json["left"]) == ("a", "b")
    assert answer.json["bundle"] == sha256(old)
    with open_serving(home) as serving:
        assert serving.facts.bundle == sha256(old)
    answer = deploy("rollback")
    assert "serves from slot b" in answer.out
    with open_serving(home) as serving:
        assert serving.facts.bundle == sha256(new)
    assert [entry["action"] for entry in home.journal.entries(2)] == ["rollback", "rollback"]


@pytest.mark.parametrize("holding", ["nothing", "one"])
def test_where_there_is_no_way_back_it_says_so(home, request, deploy, holding):
    if holding == "one":
        request.getfixturevalue("serving_old")
    answer = deploy("rollback")
    assert answer.code == 3
    assert "nothing serves" in answer.err or "nothing to go back to" in answer.err
    if holding == "one":
        open_serving(home).close()


@pytest.mark.parametrize("name", ["bundle.pvb", "attest.json", "slot.json", "engine"])
def test_a_slot_that_was_changed_is_not_gone_back_to(serving_new, new, deploy, name):
    home = serving_new
    path = home.slot("a").path / name
    path = next(path.rglob("*.blob")) if name == "engine" else path
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-9] + b"different")
    answer = deploy("rollback")
    assert answer.code in (1, 3)
    assert str(path) in answer.err
    with open_serving(home) as serving:
        assert serving.facts.bundle == sha256(new)


def test_what_serves_and_was_tampered_with_is_refused_and_can_be_left(serving_new, old, deploy):
    home = serving_new
    bundle = home.slot("b").bundle
    bundle.write_bytes(bundle.read_bytes().replace(b"new", b"bad"))
    with pytest.raises(EnvironmentMismatch, match=r"changed after .* rollback"):
        open_serving(home)
    assert deploy("rollback").code == 0
    with open_serving(home) as serving:
        assert serving.facts.bundle == sha256(old)


def test_a_file_that_is_missing_is_named(serving_new):
    home = serving_new
    home.slot("b").attest.unlink()
    with pytest.raises(EnvironmentMismatch, match=r"attest\.json is missing"):
        open_serving(home)


def test_a_slot_that_claims_another_bundle_is_refused(serving_new):
    """A record that was edited together with its digests still has to name its bundle."""
    path = serving_new.slot("b").record_path
    record = json.loads(path.read_text())
    record["bundle"] = "0" * 64
    path.write_text(json.dumps(record))
    with pytest.raises(EnvironmentMismatch, match="contradicts itself"):
        open_serving(serving_new)


@pytest.mark.parametrize("engine", ["", ".", "engine", "engine/../../b", "ELSEWHERE"])
def test_a_record_cannot_lead_the_sweep_out_of_the_engines_folder(
    serving_new, deploy, tmp_path, engine
):
    """What an engine that was built anew replaces is removed."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    path = serving_new.slot("a").record_path
    record = json.loads(path.read_text())
    record["engine"] = str(elsewhere) if engine == "ELSEWHERE" else engine
    path.write_text(json.dumps(record))
    answer = deploy("rollback")
    assert answer.code == 1
    assert "is no engine's folder in this slot" in answer.err
    assert elsewhere.is_dir()
    assert serving_new.slot("a").bundle.is_file()
    assert serving_new.slot("b").bundle.is_file()


@pytest.mark.parametrize("inside", ["", "engine"], ids=["slot", "engine"])
def test_nothing_is_removed_behind_a_link(serving_new, deploy, tmp_path, new, inside):
    """A slot, or an engine's folder, that somebody made a link to a folder of theirs."""
    folder = serving_new.slot("a").path / inside
    elsewhere = tmp_path / "elsewhere"
    folder.rename(elsewhere)
    (elsewhere / "theirs").write_text("kept")
    folder.symlink_to(elsewhere)
    for words in (("rollback",), ("install", str(new), "--again")):
        answer = deploy(*words)
        assert answer.code == 1
        assert "is a link, and a slot is a folder of its home" in answer.err
        assert (elsewhere / "theirs").read_text() == "kept"


def test_a_record_with_a_runtime_that_is_not_known_is_a_sentence(serving_new, deploy):
    path = serving_new.slot("a").record_path
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "runtime": "torch"}))
    answer = deploy("rollback")
    assert answer.code == 1
    assert "no runtime 'torch' serves bundles" in answer.err


class TestAnotherRuntime:
    """The runtime under a slot was upgraded: what was built for the old one is built again."""

    @pytest.fixture(autouse=True)
    def upgraded(self, monkeypatch):
        real = serving_module.environment
        monkeypatch.setattr(
            serving_module, "environment", lambda name: {**real(name), "openvino": "another"}
        )

    def test_the_engine_is_built_again_beside_the_old_one_and_recorded(self, serving_new, new):
        home = serving_new
        slot = home.slot("b")
        before = slot.record()
        said = []
        with open_serving(home, said.append) as serving:
            assert serving.facts.engine != before.engine
            assert serving.facts.bundle == sha256(new)
        assert "building the engine of cpu again" in said[0]
        assert slot.record() == serving.facts
        assert slot.contents() == slot.record().files, "the old engine is gone"
        assert home.journal.entries(1)[0]["step"] == "rebuild"
        said.clear()
        open_serving(home, said.append).close()
        assert not said, "once is enough"

    def test_what_a_killed_rebuild_left_is_not_used(self, serving_new, monkeypatch):
        home = serving_new
        slot = home.slot("b")
        folder = serving_module.engine_folder(serving_module.environment("openvino"))
        left = slot.path / folder / "half.blob"
        left.parent.mkdir()
        left.write_bytes(b"half a plan")
        open_serving(home).close()
        assert not left.exists()
        assert slot.contents() == slot.record().files

    def test_where_it_does_not_go_the_slot_stays_as_it_was(self, serving_new, monkeypatch):
        home = serving_new
        slot = home.slot("b")
        before = slot.record()

        def refuse(*given):
            raise EnvironmentMismatch("golden crop 3 drifts")

        with monkeypatch.context() as patched:
            patched.setattr(serving_module, "open_engine", refuse)
            with pytest.raises(EnvironmentMismatch, match="golden crop 3"):
                open_serving(home)
        assert slot.record() == before
        assert not slot.complaint(before)
