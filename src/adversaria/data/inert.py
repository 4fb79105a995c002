"""Pickles read as inert data.

A pickle is a program for a stack machine that may name any function and call it. Here the machine only *describes*
what it is told to call: a name becomes a `Name`, a call becomes a `Call`, and nothing is imported or run. What the
reader understands (numbers, text, lists, dicts, tuples, bytes, and the description of a numpy array) is enough for
the batches of CIFAR-10; anything else stays a description, and is never mistaken for data.
"""

import io
import pickletools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from adversaria.errors import DataError


@dataclass(frozen=True)
class Name:
    """What a pickle calls `module.name`; not imported."""

    module: str
    name: str


@dataclass
class Call:
    """What a pickle would call, and the state it would set; not called."""

    function: Any
    arguments: Any
    state: Any = None


_MARK = object()
_ENCODE, _BYTES = Name("_codecs", "encode"), Name("__builtin__", "bytes")


def _reduced(function: Any, arguments: Any) -> Any:
    """A call, described; except Python 3's ways to say bytes in old pickles, `encode(text, "latin1")` and `bytes()`."""
    if function == _ENCODE and isinstance(arguments, tuple) and arguments[1:] == ("latin1",):
        return as_bytes(arguments[0])
    if function == _BYTES and arguments == ():
        return b""
    return Call(function, arguments)


class _Machine:
    """The stack machine; each method is an opcode (names as in `pickletools`)."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def above_mark(self) -> list[Any]:
        position = max(i for i, value in enumerate(self.stack) if value is _MARK)
        items = self.stack[position + 1 :]
        del self.stack[position:]
        return items

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def mark(self) -> None:
        self.push(_MARK)

    def memoize(self, index: int | None) -> None:
        self.memo[len(self.memo) if index is None else index] = self.stack[-1]

    def pair(self, kind: Callable[[Any, Any], Any]) -> None:
        second, first = self.stack.pop(), self.stack.pop()
        self.push(kind(first, second))

    def short_tuple(self, size: int) -> None:
        self.stack[len(self.stack) - size :] = [tuple(self.stack[len(self.stack) - size :])]

    def extend(self, items: list[Any]) -> None:
        self.stack[-1].extend(items)

    def update(self, items: list[Any]) -> None:
        self.stack[-1].update(zip(items[::2], items[1::2], strict=True))

    def build(self) -> None:
        state = self.stack.pop()
        self.stack[-1].state = state

    def take(self, count: int) -> list[Any]:
        items = self.stack[-count:]
        del self.stack[-count:]
        return items


_PUSH_ARGUMENT = re.compile(
    r"(BININT[12]?|LONG[14]|BINFLOAT|(SHORT_)?BINSTRING|(SHORT_)?BIN(BYTES|UNICODE)|BIN(BYTES|UNICODE)8)"
)
_NOTHING = frozenset({"PROTO", "FRAME", "STOP"})

_EFFECTS: dict[str, Callable[[_Machine, Any], None]] = {
    "NONE": lambda m, _: m.push(None),
    "NEWTRUE": lambda m, _: m.push(True),
    "NEWFALSE": lambda m, _: m.push(False),
    "EMPTY_LIST": lambda m, _: m.push([]),
    "EMPTY_DICT": lambda m, _: m.push({}),
    "EMPTY_TUPLE": lambda m, _: m.push(()),
    "MARK": lambda m, _: m.mark(),
    "TUPLE": lambda m, _: m.push(tuple(m.above_mark())),
    "TUPLE1": lambda m, _: m.short_tuple(1),
    "TUPLE2": lambda m, _: m.short_tuple(2),
    "TUPLE3": lambda m, _: m.short_tuple(3),
    "APPEND": lambda m, _: m.extend(m.take(1)),
    "APPENDS": lambda m, _: m.extend(m.above_mark()),
    "SETITEM": lambda m, _: m.update(m.take(2)),
    "SETITEMS": lambda m, _: m.update(m.above_mark()),
    "BINPUT": lambda m, index: m.memoize(index),
    "LONG_BINPUT": lambda m, index: m.memoize(index),
    "MEMOIZE": lambda m, _: m.memoize(None),
    "BINGET": lambda m, index: m.push(m.memo[index]),
    "LONG_BINGET": lambda m, index: m.push(m.memo[index]),
    "GLOBAL": lambda m, names: m.push(Name(*names.split(" ", 1))),
    "STACK_GLOBAL": lambda m, _: m.pair(Name),
    "REDUCE": lambda m, _: m.pair(_reduced),
    "BUILD": lambda m, _: m.build(),
}


def read_pickle(data: bytes, name: str) -> Any:
    """What a pickle describes, without running any of it. Text of Python 2 comes as `str` of code points 0..255.

    Raises:
        DataError: not a pickle, damaged, or an opcode that plain data does not need.
    """
    machine = _Machine()
    try:
        for opcode, argument, _ in pickletools.genops(io.BytesIO(data)):
            if _PUSH_ARGUMENT.fullmatch(opcode.name):
                machine.push(argument)
            elif opcode.name not in _NOTHING:
                _EFFECTS[opcode.name](machine, argument)
        (value,) = machine.stack
    except Exception as error:
        # genops and the stack raise all manner of errors on a damaged or hostile file; each means: not plain data.
        raise DataError(f"{name}: expected a pickle of plain data, came something else ({error!r})") from error
    return value


def as_array(value: Any, name: str) -> npt.NDArray[np.uint8]:
    """The uint8 array that a pickle describes.

    Raises:
        DataError: it describes something else.
    """
    try:
        if value.function.name != "_reconstruct" or value.function.module.split(".")[0] != "numpy":
            raise ValueError("not a plain array")
        _, shape, kind, fortran, raw = value.state
        if kind.function != Name("numpy", "dtype") or kind.arguments[0] not in ("u1", "uint8"):
            raise ValueError("of another type")
        size = tuple(int(length) for length in shape)
        return np.frombuffer(as_bytes(raw), np.uint8).reshape(size, order="F" if fortran else "C")
    except (AttributeError, TypeError, ValueError, IndexError) as error:
        raise DataError(f"{name}: expected an array of unsigned bytes, came {_brief(value)} ({error})") from error


def as_bytes(value: Any) -> bytes:
    """Bytes, whether a pickle says them as such or as the text of Python 2.

    Raises:
        TypeError: it says something else.
    """
    if isinstance(value, str):
        return value.encode("latin-1")
    if isinstance(value, bytes):
        return value
    raise TypeError(f"no bytes but {_brief(value)}")


def _brief(value: Any) -> str:
    """A description that stays short: the `repr` of nested hostile data can be exponentially long."""
    if isinstance(value, Call):
        return (
            f"a call of {value.function.module}.{value.function.name}" if isinstance(value.function, Name) else "a call"
        )
    return f"a {type(value).__name__}"
