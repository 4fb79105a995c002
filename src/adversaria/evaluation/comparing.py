"""`compare`: which of two generators is closer to what is real, and how sure one can be.

    test          the relative three-sample test of kernel distances: one p-value, which decides
    differences   of any metrics, each with a 95 % interval and a p-value of its own: where the two differ

The test was chosen beforehand, so its p-value means what it says. Of several differences the smallest p-value is small
by chance more often; they describe, and do not decide.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from adversaria.evaluation.made import Ready
from adversaria.evaluation.measures import Measure, Pair, by_space, chosen
from adversaria.evaluation.setting import Setting, Source, prepared
from adversaria.evaluation.sides import Watch, unwatched
from adversaria.evaluation.way import Method, Through, Way
from adversaria.metrics import Estimate, relative_test
from adversaria.metrics.bootstrap import Difference, frechet_difference, kernel_difference, paired_differences
from adversaria.metrics.direction import less_is_better

SIGNIFICANT = 0.05
"""Two-sided p-value below which one of the two is said to be closer."""

OWN: Mapping[str, Callable[..., Difference]] = {
    "fid": frechet_difference,
    "sfid": frechet_difference,
    "kid": kernel_difference,
}
"""Metrics whose halves are measured in less time than the metric takes."""

KERNEL_HALVES = 10
"""Times as many halves for kid, where they cost next to nothing."""


@dataclass(frozen=True)
class Comparison:
    """Two generators beside each other.

    Arguments:
        names: what they are called.
        test: p of "the second is no closer to real than the first"; near 1 if the first is closer.
        differences: first less second, by the name of the metric.
    """

    names: tuple[str, str]
    test: Estimate
    differences: Mapping[str, Difference]

    @property
    def p_value(self) -> float:
        """Two-sided, of "both are equally far from real"."""
        return min(1.0, 2 * min(self.test.value, 1 - self.test.value))

    @property
    def closer(self) -> str | None:
        """The name of the one that is closer; None if that cannot be told."""
        if self.p_value >= SIGNIFICANT:
            return None
        return self.names[1] if self.test.value < 0.5 else self.names[0]

    @property
    def verdict(self) -> str:
        """What was found, in a sentence."""
        fake, real = self.test.n
        sizes = f"{fake} samples of each against {real} real ones"
        if self.closer is None:
            return (
                f"Which of {self.names[0]} and {self.names[1]} is closer to real cannot be told from {sizes} "
                f"({_p_is(self.p_value)})."
            )
        other = self.names[0] if self.closer == self.names[1] else self.names[1]
        return f"{self.closer} is closer to real than {other} ({_p_is(self.p_value)}, {sizes})."

    def __str__(self) -> str:
        rows = [("", *self.names, "difference", "95 % interval", "p")]
        rows += [_row(name, one) for name, one in self.differences.items()]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        table = ["  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        notes = dict.fromkeys(
            note
            for estimate in (self.test, *(one.difference for one in self.differences.values()))
            for note in estimate.notes
        )
        return "\n".join([self.verdict, *table, *(f"note: {note}" for note in notes)])

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `json.dumps` takes."""
        return {
            "names": list(self.names),
            "closer": self.closer,
            "p_value": self.p_value,
            "verdict": self.verdict,
            "test": self.test.to_json(),
            "differences": {
                name: {**one._asdict(), "difference": one.difference.to_json(), "less_is_better": less_is_better(name)}
                for name, one in self.differences.items()
            },
        }


def _row(name: str, one: Difference) -> tuple[str, str, str, str, str, str]:
    return (
        name,
        f"{one.one:.4g}",
        f"{one.other:.4g}",
        str(one.difference),
        f"{one.low:.3g} to {one.high:.3g}",
        _p(one.p_value),
    )


def _p(value: float) -> str:
    return f"{value:.2g}" if value >= 1e-4 else "< 0.0001"


def _p_is(value: float) -> str:
    return f"p {'= ' if value >= 1e-4 else ''}{_p(value)}"


def compare(
    one: Source,
    other: Source,
    *,
    against: Source,
    metrics: str | Sequence[str] = ("kid",),
    features: Through | None = None,
    protocol: str | None = None,
    seed: int,
    samples: int | None = None,
    device: str | None = None,
    resamples: int = 40,
    names: tuple[str, str] = ("the first", "the second"),
    watch: Watch = unwatched,
) -> Comparison:
    """Which of two generators is closer to real samples.

    Arguments:
        one, other: what `evaluate` takes as fake. If both are generated, it is from different latents, since the test
            takes them to be independent.
        against: what is real, shared by both.
        metrics: whose difference is to be shown too, by name.
        features, protocol, samples, device, watch: as for `evaluate`. Both are measured with equally many samples: as
            many as the smaller has, drawn by seed.
        seed: of all that is drawn.
        resamples: random halves for each difference (kid: ten times as many, which cost little). A difference of fid
            takes about as long as resamples/2 Fréchet distances, one of k-NN measures as resamples/2 of theirs.
        names: what to call them.

    Features of all three are kept in memory.

    Raises:
        MetricError: as for `evaluate`; a metric that does not compare features with features.

    >>> import torch
    >>> from adversaria.evaluation import Features
    >>> real, near, far = (torch.randn(200, 2, generator=torch.Generator().manual_seed(s)) for s in range(3))
    >>> ready = Features(real), Features(near), Features(far + 1)
    >>> compare(ready[2], ready[1], against=ready[0], seed=0, names=("far", "near")).closer
    'near'
    """
    chosen_names = chosen(metrics)
    method = Method.of(features, protocol, device)
    setting = prepared({"one": one, "other": other, "against": against}, method, seed=seed, samples=samples)
    found: dict[str, Difference] = {}
    test: Estimate | None = None
    spaces = by_space(chosen_names, method)
    spaces.setdefault("features", [])
    for space, measures in spaces.items():
        way = setting.way(space)
        trio = _trio(setting, way, watch)
        if space == "features":
            test = setting.described(relative_test(trio[2], trio[0], trio[1]), way)
        for measure in measures:
            for name, each in _differences(measure, trio, way, method.ks, seed, resamples).items():
                found[name] = each._replace(difference=setting.described(each.difference, way))
    assert test is not None  # noqa: S101 (of the features)
    return Comparison(names, test, {name: found[name] for name in chosen_names})


def _trio(setting: Setting, way: Way | None, watch: Watch) -> tuple[Tensor, Tensor, Tensor]:
    """Features of both generators, equally many, and of what is real."""
    first, second, real = (side.features(way, watch) for side in setting.sides.values())
    least = min(len(first), len(second))
    first, second = (
        Ready(values, role).taken(least, seed=setting.seed, role=role).values
        for role, values in (("one", first), ("other", second))
    )
    return first, second, real


def _differences(
    measure: Measure,
    trio: tuple[Tensor, Tensor, Tensor],
    way: Way | None,
    ks: tuple[int, int],
    seed: int,
    resamples: int,
) -> dict[str, Difference]:
    name = measure.names[0]
    if name in OWN:
        count = resamples * (KERNEL_HALVES if name == "kid" else 1)
        return {name: OWN[name](*trio, seed=seed, resamples=count)}

    def estimates(fake: Tensor, real: Tensor) -> Mapping[str, Estimate]:
        return measure.estimates(Pair(Ready(fake, "fake"), Ready(real, "real"), way, seed, ks=ks))

    return paired_differences(estimates, *trio, seed=seed, resamples=resamples)
