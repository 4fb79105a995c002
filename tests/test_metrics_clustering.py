"""Laws of clusters as a classification: exact where clusters are classes, and what chance makes of it where not."""

import itertools
import math

import numpy as np
import pytest
import torch

from adversaria.errors import MetricError
from adversaria.metrics import clustering_error, majority_labels, most_confident_labels

MAPPINGS = pytest.mark.parametrize("mapping_of", [most_confident_labels, majority_labels])


def soft(clusters, k, *, seed, sharpness=8.0):
    """Probabilities (n, k) whose largest is that of the given cluster, some surer than others."""
    g = torch.Generator().manual_seed(seed)
    logits = torch.rand(len(clusters), k, generator=g, dtype=torch.float64)
    logits[torch.arange(len(clusters)), clusters] += 1 + sharpness * torch.rand(len(clusters), generator=g)
    return logits.softmax(1)


@MAPPINGS
@pytest.mark.parametrize(("classes", "each"), list(itertools.product([2, 5, 10], [1, 3])))
def test_clusters_that_are_parts_of_classes_make_no_error_under_any_numbering(mapping_of, classes, each):
    k = classes * each
    order = torch.randperm(k, generator=torch.Generator().manual_seed(k))
    clusters = torch.arange(k).repeat(20)
    labels = order[clusters] % classes
    q = soft(clusters, k, seed=classes)
    mapping = mapping_of(q, labels)
    torch.testing.assert_close(mapping, order % classes)
    error = clustering_error(q, labels, mapping)
    assert (error.value, error.se, error.n) == (0.0, 0.0, (20 * k, 0))
    assert error.protocol["clusters_used"] == k
    assert error.protocol["classes_with_a_cluster"] == classes


@MAPPINGS
def test_one_cluster_errs_on_all_but_its_class(mapping_of):
    labels = torch.tensor([0] * 60 + [1] * 30 + [2] * 10)
    q = torch.ones(100, 1)
    assert clustering_error(q, labels, mapping_of(q, labels)).value == pytest.approx(0.4)


@MAPPINGS
def test_labels_that_have_nothing_to_do_with_clusters_are_missed_as_chance_would(mapping_of):
    g = torch.Generator().manual_seed(1)
    clusters, labels = torch.randint(16, (20_000,), generator=g), torch.randint(10, (20_000,), generator=g)
    q = soft(clusters, 16, seed=2)
    mapping = mapping_of(q[:2_000], labels[:2_000])
    error = clustering_error(q[2_000:], labels[2_000:], mapping)
    assert abs(error.value - 0.9) < 4 * math.sqrt(0.09 / 18_000)  # false alarm 6e-5


def test_the_surest_point_decides_alone_and_the_majority_together():
    q = torch.tensor([[0.99, 0.01], [0.6, 0.4], [0.7, 0.3], [0.2, 0.8]])
    labels = torch.tensor([5, 3, 3, 4])
    assert most_confident_labels(q, labels).tolist() == [5, 4]
    assert majority_labels(q, labels).tolist() == [3, 4]


def test_an_empty_cluster_takes_a_class_from_the_surest_point_and_none_from_a_majority():
    q = torch.tensor([[0.8, 0.2], [0.9, 0.1]])
    labels = torch.tensor([1, 2])
    assert most_confident_labels(q, labels).tolist() == [2, 1]
    assert majority_labels(q, labels).tolist() == [1, -1]
    assert clustering_error(torch.tensor([[0.0, 1.0]]), torch.tensor([1]), majority_labels(q, labels)).value == 1


@pytest.mark.parametrize("p", [0.05, 0.3])
def test_the_standard_error_is_that_of_test_points(p):
    g = torch.Generator().manual_seed(3)
    wrong = torch.rand(400, 500, generator=g) < p  # 400 repetitions
    q = torch.tensor([[1.0, 0.0]]).expand(500, 2)
    found = [clustering_error(q, row.long(), torch.tensor([0, 1])) for row in wrong]
    spread = np.std([error.value for error in found])
    assert spread == pytest.approx(np.mean([error.se for error in found]), rel=0.15)  # 4 × 1/√(2·400)


@pytest.mark.parametrize("kind", [torch.as_tensor, np.asarray])
def test_arrays_and_tensors_give_the_same(kind):
    q, labels = soft(torch.arange(4).repeat(5), 4, seed=0), torch.arange(4).repeat(5)
    mapping = most_confident_labels(kind(q), kind(labels))
    assert clustering_error(kind(q), kind(labels), kind(mapping)).value == 0


Q, Y = torch.tensor([[0.5, 0.5], [0.1, 0.9]]), torch.tensor([0, 1])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((Q, Y.float(), Y), "labels must be whole numbers"),
        ((Q, Y[:1], Y), "one for each of the 2 points"),
        ((Q, -Y, Y), "labels must be at least 0"),
        ((Q, Y, torch.tensor([0])), "a class for each of the 2 clusters"),
        ((Q, Y, torch.tensor([0, -2])), "mapping must be at least -1"),
        ((Q[0], Y, Y), "probabilities must be features of shape"),
        ((Q / 0 - Q / 0, Y, Y), "NaN"),
    ],
)
def test_what_does_not_fit_is_named(arguments, said):
    with pytest.raises(MetricError, match=said):
        clustering_error(*arguments)
