"""Laws of the number of different bins: its level, its power, k-means, and its error."""

import math

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans

from adversaria.errors import MetricError
from adversaria.metrics import different_bins
from adversaria.metrics.bins import k_means


def normal(n, width, seed, dtype=torch.float64):
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def repeated(count, n, m, width, bins, scale=1.0, level=0.05, others=True):
    found = []
    for seed in range(count):
        made_of = normal(m, width, 3 * seed + 2) if others else None
        fake, real = scale * normal(n, width, 3 * seed), normal(m, width, 3 * seed + 1)
        found.append(different_bins(fake, real, bins=bins, level=level, made_of=made_of, seed=seed))
    return found


@pytest.mark.parametrize(
    ("n", "m", "width", "bins", "level"), [(1000, 1000, 2, 20, 0.05), (600, 1200, 8, 10, 0.1), (800, 800, 1, 16, 0.2)]
)
def test_expected_at_equality_is_level_times_bins(n, m, width, bins, level):
    # False alarm 7e-6; a tenth more for counts, which are discrete.
    found = repeated(100, n, m, width, bins, level=level)
    value = np.array([one.value for one in found])
    assert abs(value.mean() - level * bins) < 4.5 * value.std(ddof=1) / 10 + 0.1 * level * bins
    assert found[0].protocol["at_equality"] == level * bins


def test_bins_made_of_the_reals_are_cautious():
    # As published: k-means follows the accidents of the reals, whose shares vary less than chance.
    value = np.array([one.value for one in repeated(150, 1000, 1000, 6, 30, others=False)])
    assert value.mean() < 0.05 * 30
    assert value.mean() > 0.4 * 0.05 * 30


def test_dropped_modes_are_different_bins():
    centres = 20 * torch.arange(10.0)[:, None]
    real = centres.repeat(200, 1) + normal(2000, 1, 0).float()
    fake = centres[:7].repeat(300, 1) + normal(2100, 1, 1).float()
    found = different_bins(fake, real, bins=10, seed=0)
    assert found.value == 10  # three are empty, and the seven others too full
    assert found.protocol["share"] == 1
    same = different_bins(real[:1000], real[1000:], bins=10, seed=0)
    assert same.value <= 3


def test_is_the_two_proportion_test():
    centres = torch.tensor([[0.0], [100.0], [200.0]])
    real, fake = (centres.repeat_interleave(torch.tensor(c), 0) for c in ([50, 100, 150], [30, 120, 150]))
    # z = −2.39, 1.69, 0: one beyond 1.96.
    assert different_bins(fake, real, bins=3, seed=0).value == 1
    assert different_bins(fake, real, bins=3, level=0.1, seed=0).value == 2


@pytest.mark.parametrize(("scale", "least"), [(1.0, 1 / 1.25), (1.1, 1 / 1.4), (1.3, 1 / 1.4)])
def test_error_is_the_spread_of_repetitions(scale, least):
    # The sd of 120 repetitions has a relative error of 6.5 %: 4 sd are 26 %. Bins that hang together, and the made-up
    # scatter of the true differences, add up to 15 %.
    found = repeated(120, 1500, 1500, 2, 30, scale=scale)
    spread = np.std([one.value for one in found], ddof=1)
    assert least < np.sqrt(np.mean([one.se**2 for one in found])) / spread < 1.45


def test_order_and_unit_do_not_matter_and_the_seed_decides():
    fake, real = normal(500, 3, 0), 1.2 * normal(600, 3, 1)
    reference = different_bins(fake, real, bins=20, seed=0)
    assert different_bins(fake.flip(0), real, bins=20, seed=0) == reference
    assert different_bins(1e6 * fake + 7, 1e6 * real + 7, bins=20, seed=0).value == reference.value
    assert different_bins(fake, real, bins=20, seed=0) == reference
    values = {different_bins(fake, real, bins=20, seed=seed).value for seed in range(10)}
    assert len(values) > 1


def test_k_means_is_as_good_as_that_of_scikit_learn():
    x = normal(1000, 4, 0) ** 3
    ours = torch.cdist(x, k_means(x, 12, 0)).min(1).values.square().sum().item()
    best = min(KMeans(12, n_init=1, random_state=seed).fit(x.numpy()).inertia_ for seed in range(5))
    assert ours < 1.15 * best


def test_k_means_finds_clusters_exactly():
    centres = 100 * normal(8, 5, 0)
    x = (centres.repeat(50, 1) + normal(400, 5, 1)).double()
    found = k_means(x, 8, 0)
    means = torch.stack([x[i::8].mean(0) for i in range(8)])
    assert torch.cdist(means, found).min(1).values.max() < 1e-9


def test_few_samples_for_bins_are_noted():
    assert "wanted: 50" in different_bins(normal(40, 2, 0), normal(100, 2, 1), bins=10, seed=0).notes[0]
    assert not different_bins(normal(50, 2, 0), normal(100, 2, 1), bins=10, seed=0).notes


def test_bad_input_is_refused():
    x = normal(30, 3, 0)
    for arguments, message in [
        ({"bins": 31}, "2 to the number of samples, 30"),
        ({"bins": 1}, "bins must be"),
        ({"bins": 2.0}, "bins must be"),
        ({"bins": 5, "level": 0.0}, "level must be"),
        ({"bins": 5, "level": math.nan}, "level must be"),
        ({"bins": 5, "made_of": x[:, :2]}, "same extractor"),
    ]:
        with pytest.raises(MetricError, match=message):
            different_bins(x, x, seed=0, **arguments)
    with pytest.raises(MetricError, match="2 different samples for 3 bins"):
        different_bins(x, torch.tensor([[0.0, 0, 0], [1, 1, 1]]).repeat(5, 1), bins=3, seed=0)
