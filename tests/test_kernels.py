"""Laws of kernels: their formula, positive, symmetric, differentiable everywhere, in float32 as good as its inputs."""

import math

import numpy as np
import pytest
import torch

from adversaria.errors import DataError, RecipeError
from adversaria.kernels import RBF, Energy, Kernel, Linear, Polynomial, RationalQuadratic, Sum

KERNELS = [
    Polynomial(),
    Polynomial(1, scale=0.5),
    Polynomial(2, scale=0.5, offset=0.0),
    Polynomial(5),
    Linear(),
    RBF(),
    RBF((1.5,)),
    RationalQuadratic(),
    Energy(),
    RationalQuadratic((0.5,)) + Linear(),
    RBF((1.0,)) + Energy() + Polynomial(2),
]
every_kernel = pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: type(kernel).__name__)


def normal(n, width, seed, dtype=torch.float64):
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def plain(kernel, a, b):
    """The formula of one pair, from the coordinates, in extended precision."""
    a, b = (np.asarray(side, dtype=np.longdouble) for side in (a, b))
    square, product = ((a - b) ** 2).sum(), a @ b
    match kernel:
        case Polynomial(degree, scale, offset):
            return (product * (1 / len(a) if scale is None else scale) + offset) ** degree
        case Linear():
            return product
        case RBF(bandwidths):
            return sum(np.exp(-square / (2 * sigma**2)) for sigma in bandwidths)
        case RationalQuadratic(alphas):
            return sum((1 + square / (2 * alpha)) ** -alpha for alpha in alphas)
        case Energy():
            return np.sqrt(a @ a) + np.sqrt(b @ b) - np.sqrt(square)
        case Sum(kernels):
            return sum(plain(part, a, b) for part in kernels)


def all_pairs(kernel, x, y):
    return torch.tensor([[float(plain(kernel, a, b)) for b in y] for a in x], dtype=torch.float64)


# --- values ----------------------------------------------------------------------------------------------------


@every_kernel
@pytest.mark.parametrize("width", [1, 3, 40])
def test_is_its_formula(kernel, width):
    x, y = normal(5, width, 0) + 0.3, 2 * normal(7, width, 1)
    torch.testing.assert_close(kernel(x, y), all_pairs(kernel, x, y), rtol=1e-12, atol=1e-12)


def test_published_parameters():
    assert Polynomial() == Polynomial(degree=3, scale=None, offset=1.0)
    assert RBF().bandwidths == (2, 5, 10, 20, 40, 80)
    assert RationalQuadratic().alphas == (0.2, 0.5, 1, 2, 5)


@every_kernel
@pytest.mark.parametrize("width", [1, 2, 20])
def test_positive_definite_and_symmetric(kernel, width):
    x = torch.cat([normal(30, width, 0), normal(5, width, 0), torch.zeros(2, width)])  # duplicates among them
    gram = kernel(x, x)
    torch.testing.assert_close(gram, gram.T, rtol=1e-13, atol=1e-13)
    values = torch.linalg.eigvalsh(gram)
    assert values.min() > -1e-12 * values.max()
    y = normal(9, width, 1)
    torch.testing.assert_close(kernel(x, y), kernel(y, x).T, rtol=1e-13, atol=1e-13)


def test_minus_distance_is_positive_where_coefficients_sum_to_zero():
    x, c = normal(40, 3, 0), normal(100, 40, 1)
    c -= c.mean(1, keepdim=True)
    without_norms = Energy()(x, x) - x.norm(dim=1)[:, None] - x.norm(dim=1)
    assert ((c @ without_norms) * c).sum(1).min() > 0
    assert torch.linalg.eigvalsh(without_norms).min() < 0 < torch.linalg.eigvalsh(without_norms).max()


@pytest.mark.parametrize(
    ("kernel", "expected"),
    [
        (Polynomial(), "(x·y/F + 1)³"),
        (Polynomial(4, scale=0.25, offset=0.5), "(0.25 x·y + 0.5)^4"),
        (Polynomial(1), "(x·y/F + 1)"),
        (RBF((2, 5)), "Σ_σ exp(−|x − y|²/2σ²), σ ∈ {2, 5}"),
        (RationalQuadratic((0.5,)) + Linear(), "[(1 + |x − y|²/2α)^(−α), α = 0.5] + x·y"),
    ],
)
def test_printed_as_the_formula(kernel, expected):
    assert str(kernel) == expected


