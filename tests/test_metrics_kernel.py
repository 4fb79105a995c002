"""Laws of the kernel distance: unbiased against closed forms, equal to the plain double sum, and its error."""

import numpy as np
import pytest
import torch

from adversaria.errors import MetricError
from adversaria.metrics import kernel, kernel_distance


def normal(n, width, seed, dtype=torch.float64):
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def plain(x, y):
    """The definition, pair by pair, in extended precision."""
    x, y = (np.asarray(side, dtype=np.longdouble) for side in (x, y))
    k = [(a @ b.T / x.shape[1] + 1) ** 3 for a, b in ((x, x), (y, y), (x, y))]
    n, m = len(x), len(y)
    within = [(k[i].sum() - np.trace(k[i])) / (size * (size - 1)) for i, size in ((0, n), (1, m))]
    return float(within[0] + within[1] - 2 * k[2].mean())


def expected_kernel(a, b):
    """E k(x, y) for independent x ~ N(a, I), y ~ N(b, I) (Bińkowski et al. 2018)."""
    d, s = len(a), a @ b
    squares = a @ a + b @ b + d
    third = s**3 + 3 * s * (squares + 2)
    return third / d**3 + 3 * (s**2 + squares) / d**2 + 3 * s / d + 1


def truth(a, b):
    return (expected_kernel(a, a) + expected_kernel(b, b) - 2 * expected_kernel(a, b)).item()


def repeated(width, n, m, shift, repetitions):
    means = torch.full((width,), shift, dtype=torch.float64), torch.zeros(width, dtype=torch.float64)
    found = [
        kernel_distance(normal(n, width, 2 * seed) + means[0], normal(m, width, 2 * seed + 1))
        for seed in range(repetitions)
    ]
    value, se = torch.tensor([[e.value, e.se] for e in found], dtype=torch.float64).T
    return value, se, truth(*means)


# --- value -----------------------------------------------------------------------------------------------------


def test_the_oracle_itself():
    assert truth(torch.full((4,), 0.5), torch.zeros(4)) == 1.328125


@pytest.mark.parametrize(
    ("width", "n", "m", "shift"),
    [(4, 30, 30, 0.5), (4, 20, 70, 0.5), (1, 10, 10, 0.3), (64, 25, 40, 0.2), (4, 2, 3, 0.0), (16, 20, 20, 0.0)],
)
def test_unbiased_for_gaussians(width, n, m, shift):
    repetitions = 500
    means = torch.full((width,), shift, dtype=torch.float64), torch.zeros(width, dtype=torch.float64)
    values = torch.tensor(
        [
            kernel_distance(normal(n, width, 2 * seed) + means[0], normal(m, width, 2 * seed + 1)).value
            for seed in range(repetitions)
        ]
    )
    z = (values.mean() - truth(*means)) / (values.std() / repetitions**0.5)
    assert abs(z) < 4.5  # false alarm 7e-6, and some more for skewed values
    if shift == 0:
        assert (values < 0).any()  # an unbiased estimate of 0 has both signs


@pytest.mark.parametrize("side", [3, 16, 1024])
@pytest.mark.parametrize(("n", "m"), [(2, 2), (16, 17), (50, 31)])
def test_is_the_plain_double_sum(n, m, side, monkeypatch):
    monkeypatch.setattr(kernel, "SIDE", side)
    x, y = normal(n, 5, 0) + 0.5, 2 * normal(m, 5, 1)
    assert kernel_distance(x, y).value == pytest.approx(plain(x, y), rel=1e-11)


