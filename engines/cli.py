"""The command line of this room: `personvit-engine`."""

from __future__ import annotations

from ..core.command import CommandGroup
from .build_plan import BuildOptions, build_plan
from .doctor import DoctorOptions, doctor
from .embed_files import RunOptions, embed_files
from .show import InfoOptions, ListOptions, list_engines, show_info

main = CommandGroup("personvit-engine", "Run models behind one protocol.")
main.command("list", ListOptions)(list_engines)
main.command("info", InfoOptions)(show_info)
main.command("build", BuildOptions)(build_plan)
main.command("run", RunOptions)(embed_files)
main.command("doctor", DoctorOptions)(doctor)
