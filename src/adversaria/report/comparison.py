"""The section "Before and after": what correction made of the samples, and whether it is to be believed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from adversaria.report import before_after, figures, words
from adversaria.report.exhibits import Chart, Picture, grid
from adversaria.report.material import Corrected, Images, Points
from adversaria.report.memory import preference
from adversaria.report.style import LOOKS


@dataclass(frozen=True)
class Fact:
    """A line of the table."""

    what: str
    value: str
    meaning: str


@dataclass(frozen=True)
class Comparison:
    """The exhibits of corrected samples."""

    done: str
    verdict: str
    before: Picture | None
    after: Picture | None
    points: list[Chart]
    charts: list[Chart]
    facts: list[Fact]
    notes: list[str]


def of_corrected(made: Corrected, shown: Images | Points | None) -> Comparison:
    """The exhibits of corrected samples, beside what else is shown of the model."""
    images = made.after.ndim == 4
    return Comparison(
        done=_done(made.diagnostics),
        verdict=_verdict(made),
        before=_picture(made.before, "Generated images, before correction") if images else None,
        after=_picture(made.after, "Generated images, after correction") if images else None,
        points=_points(made, shown) if isinstance(shown, Points) else [],
        charts=_charts(made),
        facts=_facts(made),
        notes=[f"{note[:1].upper()}{note[1:]}." for note in made.diagnostics.get("notes", ())],
    )


def _picture(images: np.ndarray, alt: str) -> Picture:
    columns = 8 if max(images.shape[-2:]) <= 64 else 6
    return grid(images[: columns**2], columns, alt)


def _done(diagnostics: Mapping[str, Any]) -> str:
    length, samples = int(diagnostics["chain_length"]), int(diagnostics["samples"])
    return (
        f"Each corrected sample is the end of a chain of {words.count(length, 'proposal')} of the generator "
        f"(Metropolis-Hastings). A chain leaves its sample for a proposal that the critic's ratio of real to generated "
        f"favours, and starts at the ratio of a real sample. {samples:,} were drawn in this way, not selected."
    )


def _verdict(made: Corrected) -> str:
    said, scores = [], made.scores
    if {"real", "generated", "corrected"} <= scores.keys():
        before, _ = preference(scores["real"], scores["generated"])
        after, error = preference(scores["real"], scores["corrected"])
        said.append(words.judge_correction(before, after, error))
    said.append(words.judge_chains(made.diagnostics["restarts"], made.diagnostics["samples"]))
    return " ".join(filter(None, said))


# --- charts --------------------------------------------------------------------------------------------------------


def _points(made: Corrected, shown: Points) -> list[Chart]:
    said = f"{words.count(len(made.after), 'sample')} each."
    if shown.at is not None:
        groups = {"real": shown.real[: len(made.after)], "generated": made.before, "corrected": made.after}
        figure = before_after.density_before_after(shown.at, shown.density, groups)
        described = "Histograms of real, generated and corrected points beside the exact density"
        return [Chart.of(figure, "density before and after", "Samples", described, said)]
    view = shown.view or figures.window(shown.real)
    marked = " Crosses mark the modes." if shown.modes is not None else ""
    return [
        Chart.of(
            figures.scatter(points, view, colour=LOOKS[name].colour, marks=shown.modes),
            title,
            title,
            f"{len(points)} {name} points",
            f"{words.count(len(points), 'sample')}.{marked}",
        )
        for title, name, points in (
            ("Before: generated", "generated", made.before),
            ("After: corrected", "corrected", made.after),
        )
    ]


def _modes(made: Corrected) -> list[Chart]:
    if not made.counts:
        return []
    described = f"Shares of {len(made.counts['corrected'])} modes among real, generated and corrected points"
    caption = "Points by nearest mode. Corrected shares are as right as the critic is about each mode."
    figure = before_after.modes_before_after(made.counts)
    return [Chart.of(figure, "modes before and after", "Modes", described, caption)]


def _charts(made: Corrected) -> list[Chart]:
    length = int(made.diagnostics["chain_length"])
    return [
        Chart.of(
            before_after.scores_before_after(made.scores),
            "scores before and after",
            "Critic's scores",
            f"Histograms of the critic's scores of {words.listed(list(made.scores))} samples",
            "If the correction holds, its line follows the surface of real samples that the critic has not seen.",
        ),
        *_modes(made),
        Chart.of(
            before_after.reliability(None if made.raw is None else made.raw.bins, made.calibrated.bins),
            "reliability",
            "Is the critic to be believed?",
            "Share of real samples against the probability that the critic gives them",
            "On samples that took no part in calibration. On the diagonal it is right; bars are 95 % intervals, and "
            "the area of a point is its number of samples.",
        ),
        Chart.of(
            before_after.chain_positions(made.positions, length),
            "positions",
            "Do the chains move?",
            "Where in its chain each sample was accepted",
            "A chain that still moves at its end has its sample from there. Samples from the start are stuck chains.",
        ),
    ]


# --- numbers -------------------------------------------------------------------------------------------------------


def _facts(made: Corrected) -> list[Fact]:
    found = made.diagnostics
    spent, effective = found.get("proposals_per_sample"), found.get("effective_sample_size_per_proposal")
    return [
        Fact("chain length", f"{found['chain_length']:,}", "proposals in each chain"),
        Fact("proposals per sample", _number(spent), "generated and scored for each sample kept"),
        Fact("acceptance rate", _percent(found["acceptance"]), "of proposals were accepted"),
        Fact("effective sample size", _number(effective), "per proposal; 1 if nothing needed correcting"),
        Fact("restarts", _restarts(found), "chains that never moved, begun anew from a generated sample: a bias"),
        Fact("calibration", str(found.get("calibration", "")), ""),
        Fact("Dawid's Z", _z(made, "dawid"), "within ±2 if the ratio is right on average"),
        Fact("Spiegelhalter's Z", _z(made, "spiegelhalter"), "above 2 if over-confident, below −2 if too timid"),
    ]


def _z(made: Corrected, field: str) -> str:
    """Of the calibrated critic, and of it as it was trained."""
    raw = "" if made.raw is None else f" (uncalibrated {getattr(made.raw, field):+.2f})"
    return f"{getattr(made.calibrated, field):+.2f}{raw}".replace("-", "−")


def _number(value: float | None) -> str:
    return "—" if value is None else words.number(value)


def _percent(share: float) -> str:
    return f"{words.number(100 * share)} %"


def _restarts(found: Mapping[str, Any]) -> str:
    return f"{found['restarts']:,} of {found['samples']:,}"
