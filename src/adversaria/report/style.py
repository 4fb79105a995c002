"""One look for every figure: a few colours that always mean the same, thin axes, no ornament.

    real, held out   blue         what the generator is compared with
    real, trained on light blue   what it has seen
    generated        vermilion    what it made
    corrected        green        what a sampler made of that, by the critic

Where samplers are compared, the hue tells the sampler (`LOOKS`): green for Metropolis-Hastings, pink for rejection; and
line and marker tell whether its critic was calibrated: solid and full if it was, dashed and hollow if not.

The colours are those of Okabe and Ito, which people with any common colour blindness tell apart. Ten classes have the
ten of Petroff (`CLASSES`), in whose order each is as far as can be from those before it, to such people too; a class
is always named as well. Figures are drawn with the Agg and SVG back ends only and without pyplot, so no window and no
global state is involved. matplotlib is imported when the first figure is drawn, not before.

A figure used alone carries its colours as numbers; in the page `to_svg` names them instead (`var(--real)`), so that
one style sheet serves light and dark.

References:
    Okabe & Ito, "Color universal design", 2008, https://jfly.uni-koeln.de/color/;
    Petroff, "Accessible color sequences for data visualization", 2021, https://arxiv.org/abs/2107.02270.
"""

import functools
import io
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

REAL, TRAIN, FAKE = "#0072b2", "#56b4e9", "#d55e00"
FIRST, SECOND, THIRD, FOURTH = "#009e73", "#cc79a7", "#e69f00", "#7a7a7a"
INK, FAINT, GROUND = "#222222", "#bbbbbb", "#fefefe"

LINES = (FIRST, SECOND, THIRD, FOURTH, REAL, FAKE)
"""Colours of lines that are neither real nor generated: losses by phase, rates by player."""

CLASSES = (
    "#3f90da",
    "#ffa90e",
    "#bd1f01",
    "#94a4a2",
    "#832db6",
    "#a96b59",
    "#e76300",
    "#b9ac70",
    "#717581",
    "#92dadd",
)
"""Colours of classes; further ones begin again."""


@dataclass(frozen=True)
class Look:
    """How a group of samples is drawn: never told apart by colour alone."""

    colour: str
    line: str = "-"
    marker: str = "o"
    full: bool = True


LOOKS = {
    "real": Look(REAL, marker="x"),
    "generated": Look(FAKE),
    "GAN": Look(FAKE),
    "rejection": Look(SECOND, "--", "s", full=False),
    "rejection, calibrated": Look(SECOND, "-", "s"),
    "MH": Look(FIRST, "--", "^", full=False),
    "MH, calibrated": Look(FIRST, "-", "^"),
    "corrected": Look(FIRST, "-", "^"),
}
"""The look of each group, in the order in which they are shown; a figure may hold others beside these."""

_OTHERS = (Look(THIRD, "-", "D"), Look(FOURTH, "-", "v"), Look(TRAIN, "-", "P"), Look(INK, ":", "*"))


def looks(names: Iterable[str]) -> dict[str, Look]:
    """The look of each name, those of `LOOKS` first and in its order, then the others in theirs.

    >>> list(looks(["mine", "MH", "GAN"]))
    ['GAN', 'MH', 'mine']
    """
    given = list(names)
    others = [name for name in given if name not in LOOKS]
    known = {name: look for name, look in LOOKS.items() if name in given}
    return known | {name: _OTHERS[i % len(_OTHERS)] for i, name in enumerate(others)}


NAMES = {
    REAL: "real",
    TRAIN: "train",
    FAKE: "fake",
    FIRST: "first",
    SECOND: "second",
    THIRD: "third",
    FOURTH: "fourth",
    INK: "ink",
    FAINT: "faint",
    GROUND: "card",
}
"""The style sheet's name of each colour."""

WIDTH, HEIGHT = 3.7, 2.45
"""Inches of a panel: read at its own size on a telephone, three abreast on a desk."""

SETTINGS: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "legend.handlelength": 1.4,
    "legend.columnspacing": 1.2,
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.edgecolor": INK,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.formatter.limits": (-3, 5),
    "axes.formatter.use_mathtext": False,
    "grid.color": FAINT,
    "grid.linewidth": 0.4,
    "lines.linewidth": 1.4,
    "image.cmap": "cividis",
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "figure.dpi": 100,
    "svg.fonttype": "none",
    "text.parse_math": False,
}
"""matplotlib's parameters. `parse_math` is off because names come from users and may hold a dollar sign."""

P = ParamSpec("P")
T = TypeVar("T")


def styled(function: Callable[P, T]) -> Callable[P, T]:
    """Run a function that draws under `SETTINGS`, and leave matplotlib's own as they were."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        import matplotlib

        with matplotlib.rc_context(SETTINGS):
            return function(*args, **kwargs)

    return run


def panel(width: float = WIDTH, height: float = HEIGHT) -> "tuple[Figure, Axes]":
    """An empty figure of one panel, sizes in inches; it fits its labels into the frame itself."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def panels(rows: int, columns: int, *, width: float, height: float, shared: bool) -> "tuple[Figure, list[Axes]]":
    """An empty figure of rows × columns panels, sizes in inches of the whole; row by row.

    Arguments:
        rows, columns: how many.
        width, height: of the figure.
        shared: whether all panels have the same axes.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    found = figure.subplots(rows, columns, sharex=shared, sharey=shared, squeeze=False)
    return figure, list(found.flat)


def stacked_panels(heights: Sequence[float], *, width: float, height: float) -> "tuple[Figure, list[Axes]]":
    """An empty figure of panels one under another, `heights` in proportion, sizes in inches of the whole."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    found = figure.subplots(len(heights), 1, squeeze=False, height_ratios=list(heights))
    return figure, list(found.flat)


def legend(figure: "Figure", axes: "Axes", columns: int = 3) -> None:
    """The legend above the panel, where it covers nothing; none if nothing is labelled."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside upper left", ncols=columns, borderpad=0.2)


def judged() -> "Colormap":
    """Colours of a critic's score: generated's colour where low, nearly white halfway, real's where high."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("judged", [FAKE, "#f3ede7", REAL])


@styled
def to_svg(figure: "Figure", name: str, *, description: str) -> str:
    """A figure as an `<svg>` element to stand in a page: equal figures give equal text.

    Arguments:
        figure: what to write.
        name: unlike that of any other figure of the page, for the ids inside.
        description: what a reader who cannot see it is told.
    """
    import matplotlib

    buffer = io.StringIO()
    silent = {"Creator": None, "Date": None, "Format": None, "Type": None}
    with matplotlib.rc_context({"svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", metadata=silent)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    svg = re.sub(r'style="[^"]*"', _name_colours, svg)
    svg = re.sub(r' width="[^"]*pt" height="[^"]*pt"', "", svg, count=1)
    return svg.replace("<svg", f'<svg role="img" aria-label="{_escaped(description)}"', 1)


def _name_colours(style: re.Match[str]) -> str:
    text = style.group()
    for colour, name in NAMES.items():
        text = text.replace(colour, f"var(--{name})")
    return text


def _escaped(text: str) -> str:
    from xml.sax.saxutils import escape

    return escape(text, {'"': "&quot;"})
