"""A run's model, corrected: its critic calibrated on what the run kept for that, and a sampler around the two.

    ratio = calibrate_run(run)                       log p_data/p_model, from the run's critic
    sampler = corrected(run.model(), ratio)          samples of p_data, as far as the ratio is right

What is real comes from the calibration part of the run's images, which was neither trained on nor is measured against;
a toy law is drawn from anew. A conditional model is corrected class by class: p(x|y) by a ratio of its own for each y,
and what is drawn is the mixture over the classes that the model itself would draw.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from adversaria.data import ImageData, Splits, ToyLaw
from adversaria.errors import RunError, SamplingError, nearest
from adversaria.model import Model, OneClass, judged
from adversaria.randomness import generator_for, permutation, seed_for
from adversaria.runs import Run, check_data
from adversaria.sampling import (
    Diagnostics,
    Draws,
    ExactRejection,
    GradientFlow,
    Langevin,
    LatentMetropolis,
    Method,
    MetropolisHastings,
    Percentile,
    PerfectIndependence,
    Pushforward,
    Ratio,
    Rejection,
    Resampling,
    Sampler,
    calibrate,
)
from adversaria.sampling.ratio import LEAST
from adversaria.sampling.sampler import check_count
from adversaria.witnesses import by_witness

MOST = 10_000
"""Real samples that calibrate: drawn from a law, or at most so many of the images kept for it."""

PUBLISHED_LENGTH = 640
"""Proposals per chain, or per pool, unless told otherwise (Turner et al., 2019)."""

Length = int | Literal["auto"] | None


# --- calibration -----------------------------------------------------------------------------------------------


def calibrate_run(
    run: Run, *, method: Method = "isotonic", seed: int = 0, model: Model | None = None, y: int | None = None
) -> Ratio:
    """The calibrated ratio of a run's critic, or of its witness function where it plays for a discrepancy.

    Arguments:
        method: identity, temperature, platt, beta or isotonic; see `sampling.calibrate`.
        seed: of the fakes, of fresh draws of a law, and of how the real samples are divided.
        model: of this run; None takes that of its last checkpoint.
        y: the class, for a conditional model.

    Raises:
        RunError: the run kept too little for calibration (it says how much), or its data has changed since.
        ModelError: the run's model has no critic, y is given to a model without classes, or is none of them.
        SamplingError: y is missing for a conditional model; or the method does not fit what the critic was trained for,
            see `sampling.calibrate`.
    """
    model = judged(run.model() if model is None else model)
    if model.conditional and y is None:
        raise SamplingError(
            f"'{model.recipe.name}' has classes, and each has a ratio of its own; pass y=, or use calibrate_classes"
        )
    if y is not None:
        model.of_class(y)  # which refuses what is no class
    real, source = _real(run, seed, y), run.data()
    assert source is not None  # noqa: S101 (a GAN has data)
    model = by_witness(model, source, seed=seed)
    viewed = model if y is None else model.of_class(y)
    return calibrate(viewed.critic, real=real, fake=viewed, method=method, objective=model.objective, seed=seed)


def calibrate_classes(
    run: Run, *, method: Method = "isotonic", seed: int = 0, model: Model | None = None
) -> tuple[Ratio, ...]:
    """The calibrated ratio of each class of a conditional run, in the order of the classes.

    Raises:
        RunError, SamplingError: a class cannot be calibrated; it is named.
    """
    model = judged(run.model() if model is None else model)
    ratios = []
    for y, name in enumerate(model.space.classes):
        try:
            ratios.append(calibrate_run(run, method=method, seed=seed, model=model, y=y))
        except SamplingError as error:
            raise SamplingError(f"class '{name}' cannot be calibrated: {error}") from error
    return tuple(ratios)


def _real(run: Run, seed: int, y: int | None) -> Tensor:
    source = run.data()
    if not isinstance(source, Splits):
        law: ToyLaw | None = source
        assert law is not None  # noqa: S101 (a GAN has data)
        return law.sample(MOST, generator=generator_for(seed, "calibration"))
    check_data(run, source)
    kept = source.calibration
    index = torch.arange(len(kept)) if y is None else torch.nonzero(_labels(kept) == y)[:, 0]
    if len(index) < LEAST:
        of_class = "" if y is None else f" of class '{kept.classes[y]}'"
        raise RunError(
            f"{run.path} kept {len(index)} image(s){of_class} for calibration, and at least {LEAST} are needed; train "
            "with a larger --data.calibration (a share of the training images), or calibrate on images of your own "
            "that it was not trained on, by adversaria.sampling.calibrate"
        )
    return kept.to_float(index[permutation(len(index), seed, "calibration")[:MOST]])


def _labels(data: ImageData) -> Tensor:
    assert data.labels is not None  # noqa: S101 (a conditional model was trained on them)
    return data.labels


# --- samplers --------------------------------------------------------------------------------------------------

Watch = Callable[[int], None]
"""Told how many samples the generator has just made."""


@dataclass(frozen=True)
class _Watched(Pushforward):
    """A generator whose work is told."""

    watch: Watch

    def decode(self, kept: Tensor) -> Tensor:
        self.watch(len(kept))
        return super().decode(kept)


@dataclass(frozen=True)
class _Parts:
    """What a sampler is made of."""

    source: Any
    ratio: Ratio
    length: Length
    images: bool


def _rejection(parts: _Parts) -> Sampler:
    return Rejection(parts.source, parts.ratio, gamma=Percentile(80 if parts.images else 95))  # as published


def _metropolis(parts: _Parts) -> Sampler:
    length = PUBLISHED_LENGTH if parts.length is None else parts.length
    return MetropolisHastings(parts.source, parts.ratio, chain_length=length)


def _steps(parts: _Parts, otherwise: int) -> int:
    assert parts.length != "auto"  # noqa: S101 (refused by check_method)
    return otherwise if parts.length is None else parts.length


METHODS: Mapping[str, Callable[[_Parts], Sampler]] = {
    "mh": _metropolis,
    "rejection": _rejection,
    "exact-rejection": lambda parts: ExactRejection(parts.source, parts.ratio),
    "perfect": lambda parts: PerfectIndependence(parts.source, parts.ratio),
    "resampling": lambda parts: Resampling(parts.source, parts.ratio, pool=_steps(parts, PUBLISHED_LENGTH)),
    "langevin": lambda parts: Langevin(parts.source, parts.ratio, steps=_steps(parts, 1_000), step_size=0.01),
    "latent-mh": lambda parts: LatentMetropolis(
        parts.source, parts.ratio, steps=_steps(parts, PUBLISHED_LENGTH), step_size=0.01
    ),
    "flow": lambda parts: GradientFlow(
        parts.source, parts.ratio, steps=_steps(parts, 25), step_size=0.1 if parts.images else 0.01
    ),
}
"""How to correct, by the names of the command line; settings as published, where that was said."""

WALKS = ("langevin", "latent-mh", "flow")
"""Methods that follow a gradient."""

_WITHOUT_LENGTH = ("rejection", "exact-rejection", "perfect")


def check_method(method: str, length: Length = None) -> None:
    """Refuse a method that there is not, and a length that it cannot have.

    Raises:
        SamplingError: see above.
    """
    if method not in METHODS:
        raise SamplingError(f"no method '{method}'{nearest(method, list(METHODS))}; there are {', '.join(METHODS)}")
    if length is not None and method in _WITHOUT_LENGTH:
        raise SamplingError(f"'{method}' takes as many proposals as it needs; leave the chain length out")
    if length == "auto" and method != "mh":
        raise SamplingError(f"mh alone chooses the length of its chains; give '{method}' a number")


def check_calibration(name: str) -> Method:
    """The calibration of that name.

    Raises:
        SamplingError: there is none.
    """
    for known in get_args(Method):
        if name == known:
            return known
    every = list(get_args(Method))
    raise SamplingError(f"no calibration '{name}'{nearest(name, every)}; there are {', '.join(every)}")


def calibration_for(method: str) -> Method:
    """The calibration that suits a method best: isotonic, or platt where a gradient is needed."""
    return "platt" if method in WALKS else "isotonic"


def corrected(
    model: Model | OneClass,
    ratio: Ratio | Sequence[Ratio],
    method: str = "mh",
    *,
    chain_length: Length = None,
    watch: Watch | None = None,
) -> Sampler:
    """A sampler of the data's law around a model.

    Arguments:
        model: what proposes.
        ratio: of this model; of a conditional one, the ratio of each class.
        method: one of `METHODS`.
        chain_length: proposals per chain of mh or pool of resampling, or steps of a walk (langevin, latent-mh, flow);
            "auto" lets mh choose. None: as published, 640, or 1000 steps of langevin and 25 of flow.
        watch: told of the generator's work.

    Raises:
        SamplingError: an unknown method; a length where there is no chain; as many ratios as there are classes are
            needed and others are given; or the ratio does not suit the method, see the sampler.
    """
    check_method(method, chain_length)
    if isinstance(model, Model) and model.conditional:
        return _class_by_class(
            model, ratio, lambda one, r: corrected(one, r, method, chain_length=chain_length, watch=watch)
        )
    if isinstance(ratio, Sequence):
        raise SamplingError(f"'{model.recipe.name}' needs one ratio, got {len(ratio)}")
    source = model if watch is None else _Watched(model.prior, model.generator, watch)
    return METHODS[method](_Parts(source, ratio, chain_length, images=len(model.space.shape) == 3))


def _class_by_class(
    model: Model, ratios: Ratio | Sequence[Ratio], make: Callable[[OneClass, Ratio], Sampler]
) -> "ClassByClass":
    count = len(model.space.classes)
    if not isinstance(ratios, Sequence) or len(ratios) != count:
        came = len(ratios) if isinstance(ratios, Sequence) else "one for all"
        raise SamplingError(f"'{model.recipe.name}' has {count} classes and needs a ratio for each, got {came}")
    return ClassByClass(model, tuple(make(model.of_class(y), ratio) for y, ratio in enumerate(ratios)))


@dataclass(frozen=True, eq=False)
class ClassByClass(Sampler):
    """A conditional model, each class corrected by itself; its samples are of classes y_i, `Model.classes` of the seed.

    Arguments:
        model: draws the classes.
        samplers: of each class.
    """

    model: Model
    samplers: tuple[Sampler, ...]

    @property
    def source(self) -> Model:
        """The model."""
        return self.model

    def run(self, n: int, *, seed: int) -> Draws:
        """n samples; sample i is the next one of the sampler of class y_i.

        Raises:
            SamplingError: n is negative, or as each of the samplers.
        """
        check_count(n)
        labels = self.model.classes(n, seed=seed)
        counts = torch.bincount(labels, minlength=len(self.samplers)).tolist()
        draws = [
            sampler.run(count, seed=seed_for(seed, "of-class", y))
            for y, (sampler, count) in enumerate(zip(self.samplers, counts, strict=True))
            if count or not n
        ]
        order = torch.argsort(torch.argsort(labels, stable=True))
        samples = torch.cat([draw.samples for draw in draws])
        return Draws(samples[order.to(samples.device)], _together([draw.diagnostics for draw in draws], order))


def _together(found: Sequence[Diagnostics], order: Tensor) -> Diagnostics:
    """The sums and means over the classes."""
    proposals = sum(one.proposals for one in found)

    def mean(values: Sequence[float]) -> float:
        weighted = sum(one.proposals * value for one, value in zip(found, values, strict=True))
        return weighted / proposals if proposals else 0.0

    effective = [one.effective for one in found if one.effective is not None]
    positions = [one.positions for one in found if one.positions is not None]
    lengths = [one.chain_length for one in found if one.chain_length is not None]
    return replace(
        found[0],
        samples=sum(one.samples for one in found),
        proposals=proposals,
        acceptance=mean([one.acceptance for one in found]),
        effective=mean(effective) if len(effective) == len(found) else None,
        positions=torch.cat(positions)[order] if len(positions) == len(found) else None,
        restarts=sum(one.restarts for one in found),
        fallbacks=sum(one.fallbacks for one in found),
        chain_length=max(lengths, default=None),
        calibration="; ".join(dict.fromkeys(one.calibration for one in found)),
        notes=(
            f"{len(found)} classes, each corrected by itself",
            *dict.fromkeys(n for one in found for n in one.notes),
        ),
    )
