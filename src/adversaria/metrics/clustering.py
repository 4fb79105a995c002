r"""Clusters as a classification: each cluster is given a class by labelled points, and the share of wrong ones counts.

With q(k|x) the probability of cluster k ∈ {1..K} given x, and k(x) = argmax_k q(k|x) the cluster of x, a mapping
c: clusters → classes makes a classifier x ↦ c(k(x)) with error

    ê = (1/n) Σ_i 1[c(k(x_i)) ≠ y_i],        se = √(ê (1 − ê)/n).

Two mappings, both from labelled points that are not those of ê:

    most confident   c(k) = y_j,  j = argmax_i q(k|x_i)         one label for each cluster: K labels in all; published
    majority         c(k) = the most frequent y of {i : k(x_i) = k}          uses all labels, and is steadier

Neither knows which class a cluster ought to be: two clusters may share a class, and a class may have none. A single
most confident point may be an odd one, so that the first mapping varies much over trainings; the second is the fairer
one to compare other clusterings with.

Source: Makhzani, Shlens, Jaitly, Goodfellow & Frey, Adversarial autoencoders (2015), section 5,
https://arxiv.org/abs/1511.05644
"""

import math

import torch
from torch import Tensor

from adversaria.errors import MetricError
from adversaria.metrics.estimate import Estimate, Protocol
from adversaria.metrics.samples import Features, matrix

NO_CLASS = -1
"""Of a cluster without labelled points: whatever falls into it is wrong."""


def most_confident_labels(probabilities: Features, labels: Features) -> Tensor:
    """The class of each cluster, by the one labelled point that is surest to be in it.

    Arguments:
        probabilities: (n, K) q(k|x) of labelled points, n ≥ 1; logits give the same where they are normalised.
        labels: (n,) whole numbers ≥ 0.

    Returns:
        (K,) int64; of equally sure points the first decides.

    Raises:
        MetricError: shapes that do not fit, NaN or infinities, labels that are not whole numbers or negative.

    >>> most_confident_labels(torch.tensor([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]]), torch.tensor([7, 3, 3]))
    tensor([7, 3])
    """
    q, y = _labelled(probabilities, labels)
    return y[q.argmax(0)]


def majority_labels(probabilities: Features, labels: Features) -> Tensor:
    """The class of each cluster, by the majority of the labelled points that fall into it.

    Arguments:
        probabilities: (n, K) q(k|x) of labelled points, n ≥ 1.
        labels: (n,) whole numbers ≥ 0.

    Returns:
        (K,) int64; of equally frequent classes the least; `NO_CLASS` where no point falls.

    Raises:
        MetricError: as `most_confident_labels`.

    >>> majority_labels(torch.tensor([[0.9, 0.1, 0.0], [0.6, 0.4, 0.0], [0.7, 0.3, 0.0]]), torch.tensor([7, 3, 3]))
    tensor([ 3, -1, -1])
    """
    q, y = _labelled(probabilities, labels)
    counts = torch.zeros(q.shape[1], int(y.max()) + 1, dtype=torch.int64, device=y.device)
    counts.index_put_((q.argmax(1), y), torch.ones_like(y), accumulate=True)
    return torch.where(counts.sum(1) > 0, counts.argmax(1), NO_CLASS)


def clustering_error(probabilities: Features, labels: Features, mapping: Features) -> Estimate:
    """The share of points whose cluster has another class than they have.

    Arguments:
        probabilities: (n, K) q(k|x) of test points, n ≥ 1.
        labels: (n,) their classes.
        mapping: (K,) the class of each cluster, from `most_confident_labels` or `majority_labels` of other points: from
            these points themselves the error would come out too small.

    Returns:
        ê in [0, 1] with its binomial standard error, that of the test points alone, the mapping and the training given;
        over trainings it varies much more. The protocol has how many clusters are used by the test points, and how many
        classes have a cluster.

    Raises:
        MetricError: shapes that do not fit, NaN or infinities, labels that are not whole numbers or negative.

    >>> q = torch.tensor([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.1, 0.9]])
    >>> print(clustering_error(q, torch.tensor([7, 7, 3, 7]), torch.tensor([7, 3])))
    0.25 ± 0.22
    """
    q, y = _labelled(probabilities, labels)
    classes = _whole(mapping, "mapping", least=NO_CLASS).to(q.device)
    if classes.shape != (q.shape[1],):
        raise MetricError(
            f"the mapping must have a class for each of the {q.shape[1]} clusters, got shape {tuple(classes.shape)}"
        )
    cluster = q.argmax(1)
    error = (classes[cluster] != y).double().mean().item()
    protocol: Protocol = {
        "clusters": q.shape[1],
        "clusters_used": len(cluster.unique()),
        "classes_with_a_cluster": len(set(classes.tolist()) - {NO_CLASS}),
        "classes": len(y.unique()),
    }
    return Estimate(error, math.sqrt(error * (1 - error) / len(y)), (len(y), 0), "clustering_error", protocol)


def classification_error(probabilities: Features, labels: Features) -> Estimate:
    """The share of points whose most probable class is another than their own: K classes are K clusters, named already.

    Arguments:
        probabilities: (n, K) q(y|x) of test points, n ≥ 1; logits give the same.
        labels: (n,) whole numbers in [0, K).

    Raises:
        MetricError: shapes that do not fit, NaN or infinities, labels that are not whole numbers or out of range.

    >>> print(classification_error(torch.eye(3), torch.tensor([0, 1, 1])))
    0.33 ± 0.27
    """
    q, y = _labelled(probabilities, labels)
    if int(y.max()) >= q.shape[1]:
        raise MetricError(f"labels must be from 0 to {q.shape[1] - 1}, got {int(y.max())}")
    error = (q.argmax(1) != y).double().mean().item()
    se = math.sqrt(error * (1 - error) / len(y))
    return Estimate(error, se, (len(y), 0), "classification_error", {"classes": q.shape[1]})


def _labelled(probabilities: Features, labels: Features) -> tuple[Tensor, Tensor]:
    q = matrix(probabilities, "probabilities", 1)
    y = _whole(labels, "labels", least=0).to(q.device)
    if y.shape != (len(q),):
        raise MetricError(f"labels must be one for each of the {len(q)} points, got shape {tuple(y.shape)}")
    return q, y


def _whole(values: Features, name: str, *, least: int) -> Tensor:
    found = torch.as_tensor(values)
    if found.is_floating_point() or found.is_complex() or found.dtype == torch.bool:
        raise MetricError(f"{name} must be whole numbers, got {found.dtype}")
    if found.ndim != 1 or not found.numel():
        raise MetricError(f"{name} must have shape (n,), n ≥ 1, got {tuple(found.shape)}")
    if int(found.min()) < least:
        raise MetricError(f"{name} must be at least {least}, got {int(found.min())}")
    return found.long()
