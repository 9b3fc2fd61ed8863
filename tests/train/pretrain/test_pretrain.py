"""Pre-training as a user meets it: what it writes, refuses, and what later commands make of it."""

import json
import shutil
from argparse import Namespace
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from personvit.core.errors import ConfigError, DataError, PersonvitError
from personvit.core.models.native import load_native
from personvit.core.models.weights import load_weights
from personvit.train.finetune import finetune
from personvit.train.means import DivergedError
from personvit.train.pretrain.pretrain import pretrain


def test_a_run_writes_a_teacher_the_published_pair_and_a_result(pretrain_options, people):
    asked = pretrain_options(probe=people, linear_probe=True)
    result = pretrain(asked)
    native = load_native(asked.out / "model.safetensors")
    assert (native.config.height_px, native.preprocess.height) == (64, 64)
    assert native.config.neck == "none"
    written = json.loads((asked.out / "result.json").read_text())
    assert written == json.loads(json.dumps(result.as_json()))
    assert result.steps == 12
    # Before the first step and after every epoch.
    assert [probed.step for probed in result.probes] == [0, 3, 6, 9, 12]
    assert all(0 < probed.linear.mean_ap <= 1 for probed in result.probes)
    lines = [json.loads(line) for line in (asked.out / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "loss" in line] == list(range(1, 13))
    assert [line["probe_map"] for line in lines if "probe_map" in line] == [
        probed.neighbours.mean_ap for probed in result.probes
    ]
    assert "probe" in result.as_text()


def test_the_published_layout_is_taken_by_the_strict_loader_as_the_same_network(pretrain_options):
    asked = pretrain_options()
    pretrain(asked)
    loaded = load_weights(str(asked.out / "pretrained.pth"))
    assert loaded.report.family == "personvit-pretrained"
    ours = load_file(asked.out / "model.safetensors")
    theirs = loaded.model.state_dict()
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        assert torch.equal(theirs[name], value), name


def test_every_published_name_is_there_and_the_student_is_behind_ddp(pretrain_options):
    asked = pretrain_options()
    pretrain(asked)
    with torch.serialization.safe_globals([Namespace]):  # all that a reader has to allow
        content = torch.load(asked.out / "pretrained.pth", weights_only=True)
    teacher, student = content["teacher"], content["student"]
    head = [f"head.mlp.{number}.{kind}" for number in (0, 2, 4) for kind in ("weight", "bias")]
    head += [f"head.last_layer{n}.weight_{kind}" for n in ("", "2") for kind in "gv"]
    assert {name for name in teacher if name.startswith("head.")} == set(head)
    ours = load_file(asked.out / "model.safetensors")
    assert {name for name in teacher if not name.startswith("head.")} == set(ours)
    assert set(student) == {f"module.{name}" for name in teacher} | {"module.backbone.masked_embed"}
    assert content["ibot_loss"]["center"].shape == (1, 32)
    assert content["ibot_loss"]["center2"].shape == (1, 1, 32)
    assert content["epoch"] == 4
    assert content["args"].out_dim == 32


def test_fine_tuning_goes_on_from_the_teacher(pretrain_options, options, tmp_path):
    asked = pretrain_options(set=("schedule.epochs=1",), out=tmp_path / "first")
    pretrain(asked)
    sizes = ("input.height=64", "input.width=32", "schedule.epochs=1")
    tuned = options(weights=str(asked.out / "model.safetensors"), set=sizes)
    assert finetune(tuned).scores is not None


def test_it_starts_from_given_weights(pretrain_options, tmp_path):
    first = pretrain_options(out=tmp_path / "first", set=("schedule.epochs=1",))
    pretrain(first)
    weights = str(first.out / "model.safetensors")
    # A rate of nothing: the teacher stays what it started from.
    still = ("schedule.epochs=1", "optimiser.lr=1e-30", "optimiser.lr_floor=0")
    more = pretrain_options(out=tmp_path / "more", init=weights, set=still, seed=7)
    pretrain(more)
    before, after = load_file(weights), load_file(more.out / "model.safetensors")
    for name, value in before.items():
        torch.testing.assert_close(after[name], value, msg=name)


def test_a_scaled_start_is_what_new_writes(pretrain_options, shell, tmp_path):
    path = tmp_path / "start.safetensors"
    words = ["new", "vit_nano_16", "--size", "64x32", "--seed", "3", "-o", str(path)]
    assert shell(words)[0] == 0
    still = ("schedule.epochs=1", "optimiser.lr=1e-30", "optimiser.lr_floor=0")
    asked = pretrain_options(set=(*still, "model.start=scaled"), seed=3)
    pretrain(asked)
    after = load_file(asked.out / "model.safetensors")
    for name, value in load_file(path).items():
        if name.startswith("backbone."):
            torch.testing.assert_close(after[name], value, msg=name)


def test_dino_masks_nothing(pretrain_options):
    result = pretrain(pretrain_options(method="dino", set=("schedule.epochs=1",)))
    assert result.method == "dino"
    assert result.losses["masked"] == 0
    assert result.losses["mim"] == 0


def test_parts_workers_and_recomputation_change_nothing_but_rounding(pretrain_options, tmp_path):
    short = ("schedule.epochs=2",)
    plain = pretrain_options(out=tmp_path / "plain", set=short)
    other = pretrain_options(
        out=tmp_path / "other", set=short, workers=3, accumulate=4, activation_checkpointing=True
    )
    pretrain(plain)
    pretrain(other)
    one, two = (load_file(asked.out / "model.safetensors") for asked in (plain, other))
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=1e-4, atol=2e-5, msg=name)


