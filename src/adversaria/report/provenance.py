"""Where a run came from, and the commands that make it again or carry it on."""

import json
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adversaria import recipes
from adversaria.errors import AdversariaError


@dataclass(frozen=True)
class Provenance:
    """What stands in `recipe.json` beside the recipe."""

    versions: Mapping[str, str]
    started: str | None = None
    git: str | None = None
    data: Mapping[str, Any] | None = None
    """name, fingerprint, train, calibration, held_out; None where a game needs no data."""
    device: str | None = None

    def rows(self) -> list[tuple[str, str]]:
        """All that is known, as (what, value), for a table."""
        rows = [("started", self.started), ("device", self.device), ("git commit", self.git)]
        rows += [(f"version of {name}", str(version)) for name, version in self.versions.items()]
        data = self.data or {}
        rows += [("data", data.get("name")), ("data fingerprint (SHA-256)", data.get("fingerprint"))]
        rows += [("images trained on", data.get("train"))]
        rows += [("images kept to calibrate", data.get("calibration")), ("images held out", data.get("held_out"))]
        return [(what, f"{v:,}" if isinstance(v, int) else str(v)) for what, v in rows if v is not None]


@dataclass(frozen=True)
class Commands:
    """What to type."""

    train: str
    """To play the recipe again."""
    resume: str
    report: str
    evaluate: str
    correct: str
    """To draw corrected samples."""


def commands(recipe: recipes.Recipe, path: Path, *, seed: int) -> Commands:
    """The commands for a run at `path` whose page is drawn with `seed`."""
    folder = shown_path(path)
    quoted, beside = shlex.quote(folder), shlex.quote(f"{folder}-corrected")
    return Commands(
        train=train_command(recipe, folder),
        resume=f"adversaria resume {quoted}",
        report=f"adversaria report {quoted}" + (f" --seed {seed}" if seed else ""),
        evaluate=f"adversaria evaluate {quoted} --floor",
        correct=f"adversaria sample {quoted} --method mh --chain-length auto --out {beside}",
    )


def train_command(recipe: recipes.Recipe, folder: str) -> str:
    """The command that plays the recipe again, in a new folder beside the old one.

    A recipe that differs from the published one of its name is written as that name and the fields that differ, if
    reading them back gives the very same recipe; else by the run's own file.
    """
    source, flags = f"{folder}/recipe.json", {}
    try:
        published = recipes.named(recipe.name)
        changes = differences(published.model_dump(mode="json"), recipe.model_dump(mode="json"))
        if recipes.read(recipe.name, changes) == recipe:
            source, flags = recipe.name, changes
    except AdversariaError:
        pass
    words = ["adversaria", "train", source]
    for name, value in flags.items():
        words += [f"--{name.replace('_', '-')}", value]
    return shlex.join([*words, "--out", f"{folder}-again"])


def differences(old: Any, new: Any, path: str = "") -> dict[str, str]:
    """The fields in which a tree differs from another, by dotted name, as the command line takes them.

    >>> differences({"steps": 9, "data": {"kind": "a", "n": 1}}, {"steps": 5, "data": {"kind": "a", "n": 2}})
    {'steps': '5', 'data.n': '2'}
    """
    if old == new:
        return {}
    if isinstance(new, dict) and list(new) == ["kind"]:
        return {path: new["kind"]}
    same_kind = isinstance(old, dict) and isinstance(new, dict) and old.get("kind") == new.get("kind")
    if not same_kind:
        return {path: new if isinstance(new, str) else json.dumps(new)}
    found: dict[str, str] = {}
    for name, value in new.items():
        found |= differences(old.get(name), value, f"{path}.{name}" if path else name)
    return found


def shown_path(path: Path) -> str:
    """A path as one would type it here: relative where it lies below the current folder."""
    absolute, here = Path(os.path.abspath(path)), Path.cwd()
    return str(absolute.relative_to(here)) if absolute.is_relative_to(here) else str(absolute)
