"""The search for the non-parametric prior: gradients, certificates, known optima, errors, files."""

import math

import numpy as np
import pytest

from adversaria.errors import DataError
from adversaria.priors import (
    Nonparametric,
    PriorError,
    Solution,
    constraints,
    given_mean,
    given_variance,
    solve_nonparametric,
    unimodal,
)
from adversaria.priors.constraints import variance
from adversaria.priors.midpoints import divergence
from adversaria.priors.nonparametric import solved_beforehand


@pytest.fixture(scope="module")
def default():
    return solve_nonparametric()


@pytest.fixture(scope="module")
def mirrored():
    return solve_nonparametric(symmetric=True)


CASES = [(0.5, "shared"), (0.5, "even"), (0.3, "shared"), (0.9, "shared")]


@pytest.mark.parametrize(("share", "midpoints"), CASES)
def test_gradient_is_that_of_finite_differences(share, midpoints):
    objective = divergence(17, share, midpoints)
    p = np.random.default_rng(0).dirichlet(np.ones(17))
    step = 1e-6 * np.eye(17) * p
    numeric = [(objective(p + h)[0] - objective(p - h)[0]) / (2 * h.sum()) for h in step]
    np.testing.assert_allclose(objective(p)[1], numeric, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("share", [0.5, 0.3])
def test_objective_is_its_definition(share):
    p = np.random.default_rng(1).dirichlet(np.ones(9))
    q = np.zeros(10)
    for i in range(9):
        for j in range(9):
            place = (1 - share) * i + share * j
            below = math.floor(place + 1e-12)
            q[below] += p[i] * p[j] * (1 - place + below)
            q[below + 1] += p[i] * p[j] * (place - below)
    assert divergence(9, share, "shared")(p)[0] == pytest.approx(float(np.sum(p * np.log(p / q[:9]))), rel=1e-9)


def test_even_midpoints_are_degenerate_and_shared_ones_are_not():
    atoms = np.zeros(1024)
    atoms[[400, 401 + 54]] = 0.5  # an odd distance
    assert variance(atoms) > 750
    assert abs(divergence(1024, 0.5, "even")(atoms)[0]) < 1e-14
    assert divergence(1024, 0.5, "shared")(atoms)[0] == pytest.approx(math.log(2))


def test_uniform_and_normal_have_their_oracles():
    uniform = np.full(1024, 1 / 1024)
    assert divergence(1024, 0.5, "shared")(uniform)[0] == pytest.approx(1 - math.log(2), abs=1e-3)
    normal = np.exp(-0.5 * np.linspace(-8, 8, 1024) ** 2)
    assert divergence(1024, 0.5, "shared")(normal / normal.sum())[0] == pytest.approx((1 - math.log(2)) / 2, abs=1e-4)


def certified(solution):
    assert solution.slack < 1e-8
    assert solution.residual < 1e-5
    assert variance(solution.mass) > solution.variance_floor * (1 - 1e-8)
    assert solution.mass.min() >= 0
    assert solution.mass.sum() == pytest.approx(1, abs=1e-12)
    assert solution.objective == min(solution.starts.values())


def test_default_beats_the_bounds_of_the_literature(default):
    certified(default)
    assert default.objective <= 0.006564  # the published histogram has 0.007711
    assert default.objective == pytest.approx(0.00436233, abs=2e-8)
    assert default.objective == divergence(1024, 0.5, "shared")(default.mass)[0]


def test_the_best_is_a_core_at_the_edge_with_a_comb(default):
    assert default.mass[:2].sum() == pytest.approx(0.982, abs=1e-3)
    teeth = [default.mass[k - 2 : k + 3].sum() for k in (256, 512)]
    assert min(teeth) > 50 * default.mass[380:385].sum()
    # The bound of the module's docstring.
    beyond = [default.mass[k:].sum() for k in (768, 511)]
    assert 0.002 < beyond[0] * (math.log(1 / (2 * beyond[1])) - 1) < default.objective


def test_symmetric_optimum(mirrored):
    certified(mirrored)
    assert mirrored.objective <= 0.0065726
    np.testing.assert_array_equal(mirrored.mass, mirrored.mass[::-1])
    assert max(mirrored.starts.values()) == pytest.approx(min(mirrored.starts.values()), abs=1e-8)


def test_the_shipped_prior_is_the_symmetric_optimum(mirrored):
    shipped = np.asarray(Nonparametric(1).mass)
    assert divergence(1024, 0.5, "shared")(shipped)[0] == pytest.approx(mirrored.objective, abs=1e-9)
    assert variance(shipped) == pytest.approx(768, rel=1e-8)
    np.testing.assert_allclose(shipped, mirrored.mass, atol=1e-4)


def test_the_shipped_law_for_the_whole_way_is_what_its_certificate_says():
    way = solved_beforehand("way")
    certified(way)
    shares = {share: divergence(1024, share, "shared")(way.mass)[0] for share in (0.1, 0.2, 0.3, 0.35, 0.4, 0.5)}
    assert way.lambdas == (0.5, 0.35, 0.2)
    assert sum(shares[share] for share in way.lambdas) / 3 == pytest.approx(way.objective, rel=1e-9)
    assert max(shares.values()) < 0.00985
    np.testing.assert_array_equal(way.mass, way.mass[::-1])
    middle = divergence(1024, 0.3, "shared")(solved_beforehand().mass)[0]
    assert middle > 10 * shares[0.3]


def test_the_grid_objective_is_the_mismatch_of_the_prior_seen_through_its_bins(mirrored):
    law = mirrored.prior(1).interpolate_law(0.5)
    coarse = np.asarray(law.mass).reshape(1024, -1).sum(1)
    assert float(np.sum(mirrored.mass * np.log(mirrored.mass / coarse))) == pytest.approx(mirrored.objective, abs=1e-7)
    assert mirrored.prior(1).mismatch(0.5) > mirrored.objective


def test_fitting_one_share_costs_at_the_others():
    assert Nonparametric(1).mismatch(0.3) > 10 * Nonparametric(1).mismatch(0.5)
    settings = {"bins": 128, "variance_floor": 96.0, "symmetric": True}
    at_half = solve_nonparametric(**settings)
    at_both = solve_nonparametric(lambdas=(0.5, 0.3), **settings)
    certified(at_both)
    values = [[divergence(128, share, "shared")(s.mass)[0] for share in (0.5, 0.3)] for s in (at_half, at_both)]
    assert at_both.objective == pytest.approx(sum(values[1]) / 2)
    assert values[0][0] < values[1][0]
    assert values[1][1] < values[0][1]


def test_a_permuted_perturbation_of_the_optimum_is_no_better(mirrored):
    """Feasible neighbours, of the same variance, cost more."""
    objective = divergence(1024, 0.5, "shared")
    random = np.random.default_rng(2)
    for _ in range(20):
        p = mirrored.mass * np.exp(0.05 * random.normal(size=1024))
        p = 0.5 * (p + p[::-1]) / p.sum()
        wide = np.zeros(1024)
        wide[[511 - 300, 512 + 300]] = 0.5
        short = 768 - variance(p)
        if short > 0:
            share = short / (variance(wide) - variance(p))
            p = (1 - share) * p + share * wide
        assert objective(p)[0] > mirrored.objective


@pytest.mark.parametrize(
    ("extra", "holds"),
    [
        (given_variance(60.0), lambda p: variance(p) == pytest.approx(60, rel=1e-5)),
        (given_mean(20.0), lambda p: p @ np.arange(len(p)) == pytest.approx(20, abs=1e-3)),
        (unimodal(31), lambda p: (np.diff(p)[:31] > -2e-6).all() and (np.diff(p)[31:] < 2e-6).all()),
        (constraints.symmetric(), lambda p: np.abs(p - p[::-1]).max() < 2e-6),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_further_constraints_hold(extra, holds):
    free = solve_nonparametric(bins=64, variance_floor=40.0)
    bound = solve_nonparametric(bins=64, variance_floor=40.0, constraints=[extra])
    assert not holds(free.mass)
    assert holds(bound.mass)
    assert bound.objective >= free.objective


def test_files_hold_everything_and_nothing_else_is_read(tmp_path):
    solution = solve_nonparametric(bins=32, variance_floor=10.0)
    path = tmp_path / "prior.npz"
    solution.save(path)
    again = Solution.load(path)
    np.testing.assert_array_equal(again.mass, solution.mass)
    for name in ("objective", "residual", "slack", "iterations", "starts", "variance_floor", "lambdas", "midpoints"):
        assert getattr(again, name) == getattr(solution, name)
    assert [file.name for file in tmp_path.iterdir()] == ["prior.npz"]
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match="no saved solution"):
        Solution.load(path)
    np.savez(path, format=np.array(1), mass=np.array([{}], dtype=object))
    with pytest.raises(DataError, match="no saved solution"):
        Solution.load(path)
    with pytest.raises(DataError, match="no saved solution"):
        Solution.load(tmp_path / "none.npz")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"variance_floor": 262_144.0}, "at most 261632"),
        ({"variance_floor": math.nan}, "at most"),
        ({"variance_floor": 0.0}, "positive"),
        ({"bins": 2}, "at least 3"),
        ({"lambdas": (0.5, 1.0)}, r"\(0, 1\)"),
        ({"lambdas": ()}, "there must be one"),
        ({"lambdas": (0.3,), "midpoints": "even"}, "λ = 0.5 alone"),
        ({"midpoints": "odd"}, "'shared' or 'even'"),
        ({"starts": [np.ones(3)]}, "a start must be 1024"),
        ({"bins": 3, "variance_floor": 0.1, "starts": [np.array([1.0, math.nan, 1.0])]}, "finite"),
        ({"bins": 3, "variance_floor": 0.1, "starts": [np.array([1.0, -1.0, 1.0])]}, "non-negative"),
        ({"bins": 16, "variance_floor": 10.0, "constraints": [given_variance(5.0)]}, "were not met"),
    ],
)
def test_what_cannot_be_solved_is_refused(arguments, message):
    with pytest.raises(PriorError, match=message):
        solve_nonparametric(**arguments)
