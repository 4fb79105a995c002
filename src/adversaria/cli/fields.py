"""The fields of a recipe on the command line: how each is written, what it may be, what it means.

All of it is read off the configuration types, so that a new field documents itself. Nothing here imports torch.
"""

import json
import shlex
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from types import UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from adversaria.cli.tables import page_width
from adversaria.errors import RecipeError, nearest
from adversaria.recipes import KINDS, Images, Recipe
from adversaria.recipes.config import Config

WORDS = {int: "whole number", float: "number", bool: "true or false", str: "text", type(None): "none"}
INDENT = "    "


class Entry(NamedTuple):
    """One field."""

    name: str
    """Dotted, as on the command line: `critic-optimiser.rate`."""
    value: str
    """What the recipe says, as one would type it."""
    meaning: str
    """Its docstring."""
    admits: str
    """What it may be: `number > 0`, `mlp or dcgan`."""


def entries(recipe: Recipe) -> list[Entry]:
    """All fields, each before those below it.

    >>> from adversaria.recipes import named
    >>> entries(named("bilinear"))[1]
    Entry(name='steps', value='500', meaning='Rounds of the game.', admits='whole number > 0')
    """
    return list(_below(recipe, ""))


def listing(recipe: Recipe, *, flags: bool) -> str:
    """The fields with their values, a paragraph for each part that has fields of its own.

    Arguments:
        flags: write fields as they are typed on a command line, else as equations.
    """
    width = page_width()
    found = entries(recipe)
    parts = {entry.name.partition(".")[0] for entry in found if "." in entry.name}
    lines: list[str] = []
    former = ""
    for entry in found:
        part = entry.name.partition(".")[0]
        if lines and part != former and not parts.isdisjoint((part, former)):
            lines.append("")
        former = part
        meaning = f"{entry.meaning} ({entry.admits})"
        lines.append(f"--{entry.name} {entry.value}" if flags else f"{entry.name} = {entry.value}")
        lines += textwrap.wrap(meaning, width, initial_indent=INDENT, subsequent_indent=INDENT, break_on_hyphens=False)
    return "\n".join(lines)


def changes(tokens: Sequence[str], options: Iterable[str]) -> dict[str, str]:
    """Values by field name, from `--name value` and `--name=value`.

    Arguments:
        options: flags that set no field, for hints.

    Raises:
        RecipeError: a value without a name, a name without a value, a name given twice, or one that no recipe has.

    >>> changes(["--generator.width", "32", "--averaging=none"], [])
    {'generator.width': '32', 'averaging': 'none'}
    """
    found: dict[str, str] = {}
    queue = list(tokens)
    while queue:
        flag, equals, value = queue.pop(0).partition("=")
        name = flag.removeprefix("--")
        if name == flag:
            raise RecipeError(f"unexpected '{flag}'; a field of the recipe is set by --name value")
        _check_name(name, options)
        if not equals:
            if not queue or queue[0].startswith("--"):
                raise RecipeError(f"--{name} needs a value, as in --{name} VALUE (true or false for a switch)")
            value = queue.pop(0)
        if name in found:
            raise RecipeError(f"--{name} is given twice, as '{found[name]}' and '{value}'; once is enough")
        found[name] = value
    return found


def _check_name(name: str, options: Iterable[str]) -> None:
    """Below its first part a name is checked with the recipe, where more is known."""
    fields = {field.replace("_", "-") for kind in KINDS for field in kind.model_fields}
    if name.partition(".")[0].replace("_", "-") not in fields:
        known = sorted({*(f"--{field}" for field in fields - {"kind"}), *options})
        raise RecipeError(f"no option or field '--{name}'{nearest(f'--{name}', known)}")


def _below(config: Config, above: str) -> Iterator[Entry]:
    for field, info in type(config).model_fields.items():
        if field == "kind":
            continue
        name, value = above + field.replace("_", "-"), getattr(config, field)
        yield Entry(name, _typed(value), info.description or "", _admits(info.annotation, info.metadata))
        parts = value if isinstance(value, tuple) else (value,)
        for place, part in enumerate(parts):
            if isinstance(part, Config):
                yield from _below(part, f"{name}.{place}." if isinstance(value, tuple) else f"{name}.")


def _typed(value: Any) -> str:
    """A value as it would be typed in a shell."""
    if isinstance(value, Images):
        return shlex.quote(value.source)
    if isinstance(value, Config):
        return getattr(value, "kind", "…")
    if value is None:
        return "none"
    if isinstance(value, str):
        return shlex.quote(value)
    plain = [getattr(part, "kind", part) for part in value] if isinstance(value, tuple) else value
    return shlex.quote(json.dumps(plain))


def _admits(annotation: Any, metadata: list[Any]) -> str:
    """What a type admits, in words."""
    *most, last = dict.fromkeys(_choices(annotation, metadata))
    return f"{', '.join(most)} or {last}" if most else last


def _choices(annotation: Any, metadata: list[Any]) -> list[str]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _choices(arguments[0], list(arguments[1:]))
    if origin is Literal:
        return list(map(str, arguments))
    if origin in (Union, UnionType):
        return [choice for argument in arguments for choice in _choices(argument, [])]
    if origin is tuple:
        members = [_admits(argument, []) for argument in arguments if argument is not ...]
        return [f"list of {members[0]}" if ... in arguments else f"[{', '.join(members)}]"]
    if annotation is Images:
        return ["a source of images"]
    if issubclass(annotation, Config):
        kind = annotation.model_fields.get("kind")
        return ["the fields below" if kind is None else str(kind.default)]
    return [" and ".join([WORDS[annotation], *_bounds(metadata)]).replace(" and ", " ", 1)]


def _bounds(metadata: list[Any]) -> Iterator[str]:
    for constraint in metadata:
        if isinstance(constraint, FieldInfo):
            yield from _bounds(constraint.metadata)
        for sign, bound in (("≥", "ge"), (">", "gt"), ("≤", "le"), ("<", "lt")):
            if (limit := getattr(constraint, bound, None)) is not None:
                yield f"{sign} {limit}"
