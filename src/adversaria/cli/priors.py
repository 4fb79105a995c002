"""`adversaria prior`: search for a law of least mismatch, and look at one."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter
from cyclopts.types import PositiveInt

from adversaria.cli.root import AsJson, Switch

if TYPE_CHECKING:
    from adversaria.priors import Histogram, Solution

prior = App(
    name="prior",
    help="Search for the law of latents that differs least from that of its own interpolates; look at one.",
    help_format="plaintext",
    sort_key=10,
)

Shares = Annotated[list[float] | None, Parameter(consume_multiple=True, negative=())]
FORMATS = (".png", ".svg", ".pdf")
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5)
"""At which a law's mismatch is told; it is symmetric about ½."""


@prior.command(sort_key=1)
def solve(
    *,
    bins: PositiveInt = 1024,
    variance_floor: float = 768.0,
    lambdas: Shares = None,
    midpoints: Literal["shared", "even"] = "shared",
    symmetric: Switch = False,
    out: Path | None = None,
    picture: Path | None = None,
    overwrite: Switch = False,
    as_json: AsJson = False,
) -> str:
    """Search for the histogram that differs least from the law of its own interpolates.

    Prints its certificate, saves it, and draws it beside the law of its interpolate.

    Arguments:
        bins: Bins of the histogram, at least 3.
        variance_floor: Least variance, in bins².
        lambdas: Shares of the way at which the interpolate is judged, the mean over them; 0.5 if not given. Others than
            0.5 take about a hundred times as long.
        midpoints: What becomes of a point between two bins: shared by both, or dropped (even), as in the published
            code, whose least value is a useless 0.
        symmetric: Demand a law that is symmetric about its centre. Without, the best law keeps to one end of its
            support.
        out: Where to save the law, as npz; prior.npz if not given.
        picture: Where to draw it, as png, svg or pdf; beside --out, as png, if not given.
        overwrite: Replace files that are there.
        as_json: Print the certificate as JSON.
    """
    from adversaria.cli.places import new_file

    target = new_file(out or Path("prior.npz"), overwrite=overwrite)
    drawn = _picture_at(picture or target.with_suffix(".png"), overwrite)
    from adversaria.priors import solve_nonparametric

    found = solve_nonparametric(
        bins, variance_floor, tuple(lambdas or (0.5,)), midpoints=midpoints, symmetric=symmetric
    )
    found.save(target)
    return _told(found, {"saved": str(target)}, drawn, found.lambdas[0], as_json)


@prior.command(sort_key=2)
def show(
    law: Path | None = None,
    /,
    *,
    share: float = 0.5,
    picture: Path | None = None,
    overwrite: Switch = False,
    as_json: AsJson = False,
) -> str:
    """Print the certificate of a law that was solved, and draw it beside the law of its interpolate.

    Arguments:
        law: File written by: adversaria prior solve. The one that recipes take as --prior nonparametric if not given.
        share: Share of the way at which the interpolate is drawn.
        picture: Where to draw it, as png, svg or pdf; prior.png if not given.
        overwrite: Replace a picture that is there.
        as_json: Print the certificate as JSON.
    """
    drawn = _picture_at(picture or Path("prior.png"), overwrite)
    from adversaria.priors import Solution
    from adversaria.priors.nonparametric import solved_beforehand

    found = solved_beforehand() if law is None else Solution.load(law)
    return _told(found, {}, drawn, share, as_json)


def _picture_at(path: Path, overwrite: bool) -> Path:
    from adversaria.cli.places import new_file
    from adversaria.errors import RunError

    if path.suffix.lower() not in FORMATS:
        raise RunError(f"{path}: pictures are drawn as {', '.join(FORMATS)}; choose another --picture")
    return new_file(path, overwrite=overwrite)


def _told(found: "Solution", facts: dict[str, Any], picture: Path, share: float, as_json: bool) -> str:
    law = found.prior(1)
    mismatch = {f"{t:g}": law.mismatch(t) for t in dict.fromkeys([*SHARES, *found.lambdas])}
    _draw(law, share, picture)
    facts |= {"picture": str(picture)}
    if as_json:
        return json.dumps(certificate(found) | {"mismatch": mismatch} | facts, indent=2)
    from adversaria.cli.tables import aligned

    rows = [
        *_rows(found),
        ("as a density", "mismatch " + ", ".join(f"{value:.4f} at λ = {t}" for t, value in mismatch.items())),
    ]
    return aligned([*rows, *facts.items()])


def certificate(found: "Solution") -> dict[str, Any]:
    """What is known of a solution, for `json.dumps`; a start from which the constraints were not met has null."""
    starts = {name: value if value == value else None for name, value in found.starts.items()}
    return {
        "objective": found.objective,
        "lambdas": list(found.lambdas),
        "midpoints": found.midpoints,
        "residual": found.residual,
        "slack": found.slack,
        "iterations": found.iterations,
        "starts": starts,
        "bins": len(found.mass),
        "variance_floor": found.variance_floor,
        "variance": _variance(found),
    }


def _variance(found: "Solution") -> float:
    from adversaria.priors.constraints import variance

    return variance(found.mass)


def _rows(found: "Solution") -> list[tuple[str, str]]:
    from adversaria.priors import deviation

    law, mass = found.prior(1), found.mass
    shares = ", ".join(f"{share:g}" for share in found.lambdas)
    starts = ", ".join(
        f"{name} {f'{value:.7f}' if value == value else 'did not meet the constraints'}"
        for name, value in found.starts.items()
    )
    place = round(float(law.mean[0]), 4) + 0.0  # no minus before a zero
    return [
        ("objective", f"{found.objective:.9f} nats per dimension, at λ = {shares}, mid-points {found.midpoints}"),
        ("residual", f"{found.residual:.1e} of the conditions for a stationary point"),
        ("constraints", f"broken by {max(found.slack, 0.0):.1e} at most, of 1; variance {_variance(found):.2f} bins²"),
        ("", f"(at least {found.variance_floor:g}) on {len(mass)} bins"),
        ("iterations", str(found.iterations)),
        ("starts", starts),
        ("the law", f"on (−2, 2): mean {place:g}, σ {deviation(law):.4f}, likeliest bin {100 * mass.max():.1f} %"),
    ]


def _draw(law: "Histogram", share: float, path: Path) -> None:
    import numpy as np

    from adversaria.files import atomic_file
    from adversaria.report.priors import law_and_interpolate

    edges = law.cells.edges
    # The interpolate has finer cells; what is drawn is what the grid of the law's own bins sees.
    q = np.diff(law.interpolate_law(share).cells.cdf(edges))
    figure = law_and_interpolate(edges, law.mass, q, share=share)
    with atomic_file(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:].lower(), dpi=120, facecolor="white")