def test_sums():
    x, y = normal(4, 3, 0), normal(5, 3, 1)
    total = RBF() + Linear() + Energy()
    assert total == Sum((RBF(), Linear(), Energy())) == RBF() + (Linear() + Energy())
    torch.testing.assert_close(total(x, y), RBF()(x, y) + Linear()(x, y) + Energy()(x, y), rtol=1e-14, atol=1e-14)
    assert len({total, Sum([RBF(), Linear(), Energy()]), Linear()}) == 2  # values, hashed by their parameters


def test_limits():
    x, y = normal(5, 3, 0), normal(6, 3, 1)
    torch.testing.assert_close(RationalQuadratic((1e9,))(x, y), RBF((1.0,))(x, y), rtol=1e-7, atol=0)
    torch.testing.assert_close(Polynomial(1, scale=1.0, offset=0.0)(x, y), Linear()(x, y))
    wide = 2e10 * (1 - RBF((1e5,))(x, y))  # 1 − k → |x − y|² / 2σ²
    torch.testing.assert_close(wide, torch.cdist(x, y).square(), rtol=1e-4, atol=0)


def discrepancy(kernel, points, p, q):
    """MMD² of two laws on the same points."""
    c = p - q
    return (c @ kernel(points, points) @ c).item()


@pytest.mark.parametrize(
    ("kernel", "characteristic"),
    [
        (Linear(), False),
        (Polynomial(), False),
        (Polynomial(4), True),  # sees the fourth moment; the sixth may differ unseen
        (RBF(), True),
        (RationalQuadratic(), True),
        (Energy(), True),
        (Polynomial() + RBF((1.0,)), True),
    ],
)
def test_characteristic_kernels_see_what_moments_do_not(kernel, characteristic):
    # Both laws have moments 0, 1, 0; the fourth is 1 and 3.
    points = torch.tensor([[-(3**0.5)], [-1.0], [0.0], [1.0], [3**0.5]], dtype=torch.float64)
    p = torch.tensor([0, 1 / 2, 0, 1 / 2, 0], dtype=torch.float64)
    q = torch.tensor([1 / 6, 0, 2 / 3, 0, 1 / 6], dtype=torch.float64)
    found = discrepancy(kernel, points, p, q)
    assert found > 1e-6 if characteristic else abs(found) < 1e-14


# --- precision -------------------------------------------------------------------------------------------------


@every_kernel
@pytest.mark.parametrize("norm", [1.0, 1e3, 1e4])
def test_float32_loses_only_what_the_inputs_lost(kernel, norm):
    direction = normal(1, 16, 2)
    x = (normal(6, 16, 0) + norm * direction / direction.norm()).float()
    y = torch.cat([x[:3], x[3:] + 1e-3, (normal(3, 16, 1) + norm * direction / direction.norm()).float()])
    found = kernel(x, y)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), all_pairs(kernel, x, y), rtol=1e-5, atol=0)


@pytest.mark.parametrize(
    ("kernel", "value"), [(RBF(), 6.0), (RationalQuadratic(), 5.0), (Energy(), 2e3)], ids=["rbf", "rq", "energy"]
)
def test_a_point_and_itself(kernel, value):
    x = normal(8, 64, 0, torch.float32)
    x *= 1e3 / x.norm(dim=1, keepdim=True)
    torch.testing.assert_close(kernel(x, x).diagonal(), torch.full((8,), value), rtol=1e-6, atol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_widened(dtype):
    x, y = normal(4, 300, 0).to(dtype), normal(5, 300, 1).to(dtype)
    found = RBF()(x, y)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, RBF()(x.float(), y.float()))
    assert Linear()(x, y.double()).dtype == torch.float64


# --- gradients -------------------------------------------------------------------------------------------------


@every_kernel
def test_gradients_are_those_of_finite_differences(kernel):
    x, y = normal(4, 3, 0).requires_grad_(), normal(5, 3, 1).requires_grad_()
    assert torch.autograd.gradcheck(kernel, (x, y))
    assert torch.autograd.gradgradcheck(kernel, (x, y))


@every_kernel
def test_gradients_in_float32_at_large_norms(kernel):
    x, y = normal(6, 16, 0, torch.float32) + 250, normal(7, 16, 1, torch.float32) + 250  # norms of 1e3

    def gradient(a, b):
        a = a.clone().requires_grad_()
        kernel(a, b).sum().backward()
        return a.grad

    found, exact = gradient(x, y), gradient(x.double(), y.double())
    torch.testing.assert_close(found.double(), exact, rtol=1e-5, atol=1e-5 * exact.abs().max().item())


