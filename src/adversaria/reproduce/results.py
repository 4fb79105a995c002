"""What a study found, beside what was published: a table, its notes, and which figures were reached."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from adversaria.metrics.estimate import Estimate
from adversaria.reproduce.ledger import Finished
from adversaria.reproduce.study import (
    Column,
    Floor,
    Mean,
    Shown,
    Since,
    Study,
    Tier,
    TierName,
    Value,
    Verdict,
    mean,
    number,
)

NOTHING = "–"
"""Stands in an empty cell."""


@dataclass(frozen=True)
class Results:
    """The finished runs of a study in one tier.

    Arguments:
        study: what was to be found.
        tier: how long its runs were.
        finished: of those runs; some may be missing.
    """

    study: Study
    tier: TierName
    finished: Sequence[Finished]

    @property
    def plan(self) -> Tier:
        """What was to be played."""
        return self.study.tiers[self.tier]

    @property
    def command(self) -> str:
        """What makes these results."""
        return f"adversaria reproduce {self.study.name} --tier {self.tier}"

    @property
    def complete(self) -> bool:
        """Whether every run of the tier is there."""
        there = {(line.label, line.seed) for line in self.finished}
        return all((line.label, seed) in there for line, seed in self.plan.cells())

    def of(self, label: str) -> list[Finished]:
        """The finished runs of a row, in the order of its seeds; what the plan no longer has is left out."""
        shown = self._shown(label)
        if shown is None:
            return []
        runs = {(run.label, run.seed): run for run in self.finished}
        return [runs[key] for seed in shown.line.seeds if (key := (shown.line.label, seed)) in runs]

    def mean(self, label: str, key: str) -> Mean | None:
        """The value of a cell; None if no run has one."""
        since = next((column.since for column in self.study.columns if column.key == key), None)
        values = self._values(label, key) if since is None else self._changes(label, since)
        return mean(list(values.values())) if values else None

    def _values(self, label: str, key: str) -> dict[int, Value]:
        """By seed."""
        shown = self._shown(label)
        name = key + (shown.suffix if shown else "")
        return {run.seed: run.values[name] for run in self.of(label) if name in run.values}

    def _changes(self, label: str, since: Since) -> dict[int, Value]:
        """By seed, where both rows have a value. Of one seed the error is not known: the two were measured alike."""
        other = since.row(label)
        before = {} if other is None else self._values(other, since.value)
        now = self._values(label, since.value)
        return {seed: number(now[seed]) - number(before[seed]) for seed in now if seed in before}

    def verdicts(self) -> list[Verdict]:
        """Every published figure that ours is judged by."""
        return [
            Verdict(label, column, ours, figure)
            for label, figures in self.study.published.items()
            for column in self.study.columns
            if column.better and (figure := figures.get(column.key)) and (ours := self.mean(label, column.key))
        ]

    def table(self) -> str:
        """The table in Markdown, made to be read as plain text too; below it, its notes and what was missed."""
        notes = _Notes()
        rows = [self._heads(), *(self._cells(label, notes) for label in self._labels())]
        below = [f"- {note}" for note in (*notes.numbered(), *self._errors(), *self._cautions(), *self._failures())]
        parts = [_markdown(rows), "\n".join(below), "\n".join(self._judged())]
        return "\n\n".join(part for part in parts if part)

    def to_json(self) -> dict[str, Any]:
        """Everything, for `json.dumps`."""
        return {
            "study": self.study.name,
            "title": self.study.title,
            "source": self.study.source,
            "tier": self.tier,
            "command": self.command,
            "complete": self.complete,
            "rows": [self._row_json(label) for label in self._labels()],
            "runs": [line.to_json() for line in self.finished],
        }

    # --- cells ---

    def _labels(self) -> list[str]:
        """Rows of the plan in order, then the rows that are only published."""
        return list(dict.fromkeys([*(shown.label for shown in self.plan.rows()), *self.study.published]))

    def _shown(self, label: str) -> Shown | None:
        return next((shown for shown in self.plan.rows() if shown.label == label), None)

    def _has_published(self, column: Column) -> bool:
        return any(column.key in figures for figures in self.study.published.values())

    def _heads(self) -> list[str]:
        heads = ["", "seeds"]
        for column in self.study.columns:
            heads += [column.title, self.study.beside] if self._has_published(column) else [column.title]
        return heads

    def _cells(self, label: str, notes: "_Notes") -> list[str]:
        count = len(self.of(label))
        cells = [label, str(count) if count else NOTHING]
        for column in self.study.columns:
            cells.append(self._ours(label, column, count))
            if self._has_published(column):
                figure = self.study.published.get(label, {}).get(column.key)
                cells.append(NOTHING if figure is None else f"{figure}{notes.mark(figure.note)}")
        return cells

    def _ours(self, label: str, column: Column, count: int) -> str:
        ours = self.mean(label, column.key)
        if ours is None:
            return NOTHING
        return column.shown(ours) + ("" if ours.seeds == count else f" ({ours.seeds} of {count})")

    def _row_json(self, label: str) -> dict[str, Any]:
        keys = [column.key for column in self.study.columns]
        means = {key: ours for key in keys if (ours := self.mean(label, key)) is not None}
        return {
            "label": label,
            "seeds": [run.seed for run in self.of(label)],
            "ours": {key: vars(ours) for key, ours in means.items()},
            "published": {key: vars(figure) for key, figure in self.study.published.get(label, {}).items()},
            "reached": {v.column.key: v.reached for v in self.verdicts() if v.label == label},
        }

    # --- notes ---

    def _judged(self) -> Iterator[str]:
        verdicts = self.verdicts()
        missed = [f"- {verdict}" for verdict in verdicts if not verdict.reached]
        if verdicts:
            yield f"Reached {len(verdicts) - len(missed)} of {len(verdicts)} {self.study.beside} figures."
            yield from missed

    def _errors(self) -> Iterator[str]:
        """What ± means, as far as there are any."""
        one, several = [], False
        for shown in self.plan.rows():
            means = [self.mean(shown.label, column.key) for column in self.study.columns]
            known = [ours for ours in means if ours is not None and ours.se is not None]
            several |= any(ours.seeds > 1 for ours in known)
            if any(ours.seeds == 1 for ours in known):
                one.append(shown)
        if several:
            yield "± is the standard error over seeds (sd/√S)."
        if one:
            labels = ", ".join(shown.label for shown in one)
            trained = any(not isinstance(shown.line, Floor) for shown in one)
            unknown = "; how another seed of training would differ is not known" if trained else ""
            yield f"One seed ({labels}): ± is the standard error of the measurement alone{unknown}."

    def _cautions(self) -> Iterator[str]:
        """What the measurements say of themselves."""
        values = [
            run.values.get(column.key + shown.suffix)
            for shown in self.plan.rows()
            for run in self.of(shown.label)
            for column in self.study.columns
        ]
        yield from dict.fromkeys(note for value in values if isinstance(value, Estimate) for note in value.notes)

    def _failures(self) -> Iterator[str]:
        for line in self.finished:
            if line.failure is not None:
                yield f"{line.label}, seed {line.seed}, failed: {line.failure}"


class _Notes:
    """Notes to single cells, numbered in order of appearance."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def mark(self, text: str | None) -> str:
        if text is None:
            return ""
        if text not in self._texts:
            self._texts.append(text)
        return f" [{self._texts.index(text) + 1}]"

    def numbered(self) -> list[str]:
        return [f"[{number}] {text}" for number, text in enumerate(self._texts, 1)]


def _markdown(rows: list[list[str]]) -> str:
    widths = [max(3, *(len(row[place]) for row in rows)) for place in range(len(rows[0]))]
    padded = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows]
    lines = [padded[0], ["-" * width for width in widths], *padded[1:]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
