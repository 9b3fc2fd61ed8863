"""Distillation as a user meets it: what it writes, learns, leaves out and refuses."""

import json
from dataclasses import replace

import pytest
import torch

from personvit.core.errors import ConfigError
from personvit.core.models.lineage import space_of, whole_space
from personvit.core.models.native import load_native, save_native
from personvit.train.distill.distill import distill
from personvit.train.distill.recipe_files import load_recipe, recipe_names


def lines(out):
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def test_a_run_writes_a_student_that_loads_and_compares_it_with_its_teacher(options):
    asked = options()
    result = distill(asked)
    native = load_native(asked.out / "model.safetensors")
    assert (native.config.width, native.config.classes, native.config.projection) == (64, 8, 0)
    written = json.loads((asked.out / "result.json").read_text())
    assert written == json.loads(json.dumps(result.as_json()))
    assert written["scores"]["student"]["queries"] == 8
    assert written["scores"]["across"] is None
    assert "of the teacher's mAP" in result.as_text()
    names = ["relation_kl_loss", "embedding_loss", "patches_loss", "identity_loss", "triplet_loss"]
    assert written["lessons"] == names
    assert all(name in lines(asked.out)[0] for name in names)


LESSONS = {
    "relation_kl": ("teacher", "student"),
    "relation_mse": ("teacher", "mean"),
    "logits": ("classifier", "student"),
    "embedding": ("teacher", "drop"),
    "patches": ("teacher", "student"),
    "parts": ("pass", "student"),
}


@pytest.mark.parametrize("name", LESSONS)
def test_each_lesson_alone_is_learnt(options, name):
    teacher, student = LESSONS[name]
    weights = dict.fromkeys(("relation_kl", "embedding", "patches"), 0) | {name: 1}
    asked = options(
        teacher,
        student,
        set=(
            *(f"teach.{lesson}_weight={value}" for lesson, value in weights.items()),
            "loss.identity_weight=0",
            "loss.triplet_weight=0",
            "augment.erase=0",
            "schedule.epochs=10",
        ),
        evaluate=False,
    )
    result = distill(asked)
    assert result.lessons == (f"{name}_loss",)
    found = [line[f"{name}_loss"] for line in lines(asked.out) if "epoch" in line]
    assert found[-1] < 0.9 * found[0]


@pytest.mark.parametrize(("teacher", "student"), [("pass", "part-student"), ("pass", "drop")])
def test_part_tokens_meet_parts_or_stripes(options, teacher, student):
    asked = options(teacher, student, set=("teach.parts_weight=1",), evaluate=False, amp="bf16")
    assert "parts_loss" in distill(asked).lessons


def test_crops_without_labels_are_enough(options, crops_without_names, capsys):
    asked = options(data=crops_without_names)
    result = distill(asked)
    assert result.identities == 0
    assert result.scores is None
    assert result.lessons == ("relation_kl_loss", "embedding_loss", "patches_loss")
    assert "no labels, so the losses of [loss] are left out" in capsys.readouterr().err
    assert load_native(asked.out / "model.safetensors").config.classes == 0


def test_a_student_in_its_teachers_space(options, weights):
    asked = options(in_teacher_space=True, student="vit-half", set=("schedule.epochs=3",))
    result = distill(asked)
    assert result.scores.across.queries == 8
    native = load_native(asked.out / "model.safetensors")
    teacher = load_native(weights["teacher"])
    assert (native.config.depth, native.config.projection) == (2, 96)
    space = whole_space(native.model, "before", native.provenance)
    assert space.derived_id() == space_of(teacher.model, "before")
    with torch.no_grad():
        native.model.backbone.norm.weight.add_(1)
    assert whole_space(native.model, "before", native.provenance) != space, (
        "other weights, no claim"
    )


def test_training_on_ends_the_stay_in_a_space(options, tmp_path):
    first = options(in_teacher_space=True, evaluate=False)
    distill(first)
    more = options(
        student=str(first.out / "model.safetensors"), out=tmp_path / "more", evaluate=False
    )
    distill(more)
    native = load_native(more.out / "model.safetensors")
    assert native.config.projection == 0
    space = whole_space(native.model, "before", native.provenance)
    assert space.derived_id() == space_of(native.model, "before")


def test_a_student_that_stays_in_its_teachers_space_keeps_its_way_there(options, tmp_path):
    first = options(in_teacher_space=True, evaluate=False)
    distill(first)
    start = str(first.out / "model.safetensors")
    still = ("optimiser.lr=1e-12", "schedule.epochs=1")
    out = tmp_path / "more"
    distill(options(student=start, in_teacher_space=True, out=out, set=still, evaluate=False))
    before, after = (
        load_native(path / "model.safetensors").model.projection for path in (first.out, out)
    )
    torch.testing.assert_close(after.weight, before.weight, atol=1e-6, rtol=0)


def test_half_of_the_blocks_are_every_second_ending_in_the_last(options, weights):
    asked = options(student="vit-half", evaluate=False, set=("optimiser.lr=1e-12",))
    distill(asked)
    student = load_native(asked.out / "model.safetensors").model.backbone
    teacher = load_native(weights["teacher"]).model.backbone
    for ours, theirs in ((0, 1), (1, 3)):
        for (name, one), other in zip(
            student.blocks[ours].named_parameters(),
            teacher.blocks[theirs].parameters(),
            strict=True,
        ):
            torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5, msg=name)


