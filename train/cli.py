"""The command line of this room: `personvit-train`."""

from __future__ import annotations

from ..core.command import CommandGroup
from .distill.distill import DistillOptions, distill
from .export_upstream import ExportUpstreamOptions, export_upstream
from .finetune import FinetuneOptions, finetune
from .import_checkpoint import ImportOptions, import_checkpoint
from .list_models import ModelsOptions, list_models
from .new_model import NewOptions, new_model
from .pretrain.pretrain import PretrainOptions, pretrain
from .pretrain.read_args import ArgsOptions, read_args
from .visualise.visualise import VisualiseOptions, visualise

main = CommandGroup("personvit-train", "Make, import, pre-train, fine-tune and distil models.")
main.command("pretrain", PretrainOptions)(pretrain)
main.command("finetune", FinetuneOptions)(finetune)
main.command("distill", DistillOptions)(distill)
main.command("import", ImportOptions)(import_checkpoint)
main.command("export-upstream", ExportUpstreamOptions)(export_upstream)
main.command("models", ModelsOptions)(list_models)
main.command("new", NewOptions)(new_model)
main.command("visualise", VisualiseOptions)(visualise)
main.command("args", ArgsOptions)(read_args)
