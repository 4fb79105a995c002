"""Laws of neighbours: float32 blocks give what float64 gives, at any offset, size and cut into blocks."""

import numpy as np
import pytest
import torch

from adversaria.errors import MetricError
from adversaria.metrics import nearest_real, neighbours
from adversaria.metrics.neighbours import checked_k, clouds, nearest_across, nearest_within


def normal(n, width, seed, dtype=torch.float64):
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def plain(x, y):
    """Squared distances by differences, in float64."""
    return torch.stack([(y.double() - row).square().sum(1) for row in x.double()])


def plain_within(x, k):
    distances = plain(x, x)
    distances.fill_diagonal_(torch.inf)
    return distances.kthvalue(k, dim=1).values


def blocks_of(monkeypatch, side):
    monkeypatch.setattr(neighbours, "SIDE", side)


CASES = {
    "apart": lambda n, d: normal(n, d, 0),
    "far from 0": lambda n, d: normal(n, d, 0) + 1e4,
    "one direction": lambda n, d: normal(n, d, 0) * torch.logspace(0, -6, d, dtype=torch.float64),
    "nearly one point and an outlier": lambda n, d: torch.cat([1 + 1e-5 * normal(n - 1, d, 0), -torch.ones(1, d)]),
    "clusters": lambda n, d: 1e-4 * normal(n, d, 0) + 100 * (torch.arange(n)[:, None] % 7),
    "relu": lambda n, d: normal(n, d, 0).relu(),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("n", "width", "side"), [(40, 1, 16), (90, 5, 64), (130, 300, 64), (70, 32, 2048)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_radii_are_those_of_float64(case, n, width, side, dtype, monkeypatch):
    # In plain float32 the second, fourth and fifth have no right digit left.
    blocks_of(monkeypatch, side)
    x = CASES[case](n, width).to(dtype)
    cloud, _ = clouds(x, x)
    for k in (1, 3, 5):
        found = nearest_within(cloud, [k]).squared[:, k - 1] * cloud.unit**2
        assert torch.allclose(found, plain_within(x, k), rtol=1e-12, atol=1e-300), k


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("side", [16, 2048])
def test_nearest_across_are_those_of_float64(case, side, monkeypatch):
    blocks_of(monkeypatch, side)
    x, y = CASES[case](60, 20), CASES[case](75, 20).roll(1, 1)
    expected = plain(x, y).sort(1)
    found = nearest_real(x, y, 4)
    assert torch.allclose(found.distances, expected.values[:, :4].sqrt(), rtol=1e-12, atol=0)
    assert torch.equal(found.indices, expected.indices[:, :4])


@pytest.mark.parametrize("unit", [2.0**-100, 1e-30, 1.0, 1e30, 1e70])
def test_any_unit(unit):
    x, y = normal(30, 8, 0), normal(40, 8, 1)
    before, after = nearest_real(x, y, 3), nearest_real(x * unit, y * unit, 3)
    assert torch.equal(before.indices, after.indices)
    assert torch.allclose(before.distances, after.distances / unit, rtol=1e-12, atol=0)


def test_most_rows_need_no_float64(monkeypatch):
    # Else the exactness of the others would prove nothing about float32.
    rows = []
    search = neighbours._search
    monkeypatch.setattr(neighbours, "_search", lambda *a, **k: rows.append(len(a[3])) or search(*a, **k))
    x = normal(500, 64, 0, torch.float32)
    nearest_within(clouds(x, x)[0], [5])
    assert sum(rows) == 0
    crowd = torch.cat([1 + 1e-5 * x, -torch.ones(1, 64)])
    nearest_within(clouds(crowd, crowd)[0], [5])
    assert sum(rows) == 501


def test_float32_products_of_fewer_bits_are_not_trusted():
    x = normal(50, 8, 0, torch.float32)
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("high")
        cloud, _ = clouds(x, x)
    finally:
        torch.set_float32_matmul_precision(before)
    assert cloud.screen.values.dtype == torch.float64


def test_itself_is_left_out_by_index_not_by_value():
    # Three copies of each: two neighbours at distance 0, and the third farther.
    x = normal(20, 6, 0).repeat(3, 1)
    found = nearest_within(clouds(x, x)[0], [1, 2, 3])
    assert (found.squared[:, :2] == 0).all()
    assert (found.squared[:, 2] > 0).all()
    own = torch.arange(60)[:, None]
    assert ((found.indices[:, :2] - own) % 20 == 0).all()
    assert (found.indices != own).all()


def test_more_copies_than_are_kept():
    x = torch.cat([torch.ones(200, 5), normal(50, 5, 0).float()])
    found = nearest_within(clouds(x, x)[0], [3]).squared[:, 2]
    assert (found[:200] == 0).all()
    assert torch.allclose(found[200:] * clouds(x, x)[0].unit ** 2, plain_within(x, 3)[200:], rtol=1e-12)


def test_weights_multiply_squared_distances():
    x, y = normal(50, 6, 0), normal(70, 6, 1)
    weight = torch.rand(70, generator=torch.Generator().manual_seed(2), dtype=torch.float64) + 0.01
    a, b = clouds(x, y)
    found = nearest_across(a, b, [1], weight=weight)
    expected = (plain(x, y) * weight).min(1)
    assert torch.equal(found.indices[:, 0], expected.indices)
    assert torch.allclose(found.squared[:, 0] * a.unit**2, expected.values, rtol=1e-12)


@pytest.mark.parametrize(("columns", "k"), [(5, 5), (64, 3), (1024, 28), (1000, 7)])
def test_smallest_of_a_row(columns, k):
    block = normal(10, columns, 0, torch.float32)
    block[3] = 0.5  # all equal
    values, indices = neighbours._smallest(block, k)
    assert torch.equal(values.sort(1).values, block.sort(1).values[:, :k])
    assert torch.equal(block.gather(1, indices), values)
    assert all(len(set(row)) == k for row in indices.tolist())


def test_the_bound_holds():
    # Of each of 40,000 pairs, over features of very different sizes.
    x, y = normal(200, 512, 0) ** 3, normal(200, 512, 1).exp()
    a, b = clouds(x, y)
    low = neighbours.at_least(a.screen, b.screen).double()
    high = low + a.screen.band[:, None] + b.screen.band
    exact = plain(x, y) / a.unit**2
    assert ((low <= exact) & (exact <= high)).all()
    assert (high - low < 1e-3 * exact).float().mean() > 0.9  # and is of use


def test_arrays_and_whole_numbers_are_taken():
    x, y = np.arange(12).reshape(6, 2), np.arange(20).reshape(10, 2) + 1
    found = nearest_real(x, y)
    assert found.distances.flatten().tolist() == pytest.approx([2**0.5] * 6)


@pytest.mark.parametrize("k", [0, -1, 1.5, True, 10, 11])
def test_bad_neighbour_numbers_are_refused(k):
    with pytest.raises(MetricError, match="k must be|at least"):
        checked_k(k, 10, "real")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_same_on_a_gpu():
    x, y = normal(3000, 64, 0, torch.float32), normal(2500, 64, 1, torch.float32)
    here, there = nearest_real(x, y, 3), nearest_real(x.cuda(), y.cuda(), 3)
    assert torch.equal(here.indices, there.indices.cpu())
    assert torch.allclose(here.distances, there.distances.cpu(), rtol=1e-12)