@pytest.mark.parametrize("unit", [1e-3, 1.0, 1e4, 1e12])
@pytest.mark.parametrize("offset", [0.0, 1.0, 100.0, 1e4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_precision_at_any_offset_and_size(offset, unit, dtype):
    # In plain float32 the cubes of the last case overflow, and those at offset 1e4 have no digits left.
    x = ((normal(60, 16, 0) + offset) * unit).to(dtype)
    y = ((1.1 * normal(80, 16, 1) + offset) * unit).to(dtype)
    found = kernel_distance(x, y)
    error = 1e-5 if dtype == torch.float32 else 1e-10
    slack = 1e-16 * float(np.abs(np.asarray(x, dtype=np.longdouble)).max()) ** 6  # of the plain sum itself
    assert found.value == pytest.approx(plain(x, y), abs=error * found.se + slack)


def test_float32_is_as_good_as_float64():
    x, y = normal(2500, 64, 0, torch.float32).relu(), 1.02 * normal(2000, 64, 1, torch.float32).relu()
    single, double = kernel_distance(x, y), kernel_distance(x.double(), y.double())
    assert single.protocol["products"] == "float32"
    assert single.value == pytest.approx(double.value, abs=1e-5 * double.se)
    assert single.se == pytest.approx(double.se, rel=1e-6)


@pytest.mark.parametrize(("n", "m"), [(40, 40), (13, 90)])
def test_invariances(n, m):
    x, y = normal(n, 8, 0) + 0.4, 0.8 * normal(m, 8, 1)
    turn = torch.linalg.qr(normal(8, 8, 2)).Q
    reference = kernel_distance(x, y)
    for found in (kernel_distance(y, x), kernel_distance(x.flip(0), y.roll(3, 0)), kernel_distance(x @ turn, y @ turn)):
        assert found.value == pytest.approx(reference.value, rel=1e-10)
        assert found.se == pytest.approx(reference.se, rel=1e-10)


def test_constant_features():
    x = torch.ones(20, 3)
    assert kernel_distance(x, x).value == pytest.approx(0, abs=1e-12)
    apart = kernel_distance(x, 0 * x)  # 8 + 1 − 2
    assert (apart.value, apart.se) == pytest.approx((7, 0), abs=1e-5)


def test_memory_is_a_copy_and_a_block(monkeypatch):
    monkeypatch.setattr(kernel, "SIDE", 100)
    shapes = []
    made = kernel._kernel
    monkeypatch.setattr(kernel, "_kernel", lambda x, y: shapes.append(made(x, y).shape) or made(x, y))
    kernel_distance(normal(250, 4, 0), normal(330, 4, 1))
    assert max(max(shape) for shape in shapes) == 100
    # Within a side, only blocks on and above the diagonal.
    assert len(shapes) == 3 * 4 // 2 + 4 * 5 // 2 + 3 * 4


# --- the standard error ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "n", "m", "shift"), [(4, 300, 150, 1.0), (32, 120, 200, 0.3)])
def test_intervals_contain_the_truth(width, n, m, shift):
    # Of 1000 intervals of 95 %, 950 ± 6.9 contain it; 4 sd are 28, false alarm 6e-5 each. Ten more for the skewness
    # of cubes, which first-order intervals do not know.
    value, se, exact = repeated(width, n, m, shift, 1000)
    inside = ((value - exact).abs() < 1.96 * se).sum().item()
    assert 950 - 38 <= inside <= 950 + 28


@pytest.mark.parametrize(("width", "n", "m"), [(16, 60, 60), (64, 50, 120)])
def test_at_equality_the_second_order_carries_the_error(width, n, m):
    # First order 0, whose estimate, cut at 0, adds a little. The variance of 1000 repetitions has a relative error
    # of about 6 %: 4 sd are 24 %.
    value, se, exact = repeated(width, n, m, 0.0, 1000)
    assert exact == 0
    ratio = (se.square().mean() / value.var()).item()
    assert 1 / 1.24 < ratio < 1.3 * 1.24
    assert se.min() > 0


def test_variance_of_two_point_laws_is_exact():
    # x, y ∈ {0, 1}: all 2ⁿ⁺ᵐ samples can be enumerated, so the formula's five terms can be checked without noise.
    n, m, p, q = 3, 4, 0.3, 0.6
    weights, values = [], []
    for code in range(2 ** (n + m)):
        bits = [(code >> i) & 1 for i in range(n + m)]
        x, y = (torch.tensor(part, dtype=torch.float64)[:, None] for part in (bits[:n], bits[n:]))
        weights.append(p ** sum(bits[:n]) * (1 - p) ** (n - sum(bits[:n])))
        weights[-1] *= q ** sum(bits[n:]) * (1 - q) ** (m - sum(bits[n:]))
        values.append(kernel_distance(x, y).value)
    w, v = np.array(weights), np.array(values)
    variance = w @ v**2 - (w @ v) ** 2

    k = np.array([[1.0, 1.0], [1.0, 8.0]])
    px, py = np.array([1 - p, p]), np.array([1 - q, q])
    witness = k @ px - k @ py

    def var(weight, f):
        return weight @ f**2 - (weight @ f) ** 2

    def remainder(a, b):
        g = k - (k @ b)[:, None] - (a @ k)[None, :] + a @ k @ b
        return a @ g**2 @ b

    exact = 4 * var(px, witness) / n + 4 * var(py, witness) / m
    exact += 2 * remainder(px, px) / (n * (n - 1)) + 2 * remainder(py, py) / (m * (m - 1))
    exact += 4 * remainder(px, py) / (n * m)
    assert variance == pytest.approx(exact, rel=1e-10)


def test_terms_of_the_variance_are_those_of_the_definition():
    x, y = normal(9, 3, 0) + 0.3, normal(7, 3, 1)
    n, m = len(x), len(y)
    centre = (x.mean(0) + y.mean(0)) / 2
    q = 1 + centre @ centre / 3

    def kernel_less_its_additive_terms(a, b):  # which cancel in the distance
        of_a, of_b = ((side - centre) @ centre / 3 for side in (a, b))
        return (a @ b.T / 3 + 1) ** 3 - q**3 - 3 * q**2 * (of_a[:, None] + of_b[None, :])

    kxx, kyy, kxy = (kernel_less_its_additive_terms(a, b) for a, b in ((x, x), (y, y), (x, y)))

    def triples(k, size):
        return [(i, j, h) for i in range(size) for j in range(size) for h in range(size) if len({i, j, h}) == 3]

    def first_order(kw, kc):  # Var f by sums over distinct indices
        size, others = kc.shape
        own = np.mean([(kw[i, j] * kw[i, h]).item() for i, j, h in triples(kw, size)])
        pairs = [(j, h) for j in range(others) for h in range(others) if j != h]
        cross = np.mean([(kc[i, j] * kc[i, h]).item() for i in range(size) for j, h in pairs])
        off = [(i, j) for i in range(size) for j in range(size) if i != j]
        both = np.mean([(kw[i, j] * kc[i, h]).item() for i, j in off for h in range(others)])
        mean = np.mean([kw[i, j].item() for i, j in off]) - kc.mean().item()
        return own + cross - 2 * both - mean**2

    def own_remainder(k):
        size = len(k)
        off = [k[i, j].item() for i in range(size) for j in range(size) if i != j]
        conditional = np.mean([(k[i, j] * k[i, h]).item() for i, j, h in triples(k, size)])
        return np.mean(np.square(off)) - 2 * conditional + np.mean(off) ** 2

    def conditional_across(k):
        pairs = [(j, h) for j in range(k.shape[1]) for h in range(k.shape[1]) if j != h]
        return np.mean([(k[i, j] * k[i, h]).item() for i in range(len(k)) for j, h in pairs])

    across = (kxy**2).mean().item() - conditional_across(kxy) - conditional_across(kxy.T) + kxy.mean().item() ** 2
    variance = 4 * max(first_order(kxx, kxy) / n + first_order(kyy, kxy.T) / m, 0)
    variance += 2 * own_remainder(kxx) / (n * (n - 1)) + 2 * own_remainder(kyy) / (m * (m - 1)) + 4 * across / (n * m)
    assert kernel_distance(x, y).se ** 2 == pytest.approx(variance, rel=1e-10)


def test_two_samples_have_a_value_but_no_error():
    x, y = normal(2, 3, 0), normal(5, 3, 1)
    assert kernel_distance(x, y).se is None
    assert kernel_distance(x, y).value == pytest.approx(plain(x, y), rel=1e-11)


def test_bad_features_are_refused():
    x = normal(10, 3, 0)
    holed = x.clone()
    holed[4, 1] = torch.nan
    for fake, real, message in [
        (holed, x, "first at index 4"),
        (x[:1], x, "at least 2"),
        (x, x[:, 1:], "same extract"),
    ]:
        with pytest.raises(MetricError, match=message):
            kernel_distance(fake, real)