@every_kernel
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("norm", [0.0, 1.0, 1e3])
def test_gradients_at_coincident_points(kernel, dtype, norm):
    at = norm * torch.nn.functional.normalize(normal(1, 5, 0), dim=1)
    x, y = at.repeat(3, 1).to(dtype).requires_grad_(), at.repeat(2, 1).to(dtype).requires_grad_()
    first = torch.autograd.grad(kernel(x, y).sum(), (x, y), create_graph=True)
    second = torch.autograd.grad(sum(part.sum() for part in first), (x, y))
    assert all(part.isfinite().all() for part in (*first, *second))
    if isinstance(kernel, RBF | RationalQuadratic):
        assert max(part.abs().max() for part in first) < 1e-6
    if isinstance(kernel, Energy):  # that of |x|; 0 at 0
        expected = 2 * at.repeat(3, 1) / max(norm, 1e-300)
        torch.testing.assert_close(first[0].double(), expected, rtol=1e-5, atol=1e-5)


def test_curvature_where_points_coincide_and_the_distance_is_clamped():
    # ∂²/∂x² exp(−|x − y|²/2σ²) = −1/σ² at x = y, also where rounding makes |x − y|² negative.
    for offset in (0.0, 0.1, 333.3):
        x = torch.full((1, 1), offset, dtype=torch.float64)
        hessian = torch.autograd.functional.hessian(lambda point, x=x: RBF((2.0,))(point, x).sum(), x)
        assert hessian.item() == pytest.approx(-0.25, rel=1e-9)


@every_kernel
def test_many_seeds_at_once(kernel):
    x, y = normal(3 * 4, 5, 0).reshape(3, 4, 5), normal(3 * 6, 5, 1).reshape(3, 6, 5)
    together = torch.func.vmap(kernel)(x, y)
    apart = torch.stack([kernel(a, b) for a, b in zip(x, y, strict=True)])
    torch.testing.assert_close(together, apart, rtol=1e-13, atol=1e-13)


# --- the median rule -------------------------------------------------------------------------------------------


def test_median_rule():
    x, y = normal(20, 3, 0), normal(31, 3, 1) + 1
    rows = torch.cat([x, y])
    distances = torch.pdist(rows)
    assert RBF.median(x, y).bandwidths == pytest.approx((distances.median().item(),), rel=1e-12)
    assert RBF.median(y.flip(0), x.roll(3, 0)).bandwidths == pytest.approx(RBF.median(x, y).bandwidths, rel=1e-12)
    assert RBF.median(100 * x, 100 * y).bandwidths[0] == pytest.approx(100 * distances.median().item(), rel=1e-12)


def test_median_rule_of_many_rows_looks_at_some():
    x, y = normal(5000, 2, 0), normal(3000, 2, 1)
    # |a − b|²/2 is χ² of 2 degrees, with median 2 ln 2; the median of 2·10⁶ dependent pairs scatters by about 1 %.
    assert RBF.median(x, y).bandwidths[0] == pytest.approx(math.sqrt(4 * math.log(2)), rel=0.05)


def test_median_rule_of_coincident_rows_is_refused():
    with pytest.raises(RecipeError, match="too many coincide"):
        RBF.median(torch.ones(10, 2), torch.ones(5, 2))
    with pytest.raises(DataError, match="median rule takes rows"):
        RBF.median(torch.ones(10, 2), torch.ones(5, 3))


# --- bad input -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RBF(()), "positive, finite bandwidths"),
        (lambda: RBF((1.0, 0.0)), "positive, finite bandwidths"),
        (lambda: RBF((math.nan,)), "positive, finite bandwidths"),
        (lambda: RationalQuadratic((-1.0,)), "positive, finite alphas"),
        (lambda: Polynomial(0), "whole degree"),
        (lambda: Polynomial(2.5), "whole degree"),
        (lambda: Polynomial(scale=0.0), "positive, finite scale"),
        (lambda: Polynomial(offset=-1.0), "offset of at least 0"),
        (lambda: Sum(()), "one kernel at least"),
    ],
)
def test_parameters_outside_their_domain_are_refused(make, message):
    with pytest.raises(RecipeError, match=message):
        make()


@every_kernel
def test_rows_that_do_not_fit_are_refused(kernel):
    x = torch.ones(3, 2)
    for a, b in [(x, torch.ones(3, 1)), (x[0], x), (x[None], x)]:
        with pytest.raises(DataError, match="takes rows"):
            kernel(a, b)
    with pytest.raises(DataError, match="floating-point"):
        kernel(x.long(), x)


def test_a_kernel_of_ones_own():
    class Laplace(Kernel):
        def gram(self, x, y):
            return torch.exp(-torch.cdist(x, y, p=1))

    x = normal(3, 2, 0, torch.float32)
    found = (Laplace() + Linear())(x, x)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.diagonal(), 1 + x.square().sum(1))
