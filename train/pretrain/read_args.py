"""`personvit-train args`: the hyper-parameters that an official pre-training file carries."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.command import argument, option

if TYPE_CHECKING:
    from .stored import Stored


@dataclass(frozen=True)
class ArgsOptions:
    """Print the hyper-parameters inside a pre-training file of PersonViT, iBOT or DINO.

    Nothing in the file is run: only the names that such a file needs may be unpickled. The facts
    are laid beside the guesses of our recipe, and --as-recipe writes one that has them instead.

    Example: personvit-train args checkpoint0220.pth --as-recipe facts.toml
    """

    checkpoint: Path = argument("a .pth file of a pre-training run")
    against: str | None = option(
        None, "the recipe whose guesses are checked; personvit-small or -base unless given"
    )
    as_recipe: Path | None = option(None, "write a recipe, based on that one, with the facts")


@dataclass(frozen=True)
class Fact:
    """One field of our recipe, read out of the file."""

    field: str
    value: Any
    source: str
    ours: Any
    """What the recipe says."""
    guess: str | None
    """Where that was guessed from; None when it was no guess."""

    @property
    def verdict(self) -> str:
        word = "guess" if self.guess else "recipe"
        return f"the {word} was right" if self.value == self.ours else f"the {word} was {self.ours}"


@dataclass(frozen=True)
class ArgsReport:
    """What a file says about how it was made."""

    checkpoint: str
    against: str
    epoch: int | None
    args: dict[str, Any]
    facts: tuple[Fact, ...]
    remaining: dict[str, str]
    """Guesses about which the file says nothing."""
    unused: tuple[str, ...]
    """Arguments that no field of ours stands for."""
    recipe: str | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def as_text(self) -> str:
        width = max((len(name) for name in self.args), default=0)
        lines = [f"{name:{width}}  {value}" for name, value in sorted(self.args.items())]
        lines = lines or [f"{self.checkpoint} holds no args"]
        if self.epoch is not None:
            lines.insert(0, f"saved with epoch {self.epoch}")
        lines += ["", f"against the recipe {self.against}:"]
        lines += [
            f"  {fact.field} = {fact.value} (from {fact.source}; {fact.verdict})"
            for fact in self.facts
        ]
        if self.remaining:
            lines.append(f"still guessed: {', '.join(self.remaining)}")
        if self.unused:
            lines.append(f"without a field in our recipe: {', '.join(self.unused)}")
        if self.recipe:
            lines.append(f"written to {self.recipe}")
        return "\n".join(lines)


def read_args(options: ArgsOptions) -> ArgsReport:
    """Read the file and compare it with a recipe."""
    from ...core.files import replacing
    from .guesses import guesses
    from .recipe_files import load_recipe
    from .stored import as_toml, read_stored
    from .upstream_args import UNDERSTOOD

    stored = read_stored(options.checkpoint)
    against = options.against or _recipe_of(stored)
    ours = load_recipe(against).to_dict()
    guessed = guesses(against) if not against.endswith(".toml") else {}
    facts = tuple(
        Fact(field, value, source, _at(ours, field), guessed.get(field))
        for field, (value, source) in sorted(stored.fields.items())
    )
    remaining = {name: why for name, why in guessed.items() if name not in stored.fields}
    if options.as_recipe is not None:
        base = _seen_from(options.as_recipe.parent, against)
        with replacing(options.as_recipe) as part:
            part.write_text(as_toml(base, stored, facts, remaining), encoding="utf-8")
            load_recipe(str(part))
    return ArgsReport(
        str(options.checkpoint),
        against,
        stored.epoch,
        stored.args,
        facts,
        remaining,
        tuple(sorted(set(stored.args) - UNDERSTOOD)),
        None if options.as_recipe is None else str(options.as_recipe),
    )


def _seen_from(folder: Path, recipe: str) -> str:
    """A recipe's file names its base from where it lies itself."""
    if not recipe.endswith(".toml"):
        return recipe
    return os.path.relpath(recipe, folder)


def _recipe_of(stored: Stored) -> str:
    architecture = stored.fields.get("model.architecture", ("", ""))[0]
    return "personvit-base" if architecture == "vit_base_16" else "personvit-small"


def _at(values: Any, field: str) -> Any:
    for part in field.split("."):
        values = values[part]
    return values