def test_the_teacher_is_not_changed_and_workers_change_nothing(options, weights, tmp_path):
    before = weights["teacher"].read_bytes()
    first = options(out=tmp_path / "first", evaluate=False)
    other = options(out=tmp_path / "other", evaluate=False, workers=3, cache_gb=0.0)
    distill(first)
    distill(other)
    assert weights["teacher"].read_bytes() == before
    assert (first.out / "model.safetensors").read_bytes() == (
        other.out / "model.safetensors"
    ).read_bytes()


def test_a_finished_run_is_not_repeated_and_another_teacher_is_refused(options, capsys):
    result = distill(options(in_teacher_space=True))
    assert distill(options(in_teacher_space=True, resume=True)) == result
    assert "finished already" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="taught by space-"):
        distill(options("classifier", in_teacher_space=True, resume=True))


def test_a_teacher_that_sees_pictures_otherwise_is_another_one(options, weights, tmp_path):
    """Its space is the same: the tensors are."""
    run = options()
    distill(run)
    native = load_native(weights["teacher"])
    darker = replace(native.preprocess, mean=(0.1, 0.1, 0.1))
    path = tmp_path / "darker.safetensors"
    save_native(path, native.model, darker, native.provenance)
    with pytest.raises(ConfigError, match="taught by space-"):
        distill(replace(run, teacher=str(path), resume=True))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"data": None}, "which crops to distil on"),
        ({"out": None}, "say where the run goes"),
        ({"student": "vit-tinny"}, r"no student is named 'vit-tinny' \(did you mean vit-tiny"),
        ({"set": ("teach.parts_weight=1",)}, "needs a PASS teacher"),
        ({"set": ("teach.logits_weight=1",)}, "needs a teacher with a classifier"),
        ({"set": ("teach.cross_kl_weight=1",)}, "64 values with the teacher's of 96"),
        ({"set": ("teach.relation_weight=1",)}, "unknown key teach.relation_weight"),
        (
            {"set": ("teach.teacher_space=true", "teach.embedding_weight=0")},
            "teacher_space is learnt from",
        ),
        (
            {"student": "vit-tiny", "initial": "vit_micro_16"},
            "vit_micro_16 is 12 blocks of width 128",
        ),
        ({"student": "vit-half", "initial": "vit_micro_16"}, "nothing to inherit"),
    ],
)
def test_bad_wishes_are_refused_in_a_sentence(options, changes, sentence):
    with pytest.raises(ConfigError, match=sentence):
        distill(options(**changes))


def test_what_was_refused_leaves_its_folder_to_the_corrected_command(options):
    with pytest.raises(ConfigError, match="needs a PASS teacher"):
        distill(options(set=("teach.parts_weight=1",), evaluate=False))
    assert distill(options(evaluate=False)).steps > 0


def test_a_classifier_of_other_people_teaches_no_logits(options, lively, write, tmp_path):
    stranger = write(tmp_path / "five.safetensors", lively(classes=5))
    with pytest.raises(ConfigError, match="5 people apart and the crops show 8"):
        distill(options(str(stranger), set=("teach.logits_weight=1",)))


NARROW = {"token_schedule": "1:2"}


def test_an_impossible_student_is_refused_before_crops_are_read(options, tmp_path):
    nowhere = {"data": tmp_path / "nowhere"}
    for changes in ({"token_schedule": "one"}, {"token_schedule": "1:900"}):
        with pytest.raises(ConfigError, match=r"schedule|patches"):
            distill(options(**nowhere, **changes))


def test_a_schedule_leaves_out_the_lessons_of_the_whole_grid(options, tmp_path, capsys):
    asked = options(evaluate=False, **NARROW)
    result = distill(asked)
    assert "patches_loss" not in result.lessons
    assert {"relation_kl_loss", "embedding_loss"} <= set(result.lessons)
    told = "needs the whole grid, so it is left out"
    assert told in capsys.readouterr().err
    student = asked.out / "model.safetensors"
    assert load_native(student).config.token_schedule == ((1, 2),)
    distill(options(evaluate=False, resume=True, **NARROW))
    # The same from a teacher or a student that has one already.
    for pair in ((str(student), "mean"), ("teacher", str(student))):
        again = distill(options(*pair, out=tmp_path / pair[1][-4:], evaluate=False))
        assert "patches_loss" not in again.lessons


def test_part_tokens_stay_through_a_schedule(options):
    parts = ("teach.parts_weight=1", "teach.patches_weight=0")
    with pytest.raises(ConfigError, match=r"--set teach.parts_weight=1 asks for a loss"):
        distill(options("pass", "student", set=parts, **NARROW))
    asked = options("pass", "part-student", set=parts, evaluate=False, **NARROW)
    assert "parts_loss" in distill(asked).lessons


def test_what_a_schedule_takes_is_refused_where_it_was_asked_for(options):
    with pytest.raises(ConfigError, match=r"--set teach.patches_weight=0.5 asks for a loss"):
        distill(options(set=("teach.patches_weight=0.5",), **NARROW))
    only = ("teach.relation_kl_weight=0", "teach.embedding_weight=0")
    only += ("loss.identity_weight=0", "loss.triplet_weight=0")
    with pytest.raises(ConfigError, match="all that the recipe teaches needs the whole grid"):
        distill(options(set=only, **NARROW))


def test_a_recipe_without_anything_to_learn_is_refused(options):
    nothing = [f"teach.{name}_weight=0" for name in ("relation_kl", "embedding", "patches")]
    with pytest.raises(ConfigError, match="nothing to learn from"):
        distill(options(set=(*nothing, "loss.identity_weight=0", "loss.triplet_weight=0")))


def test_every_shipped_recipe_is_valid():
    assert {"distill", "distill-demo"} <= set(recipe_names())
    for name in recipe_names():
        assert load_recipe(name).teach.wanted
