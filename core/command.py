"""Turns a frozen dataclass into a command: its fields are the options, its docstring is the help.

    @dataclass(frozen=True)
    class CheckOptions:
        '''Verify the layout and the published counts of a data set.

        Example: personvit-data check /data/Market-1501
        '''

        root: Path = argument("the data set's folder")
        kind: str | None = option(None, "its format, when it cannot be recognised")

    @group.command("check", CheckOptions)
    def check(options: CheckOptions) -> Outcome: ...

The same class is the Python signature, so a script and a shell user meet the same names and checks.
"""

from __future__ import annotations

import dataclasses
import errno
import inspect
import json
import math
import re
import signal
import sys
import threading
import traceback
import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar, Union, get_args, get_origin, get_type_hints

import click

from .errors import EnvironmentMismatch, InternalError, PersonvitError, UserError

INTERRUPTED = 130

LARGEST_SEED = 2**32 - 1
"""What every random generator that a seed may reach accepts."""

_MENDS = {
    errno.ENOSPC: "free some space, or choose another disk",
    errno.EDQUOT: "free some space, or choose another disk",
    errno.EROFS: "choose a place that can be written to",
    errno.EACCES: "change its permissions, or choose another place",
    errno.EPERM: "change its permissions, or choose another place",
    errno.ENOENT: "check the path",
    errno.ENOTDIR: "a part of this path is a file; check the path",
    errno.EISDIR: "name a file in that folder",
    errno.ELOOP: "remove the link that leads to itself",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EMFILE: "raise 'ulimit -n', or use fewer --workers",
}

Options = TypeVar("Options")


class Outcome(Protocol):
    """What a command returns: the same facts for a program and for a person.

    One that also has an `exit_code` ends the command with it, after it was printed.
    """

    def as_json(self) -> Mapping[str, Any]: ...

    def as_text(self) -> str: ...


def argument(help: str, default: Any = dataclasses.MISSING) -> Any:
    """A positional field, optional with a default. A tuple-typed one takes any number of words."""
    return dataclasses.field(default=default, metadata={"role": "argument", "help": help})


def option(default: Any, help: str, *, low: float | None = None, high: float | None = None) -> Any:
    """A named field with a default and, for numbers, an inclusive range."""
    return dataclasses.field(
        default=default, metadata={"role": "option", "help": help, "low": low, "high": high}
    )


class CommandGroup:
    """One room's command line."""

    def __init__(self, name: str, help: str) -> None:
        from .. import __version__

        settings = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
        self.default: str | None = None
        self._click = click.Group(name, help=help, context_settings=settings)
        click.version_option(__version__, prog_name=name)(self._click)

    def command(
        self, name: str, options: type[Options], *, default: bool = False
    ) -> Callable[[Callable[[Options], Outcome]], Callable[[Options], Outcome]]:
        """Register a function of one options object; the default's name may be left out."""

        def register(body: Callable[[Options], Outcome]) -> Callable[[Options], Outcome]:
            self._click.add_command(_click_command(name, options, body))
            self.default = name if default else self.default
            return body

        return register

    def commands(self) -> Mapping[str, click.Command]:
        return dict(self._click.commands)

    def __call__(self) -> None:
        sys.exit(self.run(sys.argv[1:]))

    def run(self, words: list[str]) -> int:
        """Run one command line and return its exit code; errors become sentences on stderr."""
        own = {*self._click.commands, "-h", "--help", "--version"}
        if self.default and words and words[0] not in own:
            words = [self.default, *words]
        try:
            with _terminable():
                code = self._click.main(
                    args=words, standalone_mode=False, prog_name=self._click.name
                )
        except click.exceptions.Exit as stop:
            return int(stop.exit_code)
        except click.exceptions.NoArgsIsHelpError as stop:
            click.echo(stop.format_message(), err=True)
            return UserError.exit_code
        except click.ClickException as problem:
            return _complain(problem.format_message(), _where(problem), UserError.exit_code)
        except (click.Abort, KeyboardInterrupt):
            return _complain("interrupted; nothing half-written was left", "", INTERRUPTED)
        except InternalError as problem:
            return _report_bug(problem)
        except PersonvitError as problem:
            return _complain(str(problem), "", problem.exit_code)
        except BrokenPipeError:
            sys.stderr.close()
            return UserError.exit_code
        except ModuleNotFoundError as problem:
            return _complain_of_missing(problem)
        except OSError as problem:
            return _complain(_os_sentence(problem), "", UserError.exit_code)
        except MemoryError as problem:
            return _complain(_memory_sentence(problem), "", EnvironmentMismatch.exit_code)
        except Exception as problem:
            if _ran_out_of_memory(problem):
                return _complain(_memory_sentence(problem), "", EnvironmentMismatch.exit_code)
            return _report_bug(problem)
        return int(code or 0)


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM end a command as Ctrl-C does, so that it cleans up behind itself."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: types.FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _click_command(
    name: str, options: type[Options], body: Callable[[Options], Outcome]
) -> click.Command:
    hints = get_type_hints(options)
    fields = {field.name: field for field in dataclasses.fields(options)}  # type: ignore[arg-type]

    def callback(**values: Any) -> int:
        as_json = values.pop("json")
        _require_working_folder()
        chosen = {key: _typed(hints[key], value) for key, value in values.items()}
        outcome = body(options(**chosen))
        click.echo(json.dumps(outcome.as_json(), indent=2) if as_json else outcome.as_text())
        return int(getattr(outcome, "exit_code", 0))

    parameters: list[click.Parameter] = [
        _parameter(field, hints[key]) for key, field in fields.items()
    ]
    parameters.append(
        click.Option(["--json"], is_flag=True, help="Print the result as one JSON document.")
    )
    return click.Command(
        name, params=parameters, callback=callback, help=_help_text(options), no_args_is_help=False
    )


