"""Laws of the studies of corrected samples: what is compared is what was meant, and scoring once changes nothing."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from adversaria import data, recipes, reproduce
from adversaria.correction import calibrate_run
from adversaria.errors import RecipeError
from adversaria.randomness import generator_for
from adversaria.reproduce import Column, Floor, Tier, grid25_corrected, mixture1d_corrected, mnist_corrected
from adversaria.reproduce.correcting import over_training, read_arrays
from adversaria.reproduce.mixture1d_corrected import (
    EDGES,
    EXACT_CHAIN,
    EXACT_COUPLING,
    Size,
    exact_probabilities,
    histogram,
    js_distance,
    measured,
)
from adversaria.reproduce.starving import STARVED, Starving, Training
from adversaria.runs import Run
from adversaria.sampling import MetropolisHastings

LAW = data.Mixture1D()
SOURCE = Starving(LAW)
LINE = torch.linspace(-6, 6, 24_001, dtype=torch.float64)[:, None]


def integral(density):
    return float(torch.trapezoid(density, LINE[:, 0]))


# --- the constructed generator ---------------------------------------------------------------------------------


def test_the_generators_density_is_that_of_its_samples():
    density = SOURCE.log_prob(LINE).exp()
    assert integral(density) == pytest.approx(1, abs=1e-9)
    n = 40_000
    x = SOURCE.propose(n, generator_for(0, "test"))
    edges = torch.linspace(-4, 4, 41, dtype=torch.float64)
    counts = torch.histogram(x[:, 0].double(), edges).hist
    expected = torch.stack(
        [
            n * torch.trapezoid(density[a:b], LINE[a:b, 0])
            for a, b in ((4000 + 400 * k, 4401 + 400 * k) for k in range(40))
        ]
    )
    seen = expected > 5
    chi = float(((counts - expected).square() / expected)[seen].sum())
    freedom = int(seen.sum())
    assert chi < freedom + 4.5 * math.sqrt(2 * freedom)  # of χ²(k), less often than once in 10,000


def test_no_ratio_exceeds_the_bound_and_the_starved_mode_reaches_it():
    ratio = SOURCE.log_ratio(LINE)
    assert float(ratio.max()) <= math.log(SOURCE.bound)
    at = LAW.modes[STARVED : STARVED + 1]
    assert float(SOURCE.log_ratio(at)) == pytest.approx(math.log(37.5), abs=1e-6)


# --- the distance ----------------------------------------------------------------------------------------------


def test_exact_probabilities_are_integrals_of_the_density():
    density = LAW.log_prob(LINE).exp()
    p = exact_probabilities(LAW)
    assert float(p.sum()) == pytest.approx(1, abs=1e-12)
    inner = [
        float(torch.trapezoid(density[a : a + 201], LINE[a : a + 201, 0]))
        for a in range(3000, 3000 + 200 * (len(EDGES) - 1), 200)
    ]
    assert p[1:-1].tolist() == pytest.approx(inner[1:-1], abs=1e-6)


def test_the_distance_by_hand():
    one, other = torch.tensor([1.0, 0.0]).double(), torch.tensor([0.5, 0.5]).double()
    by_hand = 0.5 * (math.log(4 / 3) + 0.5 * math.log(2 / 3) + 0.5 * math.log(2))
    assert js_distance(one, other) == js_distance(other, one) == pytest.approx(math.sqrt(by_hand), rel=1e-12)
    assert js_distance(one, one.flip(0)) == pytest.approx(math.sqrt(math.log(2)), rel=1e-12)
    assert js_distance(one, one) == 0


def test_every_point_is_in_a_bin():
    shares = histogram(torch.tensor([[-100.0], [-4.45], [0.01], [100.0]]))
    assert float(shares.sum()) == 1
    assert (float(shares[0]), float(shares[45]), float(shares[-1])) == (0.5, 0.25, 0.25)


# --- parts of a line -------------------------------------------------------------------------------------------


def parted(*parts: str) -> Floor:
    return Floor("one", lambda seed: {f"x/{part}": float(seed + k) for k, part in enumerate(parts)}, (0, 2), parts)


def test_each_part_of_a_line_has_a_row(tmp_path):
    tier = Tier((parted("a", "b"), Floor("real", lambda seed: {"x": 9.0})), minutes=1)
    what = replace(mixture1d_corrected.MIXTURE1D_CORRECTED, tiers={"quick": tier}, columns=(Column("x", "x"),))
    results = reproduce.play(what, "quick", tmp_path, device="cpu", quiet=True)
    assert results.complete
    assert [row["label"] for row in results.to_json()["rows"]] == ["a", "b", "real"]
    assert [results.mean(label, "x").value for label in ("a", "b", "real")] == [1.0, 2.0, 9.0]
    assert results.mean("a", "x").seeds == 2
    assert results.of("one") == []


def test_no_two_rows_have_one_label():
    with pytest.raises(RecipeError, match="label of its own"):
        Tier((parted("a", "a"),), minutes=1)
    with pytest.raises(RecipeError, match="label of its own"):
        Tier((parted("a"), Floor("a", dict)), minutes=1)


# --- short studies ---------------------------------------------------------------------------------------------


def test_by_the_exact_ratio_the_starved_mode_comes_back():
    n = 400
    size = Size(n, 300, Training(real=40, steps=20, width=8, depth=1))
    state = torch.get_rng_state()
    found = measured(size)(0)
    assert torch.equal(torch.get_rng_state(), state)
    assert found == measured(size)(0)
    sd = math.sqrt(0.25 * 0.75 / n)  # 4 sd: a false alarm in 16,000
    for part in (EXACT_CHAIN, EXACT_COUPLING, "real"):
        assert found[f"starved/{part}"] == pytest.approx(0.25, abs=4 * sd)
    assert found["starved/GAN"] < 0.05
    shares = [found[f"bin@{place}/{EXACT_CHAIN}"] for place in range(len(EDGES) - 1)]
    again = js_distance(torch.tensor(shares, dtype=torch.float64), exact_probabilities(LAW))
    assert found[f"distance/{EXACT_CHAIN}"] == pytest.approx(again, rel=1e-12)
    assert found[f"distance/{EXACT_CHAIN}"] < 0.5 * found["distance/GAN"]
    assert {f"distance/{part}" for part in mixture1d_corrected.PARTS} <= set(found)


@pytest.fixture
def unhurried(monkeypatch):
    monkeypatch.setattr(grid25_corrected, "SOUGHT", 640)


def test_a_grid_run_is_shown_at_its_worst_checkpoint(tmp_path, unhurried):
    tiny = grid25_corrected.grid25_plain().model_copy(
        update={"steps": 4, "batch_size": 16, "compilation": "never", "checkpoint_every": 2, "sample_every": 4}
    )
    tier = grid25_corrected.tier(tiny, (0,), 50, minutes=1)
    measure = grid25_corrected.corrected_coverage(50)
    what = replace(grid25_corrected.GRID25_CORRECTED, tiers={"quick": tier}, measure=measure)
    values = reproduce.play(what, "quick", tmp_path, device="cpu", quiet=True).finished[0].values
    course = over_training(values, "divergence", "GAN")
    assert set(course) == {2, 4}
    worst = int(values["worst"])
    assert course[worst].value == max(estimate.value for estimate in course.values())
    arrays = read_arrays(tmp_path / "runs" / "grid25-plain-seed0" / grid25_corrected.POINTS)
    assert int(arrays["step"]) == worst
    for part in grid25_corrected.PARTS:
        again = grid25_corrected.coverage_of(torch.from_numpy(arrays[part]))
        assert {f"{key}/{part}": value for key, value in again.items()}.items() <= values.items()
        assert values[f"divergence@{worst}/{part}"] == values[f"divergence/{part}"]


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    tiny = mnist_corrected.staged(recipes.named("digits-dcgan"), 9).model_copy(update={"compilation": "never"})
    tiny = recipes.parse(tiny.model_dump(mode="json") | {"sample_every": 9})
    tier = mnist_corrected.tier(tiny, (0,), 40, minutes=1)
    measure = mnist_corrected.corrected_distances(40)
    what = replace(mnist_corrected.MNIST_CORRECTED, tiers={"quick": tier}, measure=measure)
    folder = tmp_path_factory.mktemp("digits")
    return folder, reproduce.play(what, "quick", folder, device="cpu", quiet=True)


def test_every_way_is_measured_at_every_stage(digits):
    folder, results = digits
    arrays = read_arrays(folder / "runs" / "digits-dcgan-seed0" / mnist_corrected.KEPT)
    real = arrays["classes/real"]
    for label in mnist_corrected.PARTS:
        counts = arrays[f"classes/{label}"]
        assert counts.sum() == len(arrays[f"scores/{label}"]) == 40
        gap = 0.5 * np.abs(counts / 40 - real / real.sum()).sum()
        assert results.mean(label, "classes").value == pytest.approx(float(gap), rel=1e-12)
        assert results.mean(label, "fid").value > results.mean("real", "fid").value


def test_chains_over_scores_that_are_kept_are_those_of_the_sampler(digits):
    run = Run(digits[0] / "runs" / "digits-dcgan-seed0")
    trained = run.model()
    latents = mnist_corrected.Latents(trained)
    ratios = [calibrate_run(run, method=method, model=trained) for method in ("identity", "platt")]
    known = []
    for ratio in ratios:
        ours, found = mnist_corrected.chains(latents, ratio, 20, seed=3)
        theirs, expected = MetropolisHastings(trained, ratio, chain_length=mnist_corrected.CHAIN_LENGTH).run(20, seed=3)
        assert torch.allclose(ours, theirs, atol=1e-4)
        assert torch.equal(found.positions, expected.positions)
        known.append(len(latents.known))
    assert known[0] == known[1]  # the second way of reading the scores had none computed


def test_scores_are_computed_once(digits):
    latents = mnist_corrected.Latents(Run(digits[0] / "runs" / "digits-dcgan-seed0").model())
    z = latents.propose(5, generator_for(0, "test"))
    first = latents.scores(z)
    assert latents.scores(z.clone()) is first
    assert torch.allclose(first, latents.trained.scores(latents.trained.decode(z))[:, 0].double())
