"""What the page shows of walks between latents."""

from collections.abc import Mapping
from dataclasses import dataclass

from adversaria.report.exhibits import Chart, Picture, grid
from adversaria.report.material import Curve, Walking
from adversaria.report.priors import along_walks


@dataclass(frozen=True)
class WalkingHall:
    """The exhibits of measured walks."""

    strips: list[tuple[str, Picture]]
    """By the name of the walk."""
    charts: list[Chart]
    rows: list[tuple[str, str, str]]
    """Walk, what its middle costs, and its path length."""
    said: str


def of_walking(shown: Walking, *, step: int) -> WalkingHall:
    """The exhibits; `step` is that of the page."""
    then = "" if shown.step == step else f" The figures are those of step {shown.step:,}."
    return WalkingHall(
        strips=[
            (name, grid(images.reshape(-1, *images.shape[2:]), images.shape[1], f"Images along {name} walks"))
            for name, images in shown.shown.items()
        ],
        charts=[_chart(shown.kernel, "kernel"), _chart(shown.frechet, "Fréchet")],
        rows=[(name, loss, shown.lengths.get(name, "")) for name, loss in shown.losses.items()],
        said=(
            f"Each row walks from one random latent (left) to another (right); all walks share their ends. "
            f"{shown.samples:,} images at each place, in the features of {shown.features}. A matched walk keeps the "
            f"law of the prior at every place, so its cost is what chance makes of it.{then}"
        ),
    )


def _chart(lines: Mapping[str, Curve], kind: str) -> Chart:
    title = f"{kind[0].upper()}{kind[1:]} distance along walks"
    figure = along_walks(lines, ylabel=f"{kind} distance")
    return Chart.of(figure, f"walks {kind}", title, f"{title} between two latents, from held-out images")
