"""From a run to the material of its page.

This file, `correcting`, `walking` and `telling` are those of the report that know runs, models and data. It draws the
samples (from the page's own seed), lets the critic score them, searches the training set for their nearest images, and
evaluates the exact density where there is one. A run without a checkpoint, or whose data has moved, still gets a
page: what is missing is noted.
"""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from adversaria import recipes
from adversaria.data import ImageData, Splits, ToyLaw, to_uint8
from adversaria.errors import AdversariaError
from adversaria.metrics import mode_coverage
from adversaria.model import Autoencoder, GenerativeModel, Model
from adversaria.randomness import generator_for, permutation
from adversaria.report import correcting
from adversaria.report.encoding import coded
from adversaria.report.figures import mesh, window
from adversaria.report.material import (
    ClassRow,
    Closest,
    Coded,
    Corrected,
    Floats,
    Images,
    Material,
    Points,
    Snapshot,
    Walking,
)
from adversaria.report.memory import nearest
from adversaria.report.pictures import Pixels, spread
from adversaria.report.provenance import Provenance, commands
from adversaria.report.telling import telling
from adversaria.report.walking import walking
from adversaria.runs import Run
from adversaria.witnesses import by_witness

SCORED = 2_000
"""Most images of a group that the critic scores."""
SEARCHED = 2e8
"""Most numbers (images × pixels × channels) of the training set that are searched for neighbours."""
POINTS = 10_000
"""Points of a toy law drawn from each side."""
FINE, COARSE = 240, 120
"""Cells along a side, of the density and of the critic's field."""
CLASSES = 20
"""Most classes shown in rows of their own."""


def gather(run: Run, *, seed: int) -> Material:
    """All that the page of a run shows.

    Arguments:
        run: the run.
        seed: of the samples shown.
    """
    recipe, facts = run.recipe, run.facts
    shown, notes = _shown(run, recipe, seed)
    corrected = None if shown is None else correcting.correct(run, shown, seed=seed)
    walks = walking(run) if isinstance(shown, Images) else ""
    device = next((note["device"] for note in reversed(run.notes()) if "device" in note), None)
    return Material(
        name=recipe.name,
        steps=recipe.steps,
        step=run.step,
        configuration=facts["recipe"],
        provenance=Provenance(
            versions=facts.get("versions", {}),
            started=facts.get("started"),
            git=facts.get("git"),
            data=facts.get("data"),
            device=device,
        ),
        commands=commands(recipe, run.path, seed=seed),
        shape=run.space.shape,
        seed=seed,
        events=run.events(),
        evaluations=run.evaluations(),
        measured=run.measured(),
        rate_tests=run.rate_tests(),
        snapshots=_snapshots(run),
        shown=shown,
        walking=walks if isinstance(walks, Walking) else None,
        coded=None if shown is None else _coded(run, seed),
        telling=telling(run),
        corrected=corrected if isinstance(corrected, Corrected) else None,
        uncorrected=corrected if isinstance(corrected, str) else "",
        notes=[*notes, walks] if isinstance(walks, str) and walks else notes,
    )


def _shown(run: Run, recipe: recipes.Recipe, seed: int) -> tuple[Images | Points | None, list[str]]:
    if not isinstance(recipe, recipes.Generative):
        return None, []
    if not run.checkpoints():
        return None, ["There is no checkpoint yet, so there is no model to sample from."]
    model = run.model()
    try:
        source = run.data()
    except AdversariaError as error:
        notes = [f"The data cannot be read, so nothing real is shown. {error}"]
        return (_images(model, None, seed) if len(model.space.shape) == 3 else None), notes
    notes = _diverged(model, seed)
    if isinstance(model, Model) and source is not None and not notes:
        model = by_witness(model, source, seed=seed)
    if isinstance(source, Splits):
        return _images(model, source, seed), [*notes, *_changed(run, source)]
    assert source is not None  # noqa: S101 (it has data)
    return (_points(model, source, seed) if isinstance(model, Model) else None), notes


