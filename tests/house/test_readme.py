"""The README's first session is run as it is written, and its commands exist."""

from __future__ import annotations

import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest

ROOMS = {
    "data": "core",
    "train": "train",
    "engine": "engines",
    "benchmark": "benchmark",
    "export": "export",
    "deploy": "deploy_jetson",
}


def console_blocks(page: Path) -> list[list[str]]:
    blocks = re.findall(r"```console\n(.*?)```", page.read_text(), re.DOTALL)
    return [[line for line in block.splitlines() if line.strip()] for block in blocks]


def run(line: str) -> int:
    command, *words = shlex.split(line)
    room = import_module(f"personvit.{ROOMS[command.removeprefix('personvit-')]}.cli")
    return room.main.run(words)


def test_the_first_session_works_as_written(tree: Path, tmp_path, monkeypatch) -> None:
    session = next(b for b in console_blocks(tree / "README.md") if "synth" in b[0])
    monkeypatch.chdir(tmp_path)
    for line in session:
        assert run(line) == 0, line
    assert (tmp_path / "run/model.safetensors").is_file()
    assert (tmp_path / "evaluation/evaluation.json").is_file()
    assert (tmp_path / "model.pvb").is_file()


def pages(tree: Path) -> list[Path]:
    return [tree / "README.md", tree / "CONTRIBUTING.md", *sorted(tree.glob("docs/*.md"))]


def test_every_command_shown_in_a_page_exists_with_its_options(tree: Path) -> None:
    wrong = []
    for page in pages(tree):
        for line in (line for block in console_blocks(page) for line in block):
            words = shlex.split(line.removeprefix("sudo "), comments=True)
            if words and words[0].removeprefix("personvit-") in ROOMS:
                wrong += [f"{page.name}: {line}: {why}" for why in complaints(words)]
    assert not wrong


def complaints(words: list[str]) -> list[str]:
    room = import_module(f"personvit.{ROOMS[words[0].removeprefix('personvit-')]}.cli")
    commands = room.main.commands()
    name = words[1] if len(words) > 1 and words[1] in commands else room.main.default
    if name is None:
        return ["no such command"] if words[1:2] != ["--help"] else []
    known = {flag for p in commands[name].params for flag in (*p.opts, *p.secondary_opts)}
    used = [word.split("=")[0] for word in words[2:] if re.match(r"--?[A-Za-z]", word)]
    return [f"no option {flag}" for flag in used if flag not in known | {"--help", "-h"}]


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_links_lead_somewhere(tree: Path, page: str) -> None:
    links = re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", (tree / page).read_text())
    assert links
    assert not [link for link in links if not (tree / link).exists()]


def test_make_targets_named_in_pages_exist(tree: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (tree / "Makefile").read_text(), re.MULTILINE))
    named = {t for page in pages(tree) for t in re.findall(r"`make ([a-z-]+)", page.read_text())}
    assert named <= targets, named - targets
