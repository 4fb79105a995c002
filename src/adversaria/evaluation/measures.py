"""The metrics that `evaluate` knows by name: what each needs of the two sides, and what it gives.

A measure takes a `Pair` and gives one or more estimates. Those that share their work (the four of `prdc` share all
distances) are one measure, made once however many of its names are asked for.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

from torch import Tensor

from adversaria.errors import MetricError, nearest
from adversaria.evaluation.sides import Side, Watch, unwatched
from adversaria.evaluation.way import Method, Space, Way
from adversaria.metrics import (
    Estimate,
    Statistics,
    classifier_two_sample_test,
    cmmd,
    frechet_distance,
    frechet_distance_extrapolated,
    inception_score,
    kernel_distance,
    monge_distance,
)
from adversaria.metrics.authenticity import authenticity
from adversaria.metrics.bins import EXPECTED, different_bins
from adversaria.metrics.density_coverage import neighbour_measures
from adversaria.metrics.path_length import perceptual_path_length
from adversaria.metrics.realism import realism
from adversaria.metrics.vendi import vendi_score

BINS = 100
"""Of ndb."""


@dataclass(frozen=True)
class Pair:
    """Both sides of a comparison, extracted when and as far as a measure asks for it.

    Arguments:
        fake, real: the sides, of decided sizes.
        way: from images to features; None if both sides are features already.
        seed: of what measures draw.
        watch: told of progress.
        ks: which neighbour gives the radius, of precision and recall, and of density and coverage.
    """

    fake: Side
    real: Side
    way: Way | None
    seed: int
    watch: Watch = unwatched
    ks: tuple[int, int] = (3, 5)

    @cached_property
    def fakes(self) -> Tensor:
        """(n, F); kept until all is measured."""
        return self.fake.features(self.way, self.watch)

    @cached_property
    def reals(self) -> Tensor:
        """(m, F); kept until all is measured."""
        return self.real.features(self.way, self.watch)

    @cached_property
    def fake_law(self) -> Tensor | Statistics:
        """What the Fréchet distance needs of the fakes: statistics if those were saved; features if they are there, or
        few; else statistics."""
        kept = "fakes" in self.__dict__ and not self.fake.saved
        return self.fakes if kept else self.fake.gaussian(self.way, self.watch)

    @cached_property
    def real_law(self) -> Tensor | Statistics:
        """The same of the reals."""
        kept = "reals" in self.__dict__ and not self.real.saved
        return self.reals if kept else self.real.gaussian(self.way, self.watch)


class Measure(NamedTuple):
    """What is computed together.

    Arguments:
        names: of the estimates it gives.
        compute: makes them.
        space: where it is measured.
    """

    names: tuple[str, ...]
    compute: Callable[[Pair], Sequence[Estimate]]
    space: Space = "features"

    def estimates(self, pair: Pair) -> dict[str, Estimate]:
        """By name.

        Raises:
            MetricError: see the metric; there are no features, or no logits, and it needs them.
        """
        made = zip(self.names, self.compute(pair), strict=True)
        return {name: called(name, estimate) for name, estimate in made}


def called(name: str, estimate: Estimate) -> Estimate:
    """An estimate under another name, in its notes too.

    >>> called("mind", Estimate(1.0, None, (9, 9), "monge_distance", {"notes": ["monge_distance: few"]})).notes
    ['mind: few']
    """
    own = f"{estimate.name}: "
    notes = [f"{name}: {note.removeprefix(own)}" if note.startswith(own) else note for note in estimate.notes]
    return replace(estimate, name=name, protocol=estimate.protocol | ({"notes": notes} if notes else {}))


def _frechet(pair: Pair) -> Sequence[Estimate]:
    return [frechet_distance(pair.fake_law, pair.real_law)]


def _classified(pair: Pair) -> Sequence[Estimate]:
    through = None if pair.way is None else pair.way.through
    logits = getattr(through, "logits", None)
    if logits is None:
        name = "what made these features" if through is None else through.name
        raise MetricError(
            f"is needs the logits of a classifier, and {name} does not classify; measure in features of one that does "
            "(inception, lenet-mnist, ...)"
        )
    return [inception_score(logits(pair.fakes), seed=pair.seed)]


def _told_apart(pair: Pair) -> Sequence[Estimate]:
    accuracy, p = classifier_two_sample_test(pair.fakes, pair.reals, seed=pair.seed)
    return [replace(accuracy, protocol=accuracy.protocol | {"p_value": p.value})]


def _binned(pair: Pair) -> Sequence[Estimate]:
    """By a hundred bins, as published, or by as many as expect enough samples."""
    bins = max(min(BINS, len(pair.reals) // EXPECTED, len(pair.fakes) // EXPECTED), 2)
    return [different_bins(pair.fakes, pair.reals, bins=bins, seed=pair.seed)]


def _path_length(pair: Pair) -> Sequence[Estimate]:
    model = getattr(pair.fake, "model", None)
    if model is None or pair.way is None:
        raise MetricError("ppl walks between latents, so it needs a model (a run, or what load gives), not its samples")
    return [
        perceptual_path_length(
            model.decode,
            lambda n, generator: model.prior.sample(n, generator=generator),
            pair.way.through,
            interpolate=model.prior.interpolate,
            samples=pair.fake.count or 2,
            seed=pair.seed,
        )
    ]


PRDC = ("precision", "recall", "density", "coverage")

MEASURES = (
    Measure(("kid",), lambda pair: [kernel_distance(pair.fakes, pair.reals)]),
    Measure(("is",), _classified),
    Measure(("mind",), lambda pair: [monge_distance(pair.fakes, pair.reals, seed=pair.seed)]),
    Measure(PRDC, lambda pair: neighbour_measures(pair.fakes, pair.reals, *pair.ks), "neighbours"),
    Measure(("realism",), lambda pair: [realism(pair.fakes, pair.reals, pair.ks[0])], "neighbours"),
    Measure(("authenticity",), lambda pair: [authenticity(pair.fakes, pair.reals)]),
    Measure(("ndb",), _binned),
    Measure(("vendi",), lambda pair: [vendi_score(pair.fakes)]),
    Measure(("ppl",), _path_length),
    Measure(("cmmd",), lambda pair: [cmmd(pair.fakes, pair.reals)]),
    Measure(("c2st",), _told_apart),
    Measure(("fid-infinity",), lambda pair: [frechet_distance_extrapolated(pair.fakes, pair.real_law, seed=pair.seed)]),
    Measure(("fid",), _frechet),
    Measure(("sfid",), _frechet, "spatial"),
)
"""In the order in which they are made: fid last, so that it uses the features that others needed."""

METRICS = (
    "fid",
    "fid-infinity",
    "sfid",
    "kid",
    "is",
    *PRDC,
    "mind",
    "cmmd",
    "c2st",
    "ndb",
    "vendi",
    "authenticity",
    "realism",
    "ppl",
)
"""By the names that people use, though the features need not be Inception's: which they are is in the protocol."""