def _coded(run: Run, seed: int) -> Coded | None:
    model = run.model()
    if not isinstance(model, Autoencoder):
        return None
    try:
        source = run.data()
    except AdversariaError:
        return None  # said already
    return coded(model, source, seed=seed) if isinstance(source, Splits) else None


def _diverged(model: GenerativeModel, seed: int) -> list[str]:
    made = model.sample(64, seed=seed).flatten(1)
    wrong = int((~made.isfinite().all(1)).sum())
    if not wrong:
        return []
    return [f"The generator has diverged: of its first 64 samples {wrong} are not finite. They are left out, or gray."]


def _changed(run: Run, source: Splits) -> list[str]:
    then = (run.facts.get("data") or {}).get("fingerprint")
    if then in (None, source.train.fingerprint):
        return []
    return ["The data is no longer that of the run: its fingerprint differs. What is called real here is today's."]


def _snapshots(run: Run) -> list[Snapshot]:
    from PIL import Image

    found = {int(path.stem.removeprefix("step-")): path for path in sorted(run.path.glob("samples/step-*.png"))}
    chosen = spread(sorted(found), 6)
    return [Snapshot(step, np.asarray(Image.open(found[step]).convert("RGB"))) for step in chosen]


# --- images ------------------------------------------------------------------------------------------------------


def _images(model: GenerativeModel, splits: Splits | None, seed: int) -> Images:
    made = model.sample(64, seed=seed)
    classes = model.space.classes if model.conditional else ()
    if splits is None:
        return Images(_pixels(made), walks=_walks(model, seed))
    held_out, train = splits.held_out, splits.train
    compared = held_out if len(held_out) else train
    return Images(
        generated=_pixels(made),
        held_out=_some(held_out, 64, seed) if len(held_out) else None,
        scores=_image_scores(model, splits, seed) if isinstance(model, Model) and model.scores_alone else {},
        closest=_closest(_pixels(made[:8]), splits, seed),
        walks=_walks(model, seed),
        classes=[_class_row(model, compared, k, seed) for k in range(min(len(classes), CLASSES))],
        classes_left_out=max(0, len(classes) - CLASSES),
    )


def _pixels(samples: Tensor) -> Pixels:
    return to_uint8(samples.cpu().float().nan_to_num(0.0)).numpy()


def _some(images: ImageData, n: int, seed: int) -> Pixels:
    chosen = permutation(len(images), seed, "report", "images")[:n]
    return images.images[chosen].numpy()


def _image_scores(model: Model, splits: Splits, seed: int) -> dict[str, Floats]:
    n = min(SCORED, max(len(splits.held_out), 100))
    fake = model.sample(n, seed=seed)
    label = model.classes(n, seed=seed) if model.conditional else None
    groups = {"generated": _finite_scores(model, fake, label)}
    for name, images in (("real, trained on", splits.train), ("real, held out", splits.held_out)):
        if len(images):
            chosen = permutation(len(images), seed, "report", "scores", name)[:n].sort().values
            label = images.labels[chosen] if model.conditional and images.labels is not None else None
            groups[name] = _finite_scores(model, images.to_float(chosen), label)
    return _filled(groups)


def _filled(groups: dict[str, Floats]) -> dict[str, Floats]:
    return {name: values for name, values in groups.items() if values.size}


def _finite_scores(model: Model, samples: Tensor, label: Tensor | None = None) -> Floats:
    """The critic's score of each sample, the mean of its k outputs; those that are not finite are left out."""
    scores = model.scores(samples, y=label).mean(1).double().cpu()
    return scores[scores.isfinite()].numpy()


