"""Laws of the kernel distance: unbiased against closed forms, equal to the plain double sum, and its error."""

import math
import warnings

import numpy as np
import pytest
import torch
from scipy import integrate, special, stats

from adversaria.errors import MetricError
from adversaria.kernels import RBF, Energy, Kernel, Linear, Polynomial, RationalQuadratic
from adversaria.metrics import kernel, kernel_distance, kernel_distance_subsets, pairs


def normal(n, width, seed, dtype=torch.float64):
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def plain(x, y, of=None):
    """The definition, pair by pair, in extended precision; `of` a kernel in float64, or that of KID."""
    if of is None:
        x, y = (np.asarray(side, dtype=np.longdouble) for side in (x, y))
        k = [(a @ b.T / x.shape[1] + 1) ** 3 for a, b in ((x, x), (y, y), (x, y))]
    else:
        k = [of(a.double(), b.double()).numpy() for a, b in ((x, x), (y, y), (x, y))]
    n, m = len(x), len(y)
    within = [(k[i].sum() - np.trace(k[i])) / (size * (size - 1)) for i, size in ((0, n), (1, m))]
    return float(within[0] + within[1] - 2 * k[2].mean())


# --- closed forms: MMD² of N(μ, I) and N(0, I) in d dimensions -------------------------------------------------


def expected_kernel(a, b):
    """E k(x, y) for independent x ~ N(a, I), y ~ N(b, I) (Bińkowski et al. 2018)."""
    d, s = len(a), a @ b
    squares = a @ a + b @ b + d
    third = s**3 + 3 * s * (squares + 2)
    return third / d**3 + 3 * (s**2 + squares) / d**2 + 3 * s / d + 1


def of_polynomial(mean):
    nothing = torch.zeros_like(mean)
    both = expected_kernel(mean, mean) + expected_kernel(nothing, nothing)
    return (both - 2 * expected_kernel(mean, nothing)).item()


def of_gaussian(precision, mean):
    """Under exp(−v |x − y|²/2): the sum of two Gaussian integrals."""
    d, square = len(mean), (mean @ mean).item()
    return 2 * (1 + 2 * precision) ** (-d / 2) * -math.expm1(-square * precision / 2 / (1 + 2 * precision))


def of_rational_quadratic(alpha, mean):
    """(1 + s/2α)^(−α) is the mean of exp(−v s/2) over v ~ Gamma(α, rate α)."""
    law = stats.gamma(alpha, scale=1 / alpha)
    return integrate.quad(lambda u: of_gaussian(law.ppf(u), mean), 0, 1, epsabs=1e-7, limit=200)[0]


def expected_distance(mean):
    """E |x − y|: x − y is √2 times a unit normal variable of mean μ/√2, whose length is non-central χ."""
    d, square = len(mean), (mean @ mean).item()
    ratio = math.exp(math.lgamma((d + 1) / 2) - math.lgamma(d / 2))
    return 2 * ratio * special.hyp1f1(-0.5, d / 2, -square / 4)


CLOSED = {
    "polynomial": (Polynomial(), of_polynomial),
    "linear": (Linear(), lambda mean: (mean @ mean).item()),
    "rbf": (RBF((2.0,)), lambda mean: of_gaussian(1 / 4, mean)),
    "rbf-all": (RBF(), lambda mean: sum(of_gaussian(sigma**-2, mean) for sigma in RBF().bandwidths)),
    "rq": (
        RationalQuadratic(),
        lambda mean: sum(of_rational_quadratic(alpha, mean) for alpha in RationalQuadratic().alphas),
    ),
    "rq*": (
        RationalQuadratic((1.0,)) + Linear(),
        lambda mean: of_rational_quadratic(1.0, mean) + (mean @ mean).item(),
    ),
    "energy": (Energy(), lambda mean: 2 * (expected_distance(mean) - expected_distance(0 * mean))),
}
every_kernel = pytest.mark.parametrize("name", CLOSED)


def repeated(width, n, m, shift, repetitions, name="polynomial"):
    mean = torch.full((width,), shift, dtype=torch.float64)
    of, truth = CLOSED[name]
    found = [
        kernel_distance(normal(n, width, 2 * seed) + mean, normal(m, width, 2 * seed + 1), of)
        for seed in range(repetitions)
    ]
    value, se = torch.tensor([[e.value, e.se or 0.0] for e in found], dtype=torch.float64).T
    return value, se, truth(mean)


# --- value -----------------------------------------------------------------------------------------------------


