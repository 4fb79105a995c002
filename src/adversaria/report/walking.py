"""From a run to its walks between latents, as `adversaria interpolate` measured them."""

import json

import torch

from adversaria.data import to_uint8
from adversaria.errors import AdversariaError
from adversaria.interpolating import RECORD, Ends, Walked, strips, walks_of
from adversaria.model import GenerativeModel
from adversaria.report.material import Curve, Walking
from adversaria.report.pictures import Pixels
from adversaria.runs import Run

ROWS, STEPS = 3, 9
"""Pairs of latents shown, and images of each."""


def walking(run: Run) -> Walking | str:
    """What was measured, with strips of the same latents by every walk; or a sentence why there is none, or ""."""
    path = run.path / RECORD
    if not path.exists():
        return ""
    try:
        found = Walked.from_json(json.loads(path.read_text(encoding="utf-8")))
        return Walking(
            shown=_shown(run.model(), found),
            kernel={name: _curve(found, name, "kid") for name in found.walks},
            frechet={name: _curve(found, name, "fid") for name in found.walks},
            losses={name: str(found.loss(name, found.shares[-1])) for name in found.walks},
            lengths={name: str(length) for name, length in found.lengths.items()},
            features=found.facts["features"],
            samples=found.at(found.walks[0], 0.0)["kid"].n[0],
            step=found.facts["step"],
        )
    except (OSError, ValueError, KeyError, TypeError, LookupError, AdversariaError):
        return f"{RECORD} is damaged; measure the walks again with: adversaria interpolate."


def _shown(model: GenerativeModel, found: Walked) -> dict[str, Pixels]:
    shares, ends = torch.linspace(0, 1, STEPS), Ends.of(model, ROWS, seed=found.facts["seed"])
    walks = {name: walk for name, walk in walks_of(model.prior).items() if name in found.walks}
    made = {name: strips(model, walk, ends, shares) for name, walk in walks.items()}
    return {name: to_uint8(images.cpu().float().nan_to_num(0.0)).numpy() for name, images in made.items()}


def _curve(found: Walked, walk: str, metric: str) -> Curve:
    scores = [found.at(walk, share)[metric] for share in found.shares]
    return Curve(found.shares, [one.value for one in scores], [one.se or 0.0 for one in scores])
