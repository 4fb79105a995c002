"""From a trained autoencoder and held-out images to what its page shows of codes."""

import numpy as np
import torch
from torch import Tensor

from adversaria import metrics, priors
from adversaria.coding import aggregated_test, errors, naming_and_judging
from adversaria.data import ImageData, Splits, to_uint8
from adversaria.model import Autoencoder
from adversaria.priors.swiss_roll import BEGIN, END, SHRINK
from adversaria.randomness import generator_for, permutation
from adversaria.report.codes import Codes
from adversaria.report.figures import Window, mesh, window
from adversaria.report.material import Clusters, Coded, Floats, Map, Station
from adversaria.report.pictures import Pixels

ENCODED = 4_000
"""Most held-out images that are encoded for the page."""
SIDE = 20
"""Codes along a side of the manifold."""
CELLS = 160
"""Cells along a side, of the prior's density."""
PAIRS, STATIONS, STYLES, MEMBERS = 30, 20, 10, 10


def coded(model: Autoencoder, splits: Splits, *, seed: int) -> Coded | None:
    """What is shown of codes; None if no image was held out.

    Arguments:
        model: the autoencoder.
        splits: the data; all that is shown is from the part held out, or, to name clusters, from that for calibration.
        seed: of what is drawn.
    """
    if len(splits.held_out) < 2:
        return None
    chosen = permutation(len(splits.held_out), seed, "report", "codes")[:ENCODED]
    real = splits.held_out.take(chosen)
    labels = real.labels
    style = model.style(real.to_float(), seed=seed)
    drawn = model.styles(len(style), seed=seed)
    return Coded(
        styles=_doubles(style),
        prior=_doubles(drawn),
        test=aggregated_test(style, drawn, seed=seed),
        map=_map(model, real, labels, seed),
        pairs=_pairs(model, real),
        manifold=_manifold(model),
        walk=_walk(model),
        contents=_contents(model, seed),
        clusters=_clusters(model, splits, real),
        errors=errors(model, splits),
    )


# --- the plane -----------------------------------------------------------------------------------------------------


def _map(model: Autoencoder, real: ImageData, labels: Tensor | None, seed: int) -> Map | None:
    images = real.to_float()
    if model.prior.dim == 2:
        points, law = model.encode(images, seed=seed), model.prior
    elif model.style_prior.dim == 2:
        points, law = model.style(images, seed=seed), model.style_prior
    else:
        return None
    view = view_of(law, points)
    density = law.log_prob(torch.from_numpy(mesh(view, CELLS))).exp().reshape(CELLS, CELLS).numpy()
    known = None if labels is None else labels.numpy()
    return Map(Codes(_doubles(points), known, density), real.classes, view)


def view_of(law: priors.Law, points: Tensor) -> Window:
    """A window that holds the prior, and all but a hundredth of the codes on each side."""
    drawn = law.sample(2_000, generator=generator_for(0, "report", "view"))
    finite = points.double().cpu()
    finite = finite[finite.isfinite().all(1)]
    ends = torch.tensor([0.01, 0.99], dtype=torch.float64)
    inner = finite.quantile(ends, dim=0) if len(finite) else torch.empty(0, 2, dtype=torch.float64)
    return window(torch.cat([drawn.double(), inner]).numpy(), margin=0.05)


def grid_of_codes(law: priors.Law, side: int) -> Tensor:
    """Codes of the plane to be decoded side by side, (side², 2) float32, row by row from above.

    Through the quantiles (k + ½)/side of a coordinate where coordinates are independent and their quantiles known, so
    that equal areas of the picture have equal mass; else evenly over a window that holds the law.

    >>> grid_of_codes(priors.Uniform(2), 2)
    tensor([[-0.5000,  0.5000],
            [ 0.5000,  0.5000],
            [-0.5000, -0.5000],
            [ 0.5000, -0.5000]])
    """
    share = (torch.arange(side, dtype=torch.float64) + 0.5) / side
    match law:
        case priors.Normal():
            across = up = law.scale * torch.special.ndtri(share)
        case priors.Uniform():
            across = up = 2 * share - 1
        case _:
            left, right, bottom, top = view_of(law, torch.empty(0, 2))
            across, up = left + share * (right - left), bottom + share * (top - bottom)
    return torch.stack([across.repeat(side), up.flip(0).repeat_interleave(side)], 1).float()