def test_the_oracles_themselves():
    mean = torch.full((4,), 0.5, dtype=torch.float64)
    assert of_polynomial(mean) == 1.328125
    assert of_gaussian(1 / 4, mean) == pytest.approx(0.07107, abs=5e-6)
    # The energy distance of N(μ, 1) and N(0, 1) by the folded normal law of x − y ~ N(μ, 2).
    mu = 0.7
    folded = 2 / math.sqrt(math.pi) * math.exp(-(mu**2) / 4) + mu * math.erf(mu / 2)
    one = torch.tensor([mu], dtype=torch.float64)
    assert expected_distance(one) == pytest.approx(folded, rel=1e-12)
    # And in one dimension it is 2 ∫ (F − G)².
    cramer = integrate.quad(lambda t: (stats.norm.cdf(t) - stats.norm.cdf(t, mu)) ** 2, -10, 11)[0]
    assert CLOSED["energy"][1](one) == pytest.approx(2 * cramer, rel=1e-7)


@every_kernel
@pytest.mark.parametrize(("width", "n", "m", "shift"), [(1, 10, 14, 0.7), (4, 30, 20, 0.5), (32, 15, 25, 0.2)])
def test_unbiased_for_gaussians(name, width, n, m, shift):
    value, _, truth = repeated(width, n, m, shift, 300, name)
    z = (value.mean() - truth) / (value.std() / 300**0.5)
    assert abs(z) < 4.5  # false alarm 7e-6, and some more for skewed values


@every_kernel
@pytest.mark.parametrize(("width", "n", "m"), [(4, 2, 3), (16, 20, 20)])
def test_unbiased_at_equality(name, width, n, m):
    value, _, truth = repeated(width, n, m, 0.0, 300, name)
    assert truth == pytest.approx(0, abs=1e-9)
    assert abs(value.mean() / (value.std() / 300**0.5)) < 4.5
    assert (value < 0).any()  # an unbiased estimate of 0 has both signs


@pytest.mark.parametrize("edge", [3, 16, 1024])
@pytest.mark.parametrize(("n", "m"), [(2, 2), (16, 17), (50, 31)])
def test_is_the_plain_double_sum(n, m, edge, monkeypatch):
    monkeypatch.setattr(pairs, "EDGE", edge)
    x, y = normal(n, 5, 0) + 0.5, 2 * normal(m, 5, 1)
    assert kernel_distance(x, y).value == pytest.approx(plain(x, y), rel=1e-11)


OTHERS = [
    *(Polynomial(degree, scale=0.3, offset=offset) for degree in (1, 2, 4, 6) for offset in (0.0, 2.0)),
    *(of for of, _ in CLOSED.values()),
]


@pytest.mark.parametrize("edge", [7, 1024])
@pytest.mark.parametrize("of", OTHERS, ids=lambda of: type(of).__name__)
def test_is_the_plain_double_sum_of_any_kernel(of, edge, monkeypatch):
    monkeypatch.setattr(pairs, "EDGE", edge)
    x, y = normal(30, 5, 0) + 0.5, 2 * normal(21, 5, 1)
    found = kernel_distance(x, y, of)
    assert found.value == pytest.approx(plain(x, y, of), rel=1e-10)
    assert found.protocol["kernel"] == str(of)
    single = kernel_distance(x.float(), y.float(), of)
    assert single.value == pytest.approx(found.value, abs=1e-5 * found.se)
    assert single.se == pytest.approx(found.se, rel=1e-5)


def test_a_linear_kernel_is_the_polynomial_of_degree_one():
    x, y = normal(30, 5, 0) + 0.5, 2 * normal(21, 5, 1)
    linear, polynomial = kernel_distance(x, y, Linear()), kernel_distance(x, y, Polynomial(1, scale=1.0))
    assert linear.value == pytest.approx(polynomial.value, rel=1e-12)
    # Not the error to this digit: the offset and the centre, which cancel in the value, enter squares of means.
    assert linear.se == pytest.approx(polynomial.se, rel=0.05)


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
    assert apart.value == pytest.approx(7, abs=1e-5)
    assert apart.se == pytest.approx(0, abs=1e-4)  # the root of what float32 leaves of a variance of 0


def test_memory_is_a_copy_and_a_block(monkeypatch):
    monkeypatch.setattr(pairs, "EDGE", 100)
    shapes = []

    class Watched(Kernel):
        def gram(self, x, y):
            shapes.append((len(x), len(y)))
            return x @ y.T

    kernel_distance(normal(250, 4, 0), normal(330, 4, 1), Watched())
    assert max(max(shape) for shape in shapes) == 100
    # Within a side, only blocks on and above the diagonal.
    assert len(shapes) == 3 * 4 // 2 + 4 * 5 // 2 + 3 * 4


