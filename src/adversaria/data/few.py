"""The few samples whose labels a semi-supervised learner is told: equally many of each class, chosen by seed."""

import torch
from torch import Tensor

from adversaria.errors import DataError
from adversaria.randomness import permutation


def choose_labelled(labels: Tensor | None, classes: tuple[str, ...], count: int, *, seed: int) -> Tensor:
    """Which samples are labelled: `count` in all, equally many of each class, in ascending order, int64 (count,).

    The choice is a function of the labels and the seed. With more labels it keeps those of fewer: the first k of a
    class's random order.

    Arguments:
        labels: (N,) int64 in [0, K), of all samples.
        classes: their K names.
        count: a multiple of K, at least K.
        seed: of the choice.

    Raises:
        DataError: there are no labels or one is out of range, the count is not a positive multiple of the number of
            classes, or a class has fewer samples than are wanted of it.

    >>> choose_labelled(torch.tensor([0, 1, 0, 1, 1]), ("cat", "dog"), 4, seed=0)
    tensor([0, 1, 2, 4])
    """
    if labels is None or not classes:
        raise DataError("expected data with labels to choose from, got none; put each class in a folder of its own")
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < len(classes):
        raise DataError(
            f"expected labels in [0, {len(classes)}), got {int(labels.min())} to {int(labels.max())}; name as many "
            f"classes as there are"
        )
    if count < len(classes) or count % len(classes):
        raise DataError(
            f"expected a number of labels that is a multiple of the {len(classes)} classes, so that each has equally "
            f"many; got {count}, the nearest is {max(1, round(count / len(classes))) * len(classes)}"
        )
    wanted, labels = count // len(classes), labels.cpu()
    found = torch.bincount(labels, minlength=len(classes))
    if int(found.min()) < wanted:
        which = int(found.argmin())
        raise DataError(
            f"expected {wanted} samples of each class to be labelled, but class '{classes[which]}' has {found[which]}; "
            f"ask for fewer labels, or leave the class out"
        )
    order = permutation(len(labels), seed, "labelled")
    chosen = [order[labels[order] == label][:wanted] for label in range(len(classes))]
    return torch.cat(chosen).sort().values