GROUPS: Mapping[str, tuple[str, ...]] = {"prdc": PRDC}
"""One name for several."""

KNOWN = (*METRICS, *GROUPS)


def chosen(metrics: str | Sequence[str]) -> list[str]:
    """The metrics asked for: names, in a list or divided by commas, groups in full, each once.

    Raises:
        MetricError: one is unknown, or none is asked for.

    >>> chosen("fid,kid")
    ['fid', 'kid']
    """
    asked = metrics.split(",") if isinstance(metrics, str) else [part for one in metrics for part in one.split(",")]
    names = [name.strip() for name in asked if name.strip()]
    for name in names:
        if name not in KNOWN:
            raise MetricError(f"unknown metric '{name}': expected {', '.join(KNOWN)}{nearest(name, list(KNOWN))}")
    if not names:
        raise MetricError(f"no metric was named: expected {', '.join(KNOWN)}")
    return list(dict.fromkeys(member for name in names for member in GROUPS.get(name, (name,))))


def by_space(names: Iterable[str], method: Method) -> dict[Space, list[Measure]]:
    """The measures that give these, each once, by where they are measured."""
    wanted, found = set(names), dict[Space, list[Measure]]()
    for measure in MEASURES:
        if wanted & set(measure.names):
            found.setdefault(method.same(measure.space), []).append(measure)
    return found