def test_a_finished_run_is_not_repeated(pretrain_options, people, capsys):
    short = ("schedule.epochs=1",)
    result = pretrain(pretrain_options(set=short, probe=people))
    assert pretrain(pretrain_options(set=short, probe=people, resume=True)) == result
    assert "finished already" in capsys.readouterr().err


def test_bad_images_are_replaced_counted_and_named(pretrain_options, crops, tmp_path):
    pool = shutil.copytree(crops, tmp_path / "pool")
    (pool / "005.jpg").write_bytes(b"no image")
    result = pretrain(pretrain_options(pool=pool, max_bad_share=0.5, set=("schedule.epochs=1",)))
    assert result.bad_images == 1
    assert "005.jpg" in result.bad[0]
    strict = pretrain_options(pool=pool, max_bad_share=0.0, out=tmp_path / "strict")
    with pytest.raises(DataError, match="bad"):
        pretrain(strict)


def test_numbers_that_are_none_end_the_run_and_keep_the_last_good_checkpoint(pretrain_options):
    asked = pretrain_options(set=("optimiser.lr=1e30",), save_every_steps=1)
    with pytest.raises(DivergedError, match=r"step .* Lower optimiser\.lr.*are from before"):
        pretrain(asked)
    assert not (asked.out / "model.safetensors").exists()
    last = max((asked.out / "checkpoints").glob("*.pt"))
    kept = torch.load(last, weights_only=True)["trainer"]["student"]
    assert all(value.isfinite().all() for value in kept.values())


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"out": None}, "say where the run goes"),
        ({"resume": True}, "nothing to resume"),
        ({"amp": "fp16"}, "fp16 needs a GPU"),
        ({"recipe": "personvit-smal"}, "did you mean personvit-small"),
        ({"set": ("views.local_cont=3",)}, "did you mean views.local_count"),
        ({"set": ("input.height=40",)}, "multiples of 16"),
        (
            {"set": ("masks.shape=block", "masks.ratio=[0.1]", "masks.variance=[0]")},
            "cannot be met",
        ),
        ({"set": ("batch.size=48",)}, "less than one batch"),
        ({"accumulate": 3}, "8 does not divide into 3 parts"),
        ({"init": "vit_giant"}, "vit_giant"),
        ({"linear_probe": True}, "which labelled data set"),
    ],
)
def test_mistakes_are_explained(pretrain_options, changes, sentence):
    with pytest.raises(PersonvitError, match=sentence):
        pretrain(pretrain_options(**changes))


def test_data_that_is_no_pool_or_no_probe_is_named(pretrain_options, crops, tmp_path):
    with pytest.raises(DataError, match="check the path"):
        pretrain(pretrain_options(pool=tmp_path / "nowhere"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty"):
        pretrain(pretrain_options(pool=tmp_path / "empty"))
    with pytest.raises(DataError, match="query and gallery"):
        pretrain(pretrain_options(probe=crops))


def damaged(people, tmp_path):
    """The data set with one crop of its gallery unreadable."""
    copy = shutil.copytree(people, tmp_path / "damaged")
    min((copy / "bounding_box_test").iterdir()).write_bytes(b"no image")
    return copy


@pytest.mark.parametrize(
    "mistake",
    [
        lambda asked, *_: replace(asked, set=(*asked.set, "batch.size=48")),
        lambda asked, *_: replace(asked, probe=asked.pool),
        lambda asked, people, folder: replace(asked, probe=damaged(people, folder)),
        lambda asked, people, folder: replace(asked, init="vit_giant"),
    ],
    ids=["small pool", "no probe", "bad probe", "no weights"],
)
def test_what_was_refused_leaves_its_folder_to_the_corrected_command(
    pretrain_options, people, tmp_path, mistake
):
    asked = pretrain_options(set=("schedule.epochs=1",))
    with pytest.raises(PersonvitError):
        pretrain(mistake(asked, people, tmp_path))
    assert pretrain(asked).steps == 3


def test_a_run_that_failed_after_its_first_steps_keeps_its_folder(pretrain_options, crops):
    asked = pretrain_options(set=("optimiser.lr=1e30",))
    with pytest.raises(DivergedError):
        pretrain(asked)
    with pytest.raises(ConfigError, match="not empty"):
        pretrain(pretrain_options())


def test_resuming_with_other_settings_is_refused_and_they_are_named(pretrain_options, tmp_path):
    short = ("schedule.epochs=1",)
    pretrain(pretrain_options(set=short))
    with pytest.raises(ConfigError, match=r"recipe\.schedule\.epochs=1 \(now 2\)"):
        pretrain(pretrain_options(set=("schedule.epochs=2",), resume=True))
    with pytest.raises(ConfigError, match=r"recipe\.method='personvit' \(now 'dino'\)"):
        pretrain(pretrain_options(set=short, method="dino", resume=True))
    with pytest.raises(ConfigError, match=r"seed=1234 \(now 5\)"):
        pretrain(pretrain_options(set=short, seed=5, resume=True))
    with pytest.raises(ConfigError, match="not empty; give another -o, or --resume"):
        pretrain(pretrain_options(set=short))
