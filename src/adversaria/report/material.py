"""All that a page shows, as plain values: no torch, no run folder, no model.

`gathering.gather` makes it from a run. What cannot be had (a run without a checkpoint, data that has moved) is None or
empty, and a sentence in `notes` says why.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from adversaria.report.codes import Codes
from adversaria.report.figures import Window
from adversaria.report.memory import Neighbours
from adversaria.report.pictures import Pixels
from adversaria.report.provenance import Commands, Provenance
from adversaria.report.series import Event

if TYPE_CHECKING:
    from adversaria.metrics import Estimate
    from adversaria.sampling import Diagnosis

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Samples on a fixed latent, during training."""

    step: int
    picture: Pixels
    """(H, W, 3)."""


@dataclass(frozen=True, eq=False)
class Closest:
    """Some samples and the training images nearest to each."""

    samples: Pixels
    """(Q, C, H, W)."""
    trained: Pixels
    """(Q, k, C, H, W), nearest first."""
    found: Neighbours
    usual: float | None = None
    """Median distance of held-out images to their nearest training image, for comparison."""


@dataclass(frozen=True, eq=False)
class ClassRow:
    """One class of a conditional model."""

    name: str
    generated: Pixels
    real: Pixels
    """(n, C, H, W) each; real may be empty."""


@dataclass(frozen=True, eq=False)
class Images:
    """What a model of images made, and what it is compared with."""

    generated: Pixels
    """(N, C, H, W)."""
    held_out: Pixels | None = None
    """(N, C, H, W) real images that it was not trained on."""
    scores: Mapping[str, Floats] = field(default_factory=dict)
    """The critic's scores by group, named as in `figures.SIDES`; no group is empty."""
    closest: Closest | None = None
    walks: Pixels | None = None
    """(rows, steps, C, H, W): each row a walk between two latents."""
    classes: Sequence[ClassRow] = ()
    classes_left_out: int = 0
    """How many classes `classes` leaves out."""


@dataclass(frozen=True, eq=False)
class Points:
    """What a model of a law with known density made, and what it is compared with.

    In the plane `density` and `critic` (its score; None if it scores no point by itself) are (side, side) at the cells
    of `figures.mesh(view, side)`; on the line they are (g,) at `at`.
    """

    law: str
    real: Floats
    """(n, d), d 1 or 2."""
    density: Floats
    critic: Floats | None
    generated: Floats = field(default_factory=lambda: np.empty((0, 2)))
    """(m, d)."""
    view: Window | None = None
    at: Floats | None = None
    modes: Floats | None = None
    """(M, d)."""
    counts: NDArray[np.int64] | None = None
    """(M,) generated points by nearest mode."""
    coverage: Sequence[Mapping[str, Any]] = ()
    """Estimates of mode coverage, each as its JSON."""
    scores: Mapping[str, Floats] = field(default_factory=dict)
    """The critic's scores by group; no group is empty."""


@dataclass(frozen=True, eq=False)
class Corrected:
    """Samples of the model's before and after correction, and what is known of the correction."""

    before: NDArray[Any]
    """(n, C, H, W) pixels, or (n, d) points."""
    after: NDArray[Any]
    """The same."""
    scores: Mapping[str, Floats]
    """The critic's scores of "real", "generated" and "corrected"; real is missing if none were left. No group is empty;
    the real ones took part in no training and no calibration."""
    calibrated: "Diagnosis"
    """Of the ratio that corrected."""
    diagnostics: Mapping[str, Any]
    """What the sampler did, as `sampling.Diagnostics.to_json` has it."""
    positions: NDArray[np.int64]
    """(n,) where in its chain each sample was accepted, from 0."""
    raw: "Diagnosis | None" = None
    """Of the critic as it was trained; None if its scores are no log ratio."""
    counts: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)
    """Points by nearest mode (M,), by group; empty if there are no modes."""


class Curve(NamedTuple):
    """A score along walks."""

    share: Sequence[float]
    """(n,) λ, ascending from 0."""
    value: Sequence[float]
    error: Sequence[float]


