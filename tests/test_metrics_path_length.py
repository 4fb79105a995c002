"""Laws of path length: linear decoders, trimming, and what rounding does to it."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import chi2, trim_mean

from adversaria import priors
from adversaria.errors import MetricError
from adversaria.metrics import path_length, perceptual_path_length


def straight(a, b, t):
    return a + t[:, None] * (b - a)


def normal(width, dtype=torch.float64):
    return lambda n, g: torch.randn(n, width, generator=g, dtype=torch.float64).to(dtype)


def identity(x):
    return x.flatten(1)


def measure(decode, draw, samples=400, seed=0, interpolate=straight, **changes):
    return perceptual_path_length(
        decode, draw, identity, interpolate=interpolate, samples=samples, seed=seed, **changes
    )


@pytest.mark.parametrize(("width", "out"), [(1, 1), (3, 5), (16, 4)])
@pytest.mark.parametrize("along", ["full", "end"])
@pytest.mark.parametrize("epsilon", [1e-4, 1e-2])
def test_of_a_linear_decoder_is_twice_the_trace(width, out, along, epsilon):
    # E |A(z₂ − z₁)|² = 2 Tr AᵀA, with nothing trimmed. False alarm 7e-6.
    a = torch.randn(width, out, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = measure(lambda z: z @ a, normal(width), samples=5000, trim=0, along=along, epsilon=epsilon)
    assert abs(found.value - 2 * a.square().sum().item()) < 4.5 * found.se


@pytest.mark.parametrize("width", [1, 8, 50])
def test_trimmed_mean_of_a_linear_decoder(width):
    # |z₂ − z₁|²/2 is χ² of F degrees: its mean between the quantiles 1 % and 99 % is F (C₂(q₉₉) − C₂(q₁))/.98, C₂ that
    # of F + 2 degrees.
    low, high = chi2.ppf([0.01, 0.99], width)
    truth = 2 * width * (chi2.cdf(high, width + 2) - chi2.cdf(low, width + 2)) / 0.98
    found = measure(lambda z: z, normal(width), samples=20_000)
    assert abs(found.value - truth) < 4.5 * found.se
    assert found.value < 2 * width  # below the mean: the upper tail is the longer


def test_on_the_sphere_it_is_the_squared_angle():
    prior = priors.Sphere(3)

    def draw(n, g):
        return torch.nn.functional.normalize(torch.randn(n, 3, generator=g, dtype=torch.float64))

    def arc(a, b, t):
        angle = (a * b).sum(1, keepdim=True).clamp(-1, 1).acos()
        s = t[:, None]
        return (((1 - s) * angle).sin() * a + (s * angle).sin() * b) / angle.sin()

    # θ has density sin θ / 2 on [0, π]: E θ² = (π² − 4)/2.
    found = measure(lambda z: z, draw, samples=5000, trim=0, interpolate=arc)
    assert abs(found.value - (math.pi**2 - 4) / 2) < 4.5 * found.se
    theirs = measure(lambda z: z, draw, samples=5000, trim=0, interpolate=lambda a, b, t: prior.interpolate(a, b, t))
    assert theirs.value == pytest.approx(found.value, rel=1e-5)


def test_where_the_path_begins_matters_for_a_curved_decoder():
    # d|z²| = 2|z| |z₂ − z₁|; at t = 0, E 4 z₁² (z₂ − z₁)² = 4 (3 + 1) = 16, and along the whole path less.
    end = measure(torch.square, normal(1), samples=20_000, trim=0, along="end")
    full = measure(torch.square, normal(1), samples=20_000, trim=0)
    assert abs(end.value - 16) < 4.5 * end.se
    assert full.value < end.value - 4 * end.se


@pytest.mark.parametrize("trim", [0.0, 0.01, 0.1, 0.49])
def test_the_stated_order_statistics_are_kept(trim):
    distances = torch.arange(100.0, dtype=torch.float64).square()
    found = path_length._trimmed(distances[torch.randperm(100, generator=torch.Generator().manual_seed(0))], trim, {})
    low, high = math.floor(trim * 99), math.ceil((1 - trim) * 99)
    assert found.value == pytest.approx(distances[low : high + 1].mean().item())


def test_trimming_is_that_of_torch_fidelity_and_stylegan():
    # np.percentile with "lower" at 1 % and "higher" at 99 %, both kept. torchmetrics takes "lower" at 99 %, which
    # leaves out one distance more, on purpose of neither: the two differ for most n.
    distances = torch.rand(1234, generator=torch.Generator().manual_seed(0), dtype=torch.float64).exp()
    d = distances.numpy()
    kept = d[(d >= np.percentile(d, 1, method="lower")) & (d <= np.percentile(d, 99, method="higher"))]
    assert path_length._trimmed(distances, 0.01, {}).value == pytest.approx(kept.mean(), rel=1e-12)
    theirs = d[(d >= np.percentile(d, 1, method="lower")) & (d <= np.percentile(d, 99, method="lower"))]
    assert len(theirs) == len(kept) - 1


def test_trimmed_mean_is_near_that_of_scipy():
    distances = torch.rand(5000, generator=torch.Generator().manual_seed(0), dtype=torch.float64).exp()
    assert path_length._trimmed(distances, 0.01, {}).value == pytest.approx(trim_mean(distances, 0.01), rel=1e-3)


@pytest.mark.parametrize("trim", [0.0, 0.01, 0.2])
def test_intervals_contain_the_truth(trim):
    # 950 ± 6.9 of 1,000 intervals of 95 % should; 4 sd are 28. The truth is the mean of all.
    found = [measure(lambda z: z, normal(4), samples=200, seed=seed, trim=trim, batch=200) for seed in range(1000)]
    value, se = np.array([(one.value, one.se) for one in found]).T
    assert 950 - 35 <= (abs(value - value.mean()) < 1.96 * se).sum() <= 950 + 28


def test_levels_measure_their_own_rounding_and_are_refused():
    # Rounded to 256 levels, hardly a pixel moves in a step of 1e-4, and one that does moves by 78 of its steps.
    def levels(z):
        return ((z.tanh() + 1) * 127.5).round()

    smooth = measure(torch.tanh, normal(8), samples=2000, trim=0)
    rounded = measure(lambda z: levels(z) / 127.5 - 1, normal(8), samples=2000, trim=0)
    assert rounded.value > 10 * smooth.value
    with pytest.raises(MetricError, match="256 levels"):
        measure(lambda z: levels(z).to(torch.uint8), normal(8))


def test_float32_is_good_enough_where_images_move():
    single = measure(lambda z: z.tanh(), normal(8, torch.float32), samples=2000)
    double = measure(lambda z: z.tanh(), lambda n, g: normal(8, torch.float32)(n, g).double(), samples=2000)
    assert single.value == pytest.approx(double.value, rel=2e-3)
    assert (single.protocol["latents"], double.protocol["latents"]) == ("float32", "float64")


def test_batches_do_not_matter_and_seeds_do():
    values = [measure(torch.tanh, normal(5), batch=batch) for batch in (1, 7, 400)]
    assert [one.value for one in values] == pytest.approx([values[0].value] * 3, rel=1e-9)
    assert measure(torch.tanh, normal(5), seed=1).value != values[0].value


def test_a_constant_has_none_and_the_unit_is_squared():
    assert measure(lambda z: 0 * z, normal(3)).value == 0
    one, ten = measure(torch.tanh, normal(3)), measure(lambda z: 10 * z.tanh(), normal(3))
    assert (ten.value, ten.se) == pytest.approx((100 * one.value, 100 * one.se), rel=1e-6)


def test_no_gradient_is_kept():
    layer = torch.nn.Linear(3, 4).double()
    assert measure(layer, normal(3)).n == (400, 0)
    assert "wanted: 10000" in measure(layer, normal(3)).notes[0]


def test_bad_input_is_refused():
    for changes, message in [
        ({"samples": 1}, "at least 2 samples"),
        ({"epsilon": 0.0}, "epsilon must"),
        ({"epsilon": math.inf}, "epsilon must"),
        ({"trim": 0.5}, "trim must"),
        ({"along": "middle"}, "along must"),
    ]:
        with pytest.raises(MetricError, match=message):
            measure(torch.tanh, normal(3), **changes)
    with pytest.raises(MetricError, match="NaN or infinite"):
        measure(torch.log, normal(3))
    with pytest.raises(MetricError, match=r"shape \(64, F\)"):
        perceptual_path_length(torch.tanh, normal(3), torch.sum, interpolate=straight, samples=64, seed=0)
