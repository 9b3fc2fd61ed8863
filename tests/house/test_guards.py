"""Habits that no linter knows: import style, names, sizes, and nothing of any one machine."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from personvit.core.command import CommandGroup

ROOMS = ("core", "train", "engines", "benchmark", "export", "deploy_jetson")
MOST_LINES, MOST_LINES_IN_A_FUNCTION = 600, 80


def sources(tree: Path) -> list[Path]:
    return sorted(
        [path for room in ROOMS for path in (tree / room).rglob("*.py")] + [*tree.glob("*.py")]
    )


def imports(module: ast.Module) -> list[ast.Import | ast.ImportFrom]:
    return [node for node in ast.walk(module) if isinstance(node, ast.Import | ast.ImportFrom)]


def absolute_names(module: ast.Module) -> set[str]:
    names = set()
    for node in imports(module):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif not node.level:
            names.add((node.module or "").split(".")[0])
    return names


def test_rooms_import_each_other_relatively(tree: Path) -> None:
    for path in sources(tree):
        used = absolute_names(ast.parse(path.read_text()))
        assert not used & {"personvit", *ROOMS}, f"{path}: import other rooms relatively"


def test_no_module_is_named_like_a_library(tree: Path) -> None:
    parsed = {path: ast.parse(path.read_text()) for path in sources(tree)}
    libraries = set().union(*map(absolute_names, parsed.values())) - {"__future__"}
    named_alike = [str(path) for path in parsed if path.stem in libraries]
    assert not named_alike


def test_no_command_or_test_runs_a_module_by_its_file(tree: Path) -> None:
    texts = [tree / "Makefile", tree / ".ci/run", *tree.glob("docs/*.md"), tree / "README.md"]
    by_path = re.compile(rf"python\S* +(?:{'|'.join(ROOMS)})/\S+\.py")
    assert not [str(path) for path in texts if by_path.search(path.read_text())]


def test_files_and_functions_stay_readable(tree: Path) -> None:
    long = []
    for path in sources(tree):
        text = path.read_text()
        if text.count("\n") > MOST_LINES:
            long.append(str(path))
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno
                if length > MOST_LINES_IN_A_FUNCTION:
                    long.append(f"{path}:{node.lineno} {node.name}")
    assert not long


def test_every_file_says_its_subject_first(tree: Path) -> None:
    silent = [
        str(path) for path in sources(tree) if not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert not silent


def test_unsafe_habits_are_absent(tree: Path) -> None:
    unsafe = re.compile(
        r"weights_only\s*=\s*False|allow_pickle\s*=\s*True|shell\s*=\s*True|import \*"
    )
    assert not [str(path) for path in sources(tree) if unsafe.search(path.read_text())]


def test_nothing_names_one_machine_or_one_registry(tree: Path) -> None:
    """Paths of somebody's home and download addresses have no place in a project others clone."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=tree, capture_output=True, text=True, check=True
    ).stdout.split("\n")
    private = re.compile(
        "|".join(
            (
                "/" + "home/[a-z]",
                "/" + "root/",
                "/" + "work/",
                "pypi" + r"\.org",
                "pythonhosted" + r"\.org",
            )
        )
    )
    text_files = [
        name
        for name in listed
        if re.search(r"\.(py|md|toml|txt|json|yml|cfg)$|Makefile|run$", name)
    ]
    assert not [name for name in text_files if private.search((tree / name).read_text())]


def test_importing_everything_leaves_no_bare_room_behind(tree: Path, tmp_path) -> None:
    program = f"""
import importlib, pkgutil, sys, personvit
for room in {ROOMS!r}:
    package = importlib.import_module("personvit." + room)
    for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(found.name)
print([room for room in {ROOMS!r} if room in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.stdout.strip() == "[]", done.stderr


ENTRY_POINTS = ("core", "train", "engines", "benchmark", "export", "deploy_jetson")


@pytest.mark.parametrize("room", ENTRY_POINTS)
def test_every_command_has_help_with_an_example_and_json(room: str) -> None:
    module = __import__(f"personvit.{room}.cli", fromlist=["main"])
    group: CommandGroup = module.main
    assert group.commands(), f"personvit.{room} offers no command"
    for name, command in group.commands().items():
        assert "Example" in (command.help or ""), f"{room}: {name} shows no example"
        assert any(parameter.name == "json" for parameter in command.params)
        undescribed = [p.name for p in command.params if getattr(p, "help", "") is None]
        assert not undescribed, f"{room}: {name}: no help for {undescribed}"
