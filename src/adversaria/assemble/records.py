"""What runs write down once beside their recipe."""

from functools import singledispatch
from typing import Any

from torch import Tensor

from adversaria.assemble.data import Data
from adversaria.data import ImageData


@singledispatch
def records(recipe: Any, source: Data) -> dict[str, Any]:
    """JSON by the names of files in the run's folder; most need none."""
    return {}


def labels_told(train: ImageData, labelled: Tensor) -> dict[str, Any]:
    """Which training images are labelled, int64 indices, and of which class each of them is."""
    assert train.labels is not None  # noqa: S101 (whoever has chosen them has refused it)
    classes = [train.classes[label] for label in train.labels[labelled].tolist()]
    return {"labelled.json": {"of": "training images", "index": labelled.tolist(), "class": classes}}
