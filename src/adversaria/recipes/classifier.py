"""A classifier, in whose features images are compared."""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from adversaria.recipes.data import Images
from adversaria.recipes.descent import Adam, Cosine
from adversaria.recipes.run import Recipe


class Classifier(Recipe):
    """A LeNet trained on labelled images, to be used as a feature extractor."""

    kind: Literal["classifier"] = "classifier"
    data: Images
    """Labelled images."""
    width: PositiveInt = 16
    """Channels of the first layer."""
    batch_size: PositiveInt = 128
    """Images per step."""
    shift: Annotated[int, Field(ge=0)] = 0
    """Images are moved by up to this many pixels in each direction."""
    optimiser: Adam = Adam(rate=1e-3, betas=(0.9, 0.999), schedule=Cosine())
    """The classifier's optimiser."""