# --- the standard error ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["polynomial", "linear", "rbf", "rq*", "energy"])
@pytest.mark.parametrize(("width", "n", "m", "shift"), [(4, 200, 150, 0.7)])
def test_intervals_contain_the_truth(name, width, n, m, shift):
    # The seeds are fixed. Of 1000 intervals of 95 %, 950 ± 6.9 contain the truth: new seeds would miss by chance in
    # 0.4 % of the cases, and more often under cubes, whose skewness first-order intervals do not know.
    value, se, truth = repeated(width, n, m, shift, 1000, name)
    inside = ((value - truth).abs() < 1.96 * se).sum().item()
    assert 930 <= inside <= 970


@pytest.mark.parametrize(
    ("name", "width", "n", "m"),
    [("polynomial", 16, 60, 60), ("polynomial", 64, 50, 120), ("rbf", 16, 60, 60), ("energy", 4, 30, 60)],
)
def test_at_equality_the_second_order_carries_the_error(name, width, n, m):
    # First order 0, whose estimate, cut at 0, adds a little. The variance of 1000 repetitions has a relative error
    # of about 6 %: 4 sd are 24 %.
    value, se, exact = repeated(width, n, m, 0.0, 1000, name)
    assert exact == pytest.approx(0, abs=1e-9)
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


# --- what breaks other tools -----------------------------------------------------------------------------------


@every_kernel
def test_constant_features_of_any_kernel(name):
    of, _ = CLOSED[name]
    x = torch.full((20, 3), 1e3)
    same = kernel_distance(x, x[:7], of)
    scale = of(x.double(), x.double()).abs().max().item()
    assert same.value == pytest.approx(0, abs=1e-12 * scale)
    assert same.se == pytest.approx(0, abs=1e-7 * scale)


@every_kernel
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_features_are_left_as_they_were(name, dtype):
    of, _ = CLOSED[name]
    x, y = normal(70, 3, 0, dtype) + 3, normal(80, 3, 1, dtype)
    before = x.clone(), y.clone()
    kernel_distance(x, y, of)
    kernel_distance(x.numpy(), y.numpy(), of)
    assert torch.equal(x, before[0])
    assert torch.equal(y, before[1])


@every_kernel
def test_duplicated_samples(name):
    # k copies of each sample: Σ over i ≠ j then counts pairs of copies, by the definition.
    of, _ = CLOSED[name]
    x, y = normal(10, 3, 0).repeat(3, 1), normal(8, 3, 1).repeat(2, 1) + 0.2
    found = kernel_distance(x.float(), y.float(), of)
    assert found.value == pytest.approx(plain(x.float(), y.float(), of), abs=1e-5 * found.se)
    assert math.isfinite(found.se)


def test_values_beyond_float64_are_refused():
    x = normal(10, 3, 0) * 1e60
    for of in (Polynomial(), Polynomial(3) + Linear()):
        with pytest.raises(MetricError, match="too large"):
            kernel_distance(x, 2 * x, of)
    assert math.isfinite(kernel_distance(x, 2 * x, Energy()).value)


# --- subsets, as published, and other tools --------------------------------------------------------------------


def test_subsets_of_everything_are_all_pairs():
    x, y = normal(40, 5, 0), normal(40, 5, 1) + 0.2
    found = kernel_distance_subsets(x, y, seed=0, subsets=3, size=40)
    assert found.value == pytest.approx(kernel_distance(x, y).value, rel=1e-10)
    assert found.protocol["spread"] == pytest.approx(0, abs=1e-12)


def test_subsets_are_those_of_the_seed():
    x, y = normal(60, 5, 0), normal(50, 5, 1)
    first, again, other = (kernel_distance_subsets(x, y, seed=seed, subsets=4, size=20) for seed in (1, 1, 2))
    assert first == again
    assert first.value != other.value
    more = kernel_distance_subsets(x, y, seed=1, subsets=5, size=20)  # the same four, and one
    assert more.value != first.value
    assert (first.protocol["seed"], first.protocol["subsets"], first.protocol["size"]) == (1, 4, 20)


@pytest.mark.parametrize("name", ["polynomial", "rbf", "energy"])
def test_the_mean_over_subsets_is_that_over_all_pairs(name):
    of, _ = CLOSED[name]
    x, y = normal(60, 3, 0) + 0.5, normal(50, 3, 1)
    found = kernel_distance_subsets(x, y, seed=0, subsets=500, size=15, kernel=of)
    # Given the samples, subsets are independent; false alarm 7e-6.
    z = (found.value - kernel_distance(x, y, of).value) / (found.protocol["spread"] / 500**0.5)
    assert abs(z) < 4.5


