"""Which names a pickle would call: listed from its opcodes, with nothing executed."""

from __future__ import annotations

import pickletools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

# The five pickles that open a file of PyTorch before 1.6.
LEGACY_PICKLES = 5
_TEXT = {"SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE"}
_PUT = {"PUT", "BINPUT", "LONG_BINPUT"}
_GET = {"GET", "BINGET", "LONG_BINGET"}
UNKNOWN = "a name computed while loading"

ALLOWED = frozenset(
    {
        "argparse.Namespace",
        "collections.OrderedDict",
        "collections.Counter",
        "_codecs.encode",
        "numpy.core.multiarray.scalar",
        "numpy._core.multiarray.scalar",
        "numpy.dtype",
        "torch.Size",
        "torch.device",
        "torch._utils._rebuild_tensor",
        "torch._utils._rebuild_tensor_v2",
        "torch._utils._rebuild_parameter",
        "torch.nn.parameter.Parameter",
        *("torch.ShortStorage", "torch.CharStorage", "torch.ByteStorage", "torch.BoolStorage"),
        *("torch.int16", "torch.int8", "torch.uint8", "torch.bool"),
        *(
            f"torch.{kind}Storage"
            for kind in ("Float", "Double", "Half", "BFloat16", "Long", "Int")
        ),
        *(
            f"torch.{kind}"
            for kind in ("float32", "float64", "float16", "bfloat16", "int64", "int32")
        ),
    }
)
"""What a checkpoint of the known families needs, and not one name more."""


@dataclass
class _Names:
    """The little of a pickle machine that finding names takes: strings and their memo."""

    strings: list[str] = field(default_factory=list)
    memo: dict[int, str] = field(default_factory=dict)
    stored: int = 0
    last: str = ""

    def see(self, opcode: str, argument: object) -> str | None:
        if opcode in _TEXT:
            self._push(str(argument))
        elif opcode in _GET:
            self._push(self.memo.get(int(str(argument)), UNKNOWN))
        elif opcode == "MEMOIZE":
            self.memo[self.stored] = self.last
            self.stored += 1
        elif opcode in _PUT:
            self.memo[int(str(argument))] = self.last
        elif opcode in ("GLOBAL", "INST"):
            self.last = UNKNOWN
            return str(argument).replace(" ", ".", 1)
        elif opcode == "STACK_GLOBAL":
            module, name = [UNKNOWN, UNKNOWN, *self.strings][-2:]
            self.last = UNKNOWN
            return UNKNOWN if UNKNOWN in (module, name) else f"{module}.{name}"
        else:
            self.last = UNKNOWN
        return None

    def _push(self, text: str) -> None:
        self.last = text
        self.strings.append(text)


def names_in(stream: IO[bytes], pickles: int = 1) -> tuple[str, ...]:
    """The sorted names in the first few pickles of a stream; ValueError when it is not one."""
    return tuple(sorted(set(_scan(stream, pickles))))


def refused(names: tuple[str, ...]) -> tuple[str, ...]:
    """Those that a checkpoint has no business calling."""
    return tuple(name for name in names if name not in ALLOWED)


def _scan(stream: IO[bytes], pickles: int) -> Iterator[str]:
    for _ in range(pickles):
        names = _Names()
        for opcode, argument, _position in pickletools.genops(stream):
            if (found := names.see(opcode.name, argument)) is not None:
                yield found
            if opcode.name in ("EXT1", "EXT2", "EXT4"):
                yield UNKNOWN