def _require_working_folder() -> None:
    """Some libraries end the process, with a gate's exit code, when there is none."""
    try:
        Path.cwd()
    except FileNotFoundError:
        raise UserError("the current folder was deleted; change to another one") from None


def _help_text(options: type[Any]) -> str:
    """Keep a docstring's `Example:` lines as they are written."""
    text = inspect.cleandoc(options.__doc__ or "")
    return text.replace("Example:", "\b\nExample:", 1)


def _parameter(field: dataclasses.Field[Any], hint: Any) -> click.Parameter:
    kind, several = _click_type(field, hint)
    if field.metadata["role"] == "argument":
        count, needed = -1 if several else 1, field.default is dataclasses.MISSING
        words = click.Argument([field.name], type=kind, nargs=count, required=needed)
        words.help = field.metadata["help"]  # older versions of click have no place for it
        return words
    flag = "--" + field.name.replace("_", "-")
    if hint is bool:
        names = [f"{flag}/--no-{flag[2:]}"] if field.default else [flag]
        return click.Option(
            [*names, field.name], is_flag=True, default=field.default, help=field.metadata["help"]
        )
    names = ["-o", flag] if field.name == "out" else [flag]
    shown = field.default is not None and field.default != ()
    return click.Option(
        [*names, field.name],
        type=kind,
        default=field.default,
        multiple=several,
        help=field.metadata["help"],
        show_default=shown,
    )


def _click_type(field: dataclasses.Field[Any], hint: Any) -> tuple[click.ParamType[Any], bool]:
    base = _without_none(hint)
    if get_origin(base) is tuple:
        return _click_type(field, get_args(base)[0])[0], True
    if get_origin(base) is Literal:
        return click.Choice([str(choice) for choice in get_args(base)]), False
    low, high = field.metadata.get("low"), field.metadata.get("high")
    bounded = low is not None or high is not None
    if base is int:
        bounded = low is not None or high is not None
        return (click.IntRange(low, high) if bounded else click.INT), False
    if base is float:
        return _FiniteRange(low, high), False
    return (click.Path(path_type=Path) if base is Path else click.STRING), False


class _FiniteRange(click.FloatRange):
    """Numbers in a range; nan, which compares as false with every bound, is in none."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number", param, ctx)
        return number


def _without_none(hint: Any) -> Any:
    if get_origin(hint) in (Union, types.UnionType):
        return next(part for part in get_args(hint) if part is not type(None))
    return hint


def _typed(hint: Any, value: Any) -> Any:
    return tuple(value) if get_origin(_without_none(hint)) is tuple else value


def _where(problem: click.ClickException) -> str:
    context = getattr(problem, "ctx", None)
    return f"see '{context.command_path} --help'" if context is not None else ""


def _complain(message: str, hint: str, code: int) -> int:
    click.echo(f"error: {message}" + (f" ({hint})" if hint else ""), err=True)
    return code


def _complain_of_missing(problem: ModuleNotFoundError) -> int:
    package = (problem.name or "").split(".")[0]
    if package in ("", "personvit"):
        return _report_bug(problem)
    extra = next(_extras_with(package), None)
    mend = f"pip install 'personvit[{extra}]'" if extra else f"pip install {package}"
    message = f"this command needs the package '{package}', which is not installed here; {mend}"
    return _complain(message, "", EnvironmentMismatch.exit_code)


def _extras_with(package: str) -> Iterator[str]:
    """The extras of this project that bring a package, read from what was installed."""
    for line in metadata.requires("personvit") or []:
        found = re.match(r"([\w.-]+).*extra == [\"']([\w-]+)[\"']", line)
        if found and found[1].replace("-", "_").lower() == package.lower():
            yield found[2]


def _os_sentence(problem: OSError) -> str:
    place = f": {problem.filename}" if problem.filename else ""
    mend = _MENDS.get(problem.errno or 0)
    return f"the operating system refused{place}: {problem.strerror or problem}" + (
        f"; {mend}" if mend else ""
    )


def _ran_out_of_memory(problem: Exception) -> bool:
    """PyTorch tells of it with classes and words of its own, on a GPU and on a CPU."""
    words = str(problem).lower()
    return isinstance(problem, RuntimeError) and (
        type(problem).__name__ == "OutOfMemoryError" or "can't allocate memory" in words
    )


def _memory_sentence(problem: Exception) -> str:
    detail = f" ({str(problem).strip().splitlines()[0]})" if str(problem).strip() else ""
    return f"there is not enough memory for this{detail}; ask for less, or use a larger machine"


def _report_bug(problem: Exception) -> int:
    traceback.print_exception(problem)
    click.echo("This is a bug of PersonViT-Edge; please report it with the lines above.", err=True)
    return InternalError.exit_code
