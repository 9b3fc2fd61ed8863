"""Fine-tuning as a user meets it: what it writes, refuses, skips and falls back to."""

import json
import shutil

import pytest

from personvit.core.errors import ConfigError, DataError
from personvit.core.models.native import load_native
from personvit.train.finetune import finetune
from personvit.train.runfile import refuse_used


def test_a_run_writes_a_model_that_loads_and_a_result(options):
    asked = options()
    result = finetune(asked)
    native = load_native(asked.out / "model.safetensors")
    assert native.config.classes == 8
    assert native.preprocess.filter == "bilinear"
    assert native.provenance["training_filter"] == "bicubic"
    written = json.loads((asked.out / "result.json").read_text())
    assert written == json.loads(json.dumps(result.as_json()))
    assert written["scores"]["queries"] == 8
    assert 0 < written["scores"]["mean_ap"] <= 1
    assert "mAP" in result.as_text()
    assert (asked.out / "log.jsonl").stat().st_size > 0
    assert any((asked.out / "tensorboard").iterdir())


def test_learning_happens(options):
    asked = options(set=("schedule.epochs=12", "optimiser.name=adamw", "model.drop_path=0"))
    finetune(asked)
    lines = [json.loads(line) for line in (asked.out / "log.jsonl").read_text().splitlines()]
    losses = [line["identity_loss"] for line in lines if "epoch" in line]
    assert losses[-1] < 0.7 * losses[0]


def test_nothing_depends_on_the_number_of_workers_or_on_the_cache(options, tmp_path):
    first = options(out=tmp_path / "first", evaluate=False)
    other = options(out=tmp_path / "other", evaluate=False, workers=3, cache_gb=0.0)
    finetune(first)
    finetune(other)
    assert same_model(first, other)


def test_another_seed_gives_another_model(options, tmp_path):
    first = options(out=tmp_path / "first", evaluate=False)
    other = options(out=tmp_path / "other", evaluate=False, seed=7)
    finetune(first)
    finetune(other)
    assert not same_model(first, other)


def test_a_damaged_last_checkpoint_is_passed_over_with_a_notice(options, tmp_path, capsys):
    asked = options(evaluate=False)
    finetune(asked)
    whole = (asked.out / "model.safetensors").read_bytes()
    for name in ("model.safetensors", "result.json"):
        (asked.out / name).unlink()
    last = max((asked.out / "checkpoints").glob("*.pt"))
    damaged = bytearray(last.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    last.write_bytes(damaged)
    finetune(options(evaluate=False, resume=True))
    assert f"{last.name} is damaged" in capsys.readouterr().err
    assert (asked.out / "model.safetensors").read_bytes() == whole


def test_a_finished_run_is_not_repeated(options, capsys):
    result = finetune(options())
    assert finetune(options(resume=True)) == result
    assert "finished already" in capsys.readouterr().err


def test_training_goes_on_from_a_model_of_ours(options, tmp_path):
    first = options(out=tmp_path / "first", evaluate=False)
    finetune(first)
    weights = str(first.out / "model.safetensors")
    more = options(
        weights=weights, out=tmp_path / "more", set=("input.height=64", "input.width=32")
    )
    finetune(more)
    native = load_native(more.out / "model.safetensors")
    assert (native.config.height_px, native.preprocess.height) == (64, 64)
    assert native.provenance["start"] == weights


@pytest.mark.parametrize("architecture", ["pass_small_16", "vit_micro_16_128_mean"])
def test_other_token_layouts_train(options, architecture):
    asked = options(weights=architecture, set=("schedule.epochs=1",), amp="bf16")
    assert finetune(asked).scores is not None


def test_a_diverging_run_says_so_and_keeps_what_was_good(options, shell):
    asked = options(set=("optimiser.lr=1e18",), save_every_steps=1)
    with pytest.raises(ConfigError.__mro__[1], match=r"the loss became .* Lower optimiser\.lr"):
        finetune(asked)
    assert not (asked.out / "model.safetensors").exists()
    assert list((asked.out / "checkpoints").glob("*.pt"))


def test_a_used_folder_is_refused(options):
    asked = options()
    asked.out.mkdir()
    (asked.out / "mine.txt").write_text("keep")
    with pytest.raises(ConfigError, match="not empty; give another -o, or --resume"):
        finetune(asked)


def test_what_a_run_killed_at_its_first_file_left_is_no_used_folder(tmp_path):
    (tmp_path / ".run.json.abcd1234.part").touch()
    refuse_used(tmp_path)
    (tmp_path / "notes.txt").touch()
    with pytest.raises(ConfigError, match="not empty"):
        refuse_used(tmp_path)


def test_resuming_with_other_settings_is_refused_and_they_are_named(options):
    finetune(options(evaluate=False))
    with pytest.raises(ConfigError, match=r"recipe\.schedule\.epochs=2 \(now 3\)"):
        finetune(options(resume=True, set=("schedule.epochs=3",)))
    with pytest.raises(ConfigError, match=r"seed=1234 \(now 5\)"):
        finetune(options(resume=True, seed=5))


def test_resuming_with_another_data_set_is_refused(options, draw_people, tmp_path):
    finetune(options(evaluate=False))
    other = draw_people(tmp_path / "other", range(1, 10))
    with pytest.raises(ConfigError, match="another list of training images"):
        finetune(options(resume=True, data=other))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"data": None}, "say which data set"),
        ({"out": None}, "say where the run goes"),
        ({"resume": True}, "nothing to resume"),
        ({"amp": "fp16"}, "fp16 needs a GPU"),
        ({"recipe": "personvitt"}, "did you mean personvit"),
        ({"set": ("batch.identities=9",)}, "shows 8 identities"),
        ({"set": ("input.height=40",)}, "multiples of 16"),
        ({"weights": "vit_giant"}, "vit_giant"),
    ],
)
def test_mistakes_are_explained(options, changes, sentence):
    with pytest.raises(Exception, match=sentence) as problem:
        finetune(options(**changes))
    assert problem.type.__module__ in ("personvit.core.errors", "personvit.train.stopping")


def test_one_identity_cannot_be_learned(options, draw_people, tmp_path):
    data = draw_people(tmp_path / "one", range(1, 2))
    with pytest.raises(DataError, match="one identity alone cannot be told apart"):
        finetune(options(data=data))


def test_unreadable_crops_stop_the_run_or_are_skipped_and_listed(options, people, tmp_path):
    data = shutil.copytree(people, tmp_path / "data")
    bad = sorted((data / "bounding_box_train").iterdir())[3]
    bad.write_bytes(bad.read_bytes()[:100])
    with pytest.raises(DataError, match=rf"1 of 48 training crops.*{bad.name}.*--skip-bad"):
        finetune(options(data=data))
    result = finetune(options(data=data, skip_bad=True))
    assert result.training_crops == 47
    assert bad.name in result.skipped_crops[0]


def same_model(first, other):
    one, two = ((asked.out / "model.safetensors").read_bytes() for asked in (first, other))
    return one == two
