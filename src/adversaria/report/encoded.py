"""What the page shows of an autoencoder's codes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from adversaria.report import words
from adversaria.report.codes import code_maps, code_margins
from adversaria.report.exhibits import Chart, Picture
from adversaria.report.material import Clusters, Coded, Map, Station
from adversaria.report.pictures import Pixels, enlargement
from adversaria.report.tiles import cluster_members, manifold, numbered, reconstructions, styles

if TYPE_CHECKING:
    from adversaria.metrics import Estimate

UNLIKELY = 0.01
"""The p-value from which on codes are taken for those of another law."""

MANIFOLD = 200_000
"""Most bytes of the picture of a manifold."""

ERRORS = {
    "error": ("Classification error", "share of held-out images that are taken for another class than theirs"),
    "most confident": (
        "Clustering error",
        "each cluster has the class of the labelled image that is surest to belong to it, as published",
    ),
    "majority": ("Clustering error, by majority", "each cluster has the most frequent class of labelled images in it"),
}


@dataclass(frozen=True)
class CodedHall:
    """The exhibits of codes."""

    said: str
    verdict: str
    plane: list[Chart]
    """Maps and marginal laws."""
    manifold: Picture | None
    manifold_words: str
    tables: list[Chart]
    """Tables of images."""
    errors: list[tuple[str, str, str]]
    """What, how much, and what it means."""


def of_coded(shown: Coded) -> CodedHall:
    """The exhibits."""
    grid = None if shown.manifold is None else _manifold(shown.manifold)
    return CodedHall(
        said=(
            f"The encoder gives each image a code, and the decoder makes an image of a code. The codes below are those "
            f"of {words.count(len(shown.styles), 'held-out image')}, which took no part in training."
        ),
        verdict=judge_codes(shown.test),
        plane=[*_maps(shown.map, shown.walk), _margins(shown)],
        manifold=grid,
        manifold_words="" if shown.manifold is None else _manifold_words(shown.manifold),
        tables=[
            *_walk(shown.walk),
            *_contents(shown.contents),
            *_clusters(shown.clusters),
            *_pairs(shown.pairs),
        ],
        errors=_errors(shown.errors),
    )


def judge_codes(test: "Estimate") -> str:
    """What the two-sample test says of the aggregated posterior, in a sentence.

    >>> from adversaria.metrics import Estimate
    >>> judge_codes(Estimate(0.3, None, (500, 500), "p", {"statistic": 1e-4}))[:52]
    'Nothing tells these codes from latents of the prior '
    """
    n, m = test.n
    how = (
        f"p = {test.value:.3f} by the kernel two-sample test of {n:,} codes and {m:,} latents, "
        f"MMD² = {words.number(test.protocol['statistic'], 2)}"
    )
    if test.value <= UNLIKELY:
        return (
            f"These codes do not have the law of the prior ({how}): some latents lie where the decoder has seen few "
            f"codes or none, and samples made there are the worse. MMD² says how far apart the two laws are."
        )
    return f"Nothing tells these codes from latents of the prior ({how}); more of them might."


def _maps(found: Map | None, walk: Station | None) -> list[Chart]:
    if found is None:
        return []
    charts = [
        Chart.of(
            code_maps({"": found.codes}, names=found.names, view=found.view),
            "codes",
            "Codes of held-out images",
            "Codes of held-out images in the plane, coloured by class",
            "Lines enclose the smallest regions that hold 50 and 95 % of the prior.",
        )
    ]
    if walk is not None:
        charts.append(
            Chart.of(
                code_maps({"": found.codes}, names=found.names, view=found.view, path=walk.path),
                "stations",
                "Stations of a walk along the roll",
                "Numbered stations of a walk along the swiss roll",
            )
        )
    return charts


def _margins(shown: Coded) -> Chart:
    left_out = shown.styles.shape[1] - 8
    caption = (
        f"{words.count(left_out, 'more coordinate is', 'more coordinates are')} not shown." if left_out > 0 else ""
    )
    return Chart.of(
        code_margins(shown.styles, shown.prior),
        "margins",
        "Codes beside the prior",
        "Marginal laws of codes and of the prior",
        caption,
    )


def _manifold(images: Pixels) -> Picture:
    factor = enlargement(max(images.shape[-2:]), 28)
    return Picture.of(manifold(images, factor=factor), "Images decoded from a grid of codes", budget=MANIFOLD)


def _manifold_words(images: Pixels) -> str:
    rows, columns = images.shape[:2]
    return (
        f"{rows} × {columns} codes, the first coordinate to the right and the second upwards; for a normal or uniform "
        f"prior through its quantiles, so that equal areas of the picture are equally likely."
    )


def _walk(walk: Station | None) -> list[Chart]:
    if walk is None:
        return []
    return [Chart.of(numbered(walk.images), "walk", "Decoded along the roll", "Images decoded along the swiss roll")]


def _contents(found: tuple[Pixels, Sequence[str]] | None) -> list[Chart]:
    if found is None:
        return []
    images, names = found
    return [
        Chart.of(
            styles(images, contents=names),
            "contents",
            "One style a row, one class a column",
            "Images decoded from every pair of a style and a class",
            "Styles are drawn from their prior.",
        )
    ]


def _clusters(found: Clusters | None) -> list[Chart]:
    if found is None:
        return []
    return [
        Chart.of(
            cluster_members(found.heads, found.members, names=found.names),
            "clusters",
            "Clusters",
            "The head of each cluster, and the held-out images surest to belong to it",
            "Left: decoded from the cluster at no style. Right: the held-out images that are surest to belong to it. "
            "Beside them the cluster's number, the class it was given by the surest labelled image, and its share.",
        )
    ]


def _pairs(pairs: tuple[Pixels, Pixels]) -> list[Chart]:
    real, decoded = pairs
    columns = min(10, len(real))
    return [
        Chart.of(
            reconstructions(real, decoded, columns=columns),
            "pairs",
            "Reconstructions",
            "Held-out images above what is decoded from their codes",
        )
    ]


def _errors(found: Mapping[str, "Estimate"]) -> list[tuple[str, str, str]]:
    rows = []
    for name, estimate in found.items():
        title, meaning = ERRORS[name]
        se = 100 * (estimate.se or 0.0)
        value = f"{100 * estimate.value:.2f} ± {se:.2f} %"
        rows.append((title, value, f"{meaning}; of {estimate.n[0]:,} images"))
    return rows