def test_the_spread_over_subsets_is_no_standard_error():
    # 100 subsets of 50 of 60 samples: their spread is a fraction of the error, since they are nearly the same samples.
    # Of 60 subsets of 15 it is a multiple. So it is not given as one.
    x, y = normal(60, 3, 0) + 0.5, normal(60, 3, 1)
    narrow = kernel_distance_subsets(x, y, seed=0, subsets=100, size=50)
    wide = kernel_distance_subsets(x, y, seed=0, subsets=100, size=15)
    error = kernel_distance(x, y).se
    assert narrow.protocol["spread"] < 0.6 * error < error < wide.protocol["spread"] / 1.2
    assert narrow.se is wide.se is None
    assert "not a standard error" in narrow.notes[0]


@pytest.mark.parametrize(("n", "m"), [(999, 2000), (2000, 999)])
def test_subsets_larger_than_the_sample_are_refused(n, m):
    with pytest.raises(MetricError, match=f"got {n} fake and {m} real.*Use kernel_distance"):
        kernel_distance_subsets(torch.ones(n, 2), torch.ones(m, 2), seed=0)
    with pytest.raises(MetricError, match="at least 1 subset of at least 2"):
        kernel_distance_subsets(torch.ones(5, 2), torch.ones(5, 2), seed=0, size=1)


@pytest.fixture(scope="module")
def fidelity(torch_fidelity):
    """torch-fidelity's KID."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torch_fidelity.metric_kid
    return torch_fidelity.metric_kid


@pytest.fixture(scope="module")
def torchmetrics_kid(fidelity):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torchmetrics.image import kid
    return kid


@pytest.mark.parametrize("shift", [0.0, 0.1])
def test_equal_to_torch_fidelity_on_the_same_subsets(fidelity, shift):
    x, y = normal(300, 64, 0, torch.float32).relu(), normal(250, 64, 1, torch.float32).relu() + shift
    options = {"kid": True, "kid_subsets": 5, "kid_subset_size": 100, "rng_seed": 7, "verbose": False}
    theirs = fidelity.kid_features_to_metric(x, y, **options)
    draw = np.random.RandomState(7)
    choices = [tuple(torch.from_numpy(draw.choice(len(side), 100, replace=False)) for side in (x, y)) for _ in range(5)]
    ready = pairs.prepare(Polynomial(), x, y)
    ours = ready.unit * kernel._over_subsets(ready, choices)
    # They sum in float32, which leaves 1e-7 absolute.
    assert theirs["kernel_inception_distance_mean"] == pytest.approx(ours.mean().item(), abs=3e-7)
    assert theirs["kernel_inception_distance_std"] == pytest.approx(ours.std(correction=0).item(), abs=3e-7)


@pytest.mark.parametrize("shift", [0.0, 0.1])
def test_equal_to_torchmetrics_on_the_same_samples(torchmetrics_kid, shift):
    x, y = normal(200, 64, 0, torch.float32).relu(), normal(200, 64, 1, torch.float32).relu() + shift
    assert kernel_distance(x, y).value == pytest.approx(torchmetrics_kid.poly_mmd(x, y).item(), abs=1e-6)
    double = torchmetrics_kid.poly_mmd(x.double(), y.double()).item()
    assert kernel_distance(x.double(), y.double()).value == pytest.approx(double, abs=1e-12)
    assert kernel_distance(x, y).value == pytest.approx(double, abs=1e-7)


def test_differs_from_torch_fidelity_in_float32_at_an_offset(fidelity):
    # They cube x·y/F + 1 as it is, in float32; features of mean 30 leave no digit of a distance of 2e-2. Here what
    # cancels is not computed.
    x, y = normal(200, 64, 0, torch.float32) + 30, normal(200, 64, 1, torch.float32) + 30.001
    options = {"kid": True, "kid_subsets": 1, "kid_subset_size": 200, "rng_seed": 0, "verbose": False}
    theirs = fidelity.kid_features_to_metric(x, y, **options)["kernel_inception_distance_mean"]
    exact = plain(x, y)
    ours = kernel_distance(x, y)
    assert abs(ours.value - exact) < 1e-4 * ours.se
    assert abs(theirs - exact) > 100 * abs(ours.value - exact)


def test_differs_from_torchmetrics_which_draws_subsets_from_the_global_generator(untouched_randomness):
    x, y = normal(60, 5, 0), normal(50, 5, 1)
    kernel_distance_subsets(x, y, seed=1, subsets=4, size=20)


@pytest.mark.parametrize("name", ["polynomial", "rbf", "energy"])
def test_independent_of_the_number_of_threads(name):
    of, _ = CLOSED[name]
    x, y = normal(700, 16, 0), normal(600, 16, 1) + 0.1
    before = torch.get_num_threads()
    try:
        found = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found.append(kernel_distance(x, y, of))
    finally:
        torch.set_num_threads(before)
    assert found[0].value == pytest.approx(found[1].value, rel=1e-9)
    assert found[0].se == pytest.approx(found[1].se, rel=1e-9)
