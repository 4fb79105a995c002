r"""A study: a published table or figure, as data and one function.

    lines        a recipe and its seeds, or something that needs no training, by the label of its row; or by the labels
                 of several, where one run is shown in several ways
    measure      run → values by name
    published    the figures to stand beside, by row and column

Over S seeds with values v_1 … v_S the table shows

    v̄ ± √( Σ (v_s − v̄)² / (S − 1) ) / √S,

which holds the error of each measurement and the differences between trainings alike. With one seed the second is
unknown; then the error of the measurement alone is shown, and said to be that.

A new study is one file beside this one and one name in `STUDIES`. Samplers to compare are parts of a line; a curve over
training is measured from the run's checkpoints, or from its events, and kept under names that are no column, as
`high_quality@2000/MH, calibrated`.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from adversaria.errors import RecipeError
from adversaria.metrics.estimate import Estimate
from adversaria.recipes import Recipe
from adversaria.runs import Run

Value = Estimate | float
"""What was measured, with its error where that is known."""

Values = Mapping[str, Value]
"""Measured values by name: the key of a column, or any other name, which is kept but not tabulated."""

TierName = Literal["quick", "full"]
"""quick: all its runs together take at most 60 minutes on 2 CPU cores. full: the published length, on a GPU."""


@dataclass(frozen=True)
class Row:
    """A line of the table: a recipe, played once for each seed.

    Arguments:
        label: names the line, and the folders of its runs.
        recipe: its own seed is replaced.
        seeds: at least one.
        together: play all seeds at once. For small networks, in runs that are long enough to repay compiling.
        parts: if any, the table has a row for each in place of one for the run; in the row of part p stand the values
            named `key/p`.
    """

    label: str
    recipe: Recipe
    seeds: tuple[int, ...] = (0,)
    together: bool = False
    parts: tuple[str, ...] = ()

    def seeded(self, seed: int) -> Recipe:
        """The recipe with that seed."""
        return self.recipe.model_copy(update={"seed": seed})


@dataclass(frozen=True)
class Floor:
    """A line of the table that needs no training: what real samples score by the same measure.

    Arguments:
        label: names the line.
        measure: seed → values.
        seeds: at least one.
        parts: as of a `Row`.
    """

    label: str
    measure: Callable[[int], Values]
    seeds: tuple[int, ...] = (0,)
    parts: tuple[str, ...] = ()


class Shown(NamedTuple):
    """A row of the table: a line, or a part of one."""

    label: str
    line: Row | Floor
    suffix: str
    """Of the names of its values, after the key of the column."""


@dataclass(frozen=True)
class Tier:
    """One length of a study.

    Arguments:
        lines: of the table, in order.
        minutes: planned for all of them, training and measuring, on `machine`.
        machine: what the plan is for.

    Raises:
        RecipeError: two lines would share a run folder, two rows have one label, or a line has no seed.
    """

    lines: tuple[Row | Floor, ...]
    minutes: float
    machine: str = "2 CPU cores"

    def __post_init__(self) -> None:
        folders = [folder_name(line.label, seed) for line, seed in self.cells()]
        if len(set(folders)) < len(folders) or not all(line.seeds for line in self.lines):
            raise RecipeError(f"each line of a study needs seeds, and a folder for each of its own; got {folders}")
        labels = [shown.label for shown in self.rows()]
        if len(set(labels)) < len(labels):
            raise RecipeError(f"each row of a table needs a label of its own; got {labels}")

    def rows(self) -> Iterator["Shown"]:
        """What stands in the table, row by row."""
        for line in self.lines:
            if not line.parts:
                yield Shown(line.label, line, "")
            for part in line.parts:
                yield Shown(part, line, f"/{part}")

    def cells(self) -> Iterator[tuple[Row | Floor, int]]:
        """Each line with each of its seeds."""
        return ((line, seed) for line in self.lines for seed in line.seeds)


def folder_name(label: str, seed: int) -> str:
    """The folder of one run of a line.

    >>> folder_name("WGAN, 5 steps", 1)
    'wgan-5-steps-seed1'
    """
    return f"{re.sub(r'[^a-z0-9]+', '-', label.lower()).strip('-')}-seed{seed}"


# --- figures ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Published:
    """A published figure, kept as it was printed.

    Arguments:
        value: the number, in the digits of its source.
        spread: what stands behind its ±, if anything.
        note: what a reader must know before comparing: how sure the figure is, how its protocol differs.

    >>> figure = Published("24.8", "0.4")
    >>> print(figure)
    24.8 ± 0.4
    >>> float(figure), figure.precision
    (24.8, 0.05)
    >>> Published("6.8e-5").precision
    5e-07
    """

    value: str
    spread: str | None = None
    note: str | None = None

    def __str__(self) -> str:
        return self.value if self.spread is None else f"{self.value} ± {self.spread}"

    def __float__(self) -> float:
        return float(self.value)

    @property
    def precision(self) -> float:
        """Half a unit of the last digit printed."""
        digits, _, power = self.value.lower().partition("e")
        places = len(digits.partition(".")[2])
        return float(f"5e{int(power or 0) - places - 1}")


@dataclass(frozen=True)
class Mean:
    """What stands in a cell of the table.

    Arguments:
        value: the mean over seeds.
        se: its standard error over seeds; of one seed, the error of the measurement alone; None where unknown.
        seeds: how many.
    """

    value: float
    se: float | None
    seeds: int


def number(value: Value) -> float:
    """A value without its error."""
    return float(value.value if isinstance(value, Estimate) else value)


def mean(values: Sequence[Value]) -> Mean:
    """Mean and standard error over seeds, by the formula of the module's docstring.

    Raises:
        ValueError: there are no values.

    >>> mean([1.0, 3.0])
    Mean(value=2.0, se=1.0, seeds=2)
    >>> mean([1.0])
    Mean(value=1.0, se=None, seeds=1)
    """
    if not values:
        raise ValueError("a mean needs at least one value, got none")
    numbers, count = [number(value) for value in values], len(values)
    if count == 1:
        return Mean(numbers[0], values[0].se if isinstance(values[0], Estimate) else None, 1)
    centre = math.fsum(numbers) / count
    variance = math.fsum((number - centre) ** 2 for number in numbers) / (count - 1)
    return Mean(centre, math.sqrt(variance / count), count)


class Since(NamedTuple):
    """A change, run by run, so that what the runs have in common drops out: the value of a row less that of another.

    Arguments:
        value: the name of the values.
        row: the label of a row → that of the row whose values are taken off; None: it has none.
    """

    value: str
    row: Callable[[str], str | None]


@dataclass(frozen=True)
class Column:
    """A column of the table.

    Arguments:
        key: the name of the values in it; with `since`, any name that no value has.
        title: its heading.
        better: "higher" or "lower" reaches a published figure by being as good or better; "equal" by agreeing to its
            last digit. None: shown beside the published figure, not judged.
        digits: significant digits of a value that comes without an error.
        since: the column shows changes instead of values.
    """

    key: str
    title: str
    better: Literal["higher", "lower", "equal"] | None = None
    digits: int = 4
    since: Since | None = None

    def shown(self, ours: Mean) -> str:
        """The value with its error; the error decides the digits."""
        if ours.se is None:
            return f"{ours.value:.{self.digits}g}"
        return str(Estimate(ours.value, ours.se, (0, 0), self.key))


@dataclass(frozen=True)
class Verdict:
    """Whether a published figure was reached.

    >>> ours = mean([0.60, 0.64])
    >>> print(Verdict("GAN", Column("hq", "high quality", "higher"), ours, Published("0.70", "0.09")))
    GAN, high quality: 0.620 ± 0.020 against 0.70 ± 0.09: missed by 0.08
    """

    label: str
    column: Column
    ours: Mean
    published: Published

    @property
    def reached(self) -> bool:
        """As good or better, or equal to the last digit printed, as the column demands."""
        excess, rounding = self._excess, 1e-9 * abs(float(self.published))
        match self.column.better:
            case "higher":
                return excess >= -rounding
            case "lower":
                return excess <= rounding
            case _:
                return abs(excess) <= self.published.precision + rounding

    @property
    def _excess(self) -> float:
        return self.ours.value - float(self.published)

    def __str__(self) -> str:
        figures = f"{self.column.shown(self.ours)} against {self.published}"
        outcome = "reached" if self.reached else f"missed by {abs(self._excess):.2g}"
        return f"{self.label}, {self.column.title}: {figures}: {outcome}"


# --- the study -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Study:
    """A published table or figure.

    Arguments:
        name: what the command line calls it.
        title: of its section.
        source: authors, year, link.
        tiers: "quick" and "full".
        measure: run → values; given finished runs only.
        columns: of the table.
        published: figures by row and column key. A row that is not played here is shown too, with its published
            figures alone.
        beside: what the published figures are headed with.
        about: what is compared, and what a reader must know.
    """

    name: str
    title: str
    source: str
    tiers: Mapping[TierName, Tier]
    measure: Callable[[Run], Values]
    columns: tuple[Column, ...]
    published: Mapping[str, Mapping[str, Published]] = field(default_factory=dict)
    beside: str = "published"
    about: str = ""