@dataclass(frozen=True, eq=False)
class Walking:
    """Walks between latents, measured; all by the name of the walk."""

    shown: Mapping[str, Pixels]
    """(rows, steps, C, H, W): the same latents for all."""
    kernel: Mapping[str, Curve]
    frechet: Mapping[str, Curve]
    losses: Mapping[str, str]
    """The kernel distance at the middle less that at the prior, as it is to be read."""
    lengths: Mapping[str, str]
    """Perceptual path lengths, likewise."""
    features: str
    samples: int
    """Images at each place."""
    step: int
    """Of the model that was measured."""


class Telling(NamedTuple):
    """How well a critic tells the classes of held-out images."""

    labels: int
    """How many training images it was told."""
    classes: Sequence[str]
    """Names; () if there are too many for a table."""
    taken: Sequence[Sequence[int]]
    """How many of the class of the row were taken for that of the column."""
    right: str
    """The share of right answers with its interval, as it is to be read."""
    error: str
    """The share of wrong ones, likewise."""


class Map(NamedTuple):
    """Codes of the plane."""

    codes: Codes
    names: Sequence[str]
    """Of the classes."""
    view: Window


class Station(NamedTuple):
    """A walk among codes."""

    path: Floats
    """(s, 2)."""
    images: Pixels
    """(s, C, H, W) decoded there."""


class Clusters(NamedTuple):
    """Clusters that an autoencoder found."""

    heads: Pixels
    """(K, C, H, W) decoded at no style."""
    members: Pixels
    """(K, m, C, H, W) held-out images that are surest to belong to each."""
    names: Sequence[str]
    """Number, class, and share of the images."""


@dataclass(frozen=True, eq=False)
class Coded:
    """What is known of an autoencoder's codes, from held-out images."""

    styles: Floats
    """(n, d) of held-out images, with the posterior's chance in them."""
    prior: Floats
    """(m, d) of the prior of styles."""
    test: "Estimate"
    """The p-value of "both have one law"."""
    pairs: tuple[Pixels, Pixels]
    """(n, C, H, W) real images, and what is decoded from their codes."""
    map: Map | None = None
    """Codes or, where these are not of the plane, styles."""
    manifold: Pixels | None = None
    """(R, C, channels, H, W) decoded from a grid of codes, the upper row from the greatest second coordinate."""
    walk: Station | None = None
    contents: tuple[Pixels, Sequence[str]] | None = None
    """(styles, classes, C, H, W) and the names of the classes."""
    clusters: Clusters | None = None
    errors: Mapping[str, "Estimate"] = field(default_factory=dict)
    """Shares of held-out images whose content is wrong, by the way in which it is read."""


@dataclass(frozen=True, eq=False)
class Material:
    """A run, as its page sees it."""

    name: str
    steps: int
    """Planned rounds."""
    step: int
    """Rounds of the last checkpoint: what the pictures show."""
    configuration: Mapping[str, Any]
    """The recipe as JSON."""
    provenance: Provenance
    commands: Commands
    shape: Sequence[int] = ()
    """Of a sample: (C, H, W), (d,), or () where a game has none."""
    seed: int = 0
    """Of the samples on the page."""
    events: Sequence[Event] = ()
    evaluations: Sequence[Mapping[str, Any]] = ()
    rate_tests: Sequence[Event] = ()
    """The scores by which the learning rates were reconsidered."""
    measured: Sequence[Mapping[str, Any]] = ()
    """What was measured while training, one line each as in the log; those of real samples are the floor."""
    snapshots: Sequence[Snapshot] = ()
    shown: Images | Points | None = None
    corrected: Corrected | None = None
    walking: Walking | None = None
    coded: Coded | None = None
    telling: Telling | None = None
    uncorrected: str = ""
    """Why `corrected` is None, where a reader may expect it: a sentence."""
    notes: Sequence[str] = ()
    """What is missing, and why."""