def _closest(samples: Pixels, splits: Splits, seed: int) -> Closest:
    limit = max(1, int(SEARCHED // np.prod(samples.shape[1:])))
    train = splits.train.images[:limit].numpy()
    usual = None
    if len(splits.held_out):
        usual = float(np.median(nearest(_some(splits.held_out, 200, seed), train, 1).distance))
    found = nearest(samples, train, 3)
    return Closest(samples, train[found.index], found, usual)


@torch.no_grad()
def _walks(model: GenerativeModel, seed: int, rows: int = 4, steps: int = 9) -> Pixels:
    ends = model.prior.sample(2 * rows, generator=generator_for(seed, "report", "walks"))
    if isinstance(model, Autoencoder):  # one content a row, so that only the style moves
        content = model.prior.dim - model.style_prior.dim
        ends[1::2, :content] = ends[::2, :content]
    share = torch.linspace(0, 1, steps)
    latents = torch.cat([model.prior.interpolate(ends[2 * r], ends[2 * r + 1], share) for r in range(rows)])
    label = None
    if model.conditional:  # one class a row, so that only the latent moves
        label = (torch.arange(rows) % len(model.space.classes)).repeat_interleave(steps)
    made = _pixels(model.decode(latents, y=label))
    return made.reshape(rows, steps, *made.shape[1:])


def _class_row(model: GenerativeModel, real: ImageData, k: int, seed: int, n: int = 8) -> ClassRow:
    assert real.labels is not None  # noqa: S101 (a conditional model has labelled data)
    own = (real.labels == k).nonzero().squeeze(1)
    chosen = own[permutation(len(own), seed, "report", "class", k)[:n]]
    generated = _pixels(model.sample(n, seed=seed, y=k))
    return ClassRow(model.space.classes[k], generated, real.images[chosen].numpy())


# --- points ------------------------------------------------------------------------------------------------------


def _points(model: Model, law: ToyLaw, seed: int) -> Points | None:
    real = law.sample(POINTS, generator=generator_for(seed, "report", "points"))
    fake = model.sample(POINTS, seed=seed).cpu()
    fake = fake[fake.isfinite().all(1)]
    if not len(fake):
        return None
    sides = {"real": real, "generated": fake} if model.scores_alone else {}
    scores = _filled({name: _finite_scores(model, points) for name, points in sides.items()})
    bare = _on_the_line(model, law, real) if law.dim == 1 else _in_the_plane(model, law, real)
    shown = replace(bare, generated=_doubles(fake), scores=scores)
    return _with_modes(shown, law, fake)


def _on_the_line(model: Model, law: ToyLaw, real: Tensor) -> Points:
    low, high = float(real.min()), float(real.max())
    at = torch.linspace(low - 0.1 * (high - low), high + 0.1 * (high - low), 400)[:, None]
    return Points(
        law=law.name, real=_doubles(real), density=_density(law, at), critic=_field(model, at), at=_doubles(at[:, 0])
    )


def _in_the_plane(model: Model, law: ToyLaw, real: Tensor) -> Points:
    view = window(_doubles(real))
    fine, coarse = (torch.from_numpy(mesh(view, side)).float() for side in (FINE, COARSE))
    field = _field(model, coarse)
    return Points(
        law=law.name,
        real=_doubles(real),
        density=_density(law, fine).reshape(FINE, FINE),
        critic=None if field is None else field.reshape(COARSE, COARSE),
        view=view,
    )


def _with_modes(shown: Points, law: ToyLaw, fake: Tensor) -> Points:
    if law.modes is None or law.scale is None:
        return shown
    nearest_mode = torch.cdist(fake.double(), law.modes.double()).argmin(1)
    coverage = mode_coverage(fake, law.modes, law.scale)
    return replace(
        shown,
        modes=_doubles(law.modes),
        counts=torch.bincount(nearest_mode, minlength=len(law.modes)).numpy(),
        coverage=[estimate.to_json() for estimate in coverage if estimate is not None],
    )


def _density(law: ToyLaw, at: Tensor) -> Floats:
    return law.log_prob(at).double().exp().numpy()


def _field(model: Model, at: Tensor) -> Floats | None:
    if not model.scores_alone:
        return None
    return model.scores(at).mean(1).double().cpu().nan_to_num(0.0).numpy()


def _doubles(points: Tensor) -> Floats:
    return points.double().numpy()
