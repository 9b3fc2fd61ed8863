"""The command line of this room: `personvit-train`."""

from __future__ import annotations

from ..core.command import CommandGroup
from .finetune import FinetuneOptions, finetune

main = CommandGroup("personvit-train", "Make, import and fine-tune models.")
main.command("finetune", FinetuneOptions)(finetune)
