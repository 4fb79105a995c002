"""Small classifiers in whose features digits are compared.

A network trained on photographs sees little in digits, so Fréchet and kernel distances of digits are taken in the
features of a LeNet (LeCun et al., 1998) trained on the same kind of digits, as Bińkowski et al., 2018
(https://arxiv.org/abs/1801.01401) did for MNIST.
"""

from adversaria.recipes.classifier import Classifier
from adversaria.recipes.data import Images


def lenet_digits() -> Classifier:
    """The 8×8 digits that ship with the package."""
    return Classifier(
        name="lenet-digits",
        steps=3_000,
        data=Images(source="digits", held_out=0.2, calibration=0),
        shift=1,
        checkpoint_every=3_000,
    )


def lenet_mnist() -> Classifier:
    """MNIST."""
    return Classifier(
        name="lenet-mnist",
        steps=6_000,
        data=Images(source="mnist", calibration=0),
        shift=2,
        checkpoint_every=6_000,
    )
