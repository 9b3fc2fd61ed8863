"""What a finished pre-training run leaves: the teacher, the published pair, and the result."""

from __future__ import annotations

from pathlib import Path

from ...core.data.pool import Pool
from ...core.models.native import save_native
from .. import runfile
from ..finetune import command_line
from ..result import write_result
from .description import preprocess_of
from .loop import PretrainRun
from .origin import Beginning
from .pretrain import PretrainOptions
from .result import PretrainResult
from .upstream_file import save_upstream


def finish(
    out: Path,
    options: PretrainOptions,
    run: PretrainRun,
    start: Beginning,
    pool: Pool,
    before: tuple[int, float],
) -> PretrainResult | None:
    """Write weights and result; `before` are the step and the seconds this sitting began with."""
    if not run.world.leads:
        return None
    recipe = run.recipe
    model, upstream = out / "model.safetensors", out / "pretrained.pth"
    teacher = run.trainer.teacher_model()
    save_native(model, teacher, preprocess_of(recipe), run.provenance)
    save_upstream(upstream, run.trainer, recipe.schedule.epochs, run.world.size, options.seed)
    seconds, bad = run.seconds - before[1], run.loader.bad_images
    result = PretrainResult(
        model=str(model),
        upstream=str(upstream),
        data=f"{options.pool} ({pool.name}, {len(pool)} images)",
        start=start.sentence,
        recipe=recipe.title or options.recipe,
        method=recipe.method,
        epochs=recipe.schedule.epochs,
        steps=run.step,
        bad=bad.reasons,
        bad_images=bad.count,
        images_per_second=(run.step - before[0]) * recipe.batch.size / max(seconds, 1e-9),
        seconds=round(run.seconds, 1),
        losses=run.losses,
        probes=() if run.probing is None else tuple(run.probing.seen),
        machine=runfile.machine(),
        command=command_line(),
    )
    write_result(out, result)
    return result