def _manifold(model: Autoencoder) -> Pixels | None:
    if model.prior.dim != 2:
        return None
    return _table(model.decode(grid_of_codes(model.prior, SIDE)), SIDE)


def _walk(model: Autoencoder) -> Station | None:
    """Along the length of a swiss roll."""
    if model.contents is not None or not isinstance(model.style_prior, priors.SwissRoll):
        return None
    angle = BEGIN + (END - BEGIN) * (torch.arange(STATIONS) + 0.5) / STATIONS
    path = torch.stack([angle.cos(), angle.sin()], 1) * angle[:, None] / SHRINK
    return Station(_doubles(path), _pixels(model.decode(path)))


# --- images --------------------------------------------------------------------------------------------------------


def _pairs(model: Autoencoder, real: ImageData) -> tuple[Pixels, Pixels]:
    some = slice(min(PAIRS, len(real)))
    told = model.contents is not None and model.contents.source == "told"
    labels = real.labels[some] if told and real.labels is not None else None
    return real.images[some].numpy(), _pixels(model.reconstruct(real.to_float(some), labels=labels))


def _contents(model: Autoencoder, seed: int) -> tuple[Pixels, tuple[str, ...]] | None:
    """Styles of the prior in rows, and all classes in columns."""
    if model.contents is None or model.contents.source == "found":
        return None
    return style_by_content(model, model.styles(STYLES, seed=seed)), model.contents.names


def style_by_content(model: Autoencoder, styles: Tensor) -> Pixels:
    """Images of styles (s, d) in rows and contents in columns, (s, K, C, H, W)."""
    assert model.contents is not None  # noqa: S101
    count = len(model.contents.names)
    label = torch.arange(count).repeat(len(styles))
    return _table(model.generate(label=label, style=styles.repeat_interleave(count, 0)), count)


def _clusters(model: Autoencoder, splits: Splits, real: ImageData) -> Clusters | None:
    if model.contents is None or model.contents.source != "found":
        return None
    q = model.classify(real.to_float())
    count = q.shape[1]
    nothing = torch.zeros(count, model.style_prior.dim)
    heads = _pixels(model.generate(label=torch.arange(count), style=nothing))
    surest = q.argsort(dim=0, descending=True)[:MEMBERS].T
    share = torch.bincount(q.argmax(1), minlength=count) / len(q)
    names = [f"{name} · {100 * part:.0f} %" for name, part in zip(_names(model, splits), share.tolist(), strict=True)]
    return Clusters(heads, real.images[surest.cpu()].numpy(), names)


def _names(model: Autoencoder, splits: Splits) -> list[str]:
    """Numbers of clusters, and the classes that the surest labelled image gives them."""
    assert model.contents is not None  # noqa: S101
    naming, _ = naming_and_judging(splits)
    if naming.labels is None or not len(naming):
        return list(model.contents.names)
    given = metrics.most_confident_labels(model.classify(naming.to_float()), naming.labels)
    pairs = zip(model.contents.names, given.tolist(), strict=True)
    return [f"{name} → {naming.classes[k]}" for name, k in pairs]


def _table(samples: Tensor, columns: int) -> Pixels:
    made = _pixels(samples)
    return made.reshape(-1, columns, *made.shape[1:])


def _pixels(samples: Tensor) -> Pixels:
    return to_uint8(samples.cpu().float().nan_to_num(0.0)).numpy()


def _doubles(points: Tensor) -> Floats:
    found = points.double().cpu().numpy()
    return found[np.isfinite(found).all(1)]
