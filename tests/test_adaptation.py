"""Learning rates that watch how far samples are from real ones: when they fall, when they stay, what is remembered."""

import json
import math
import warnings

import pytest
import torch
from safetensors.torch import load_file, save_file

from adversaria import assemble, pacing, recipes, train
from adversaria.errors import MetricError, ModelError, RecipeError, RunError
from adversaria.metrics import relative_test
from adversaria.runs import train_together
from adversaria.training import checkpoint
from adversaria.training.adaptation import RateTest, Rule, Standing, least_factor

PUBLISHED = Rule(lag=10, level=0.1, patience=3, factor=0.5, remembered=3, least=1e-9)
RULES = [
    PUBLISHED,
    Rule(lag=1, level=0.1, patience=1, factor=0.8, remembered=1, least=1e-9),
    Rule(lag=4, level=0.3, patience=2, factor=0.1, remembered=4, least=1e-9),
    Rule(lag=6, level=0.05, patience=5, factor=0.9, remembered=2, least=1e-9),
]


def by_size(old, new):
    """Samples that are numbers, and closer to what is real the smaller they are."""
    return 0.0 if new < old else 1.0


def decisions(rule, samples, compare=by_size, standing=None):
    standing, made = standing or Standing(), []
    for sample in samples:
        standing, decision = rule.consider(standing, sample, compare)
        made.append(decision)
    return standing, made


# --- when the rates fall ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES)
def test_what_worsens_is_reduced_after_exactly_so_many_failures(rule):
    first, period = rule.lag + rule.patience, rule.lag - rule.remembered + rule.patience
    scores = first + 2 * period
    standing, made = decisions(rule, range(scores))
    fell = [place + 1 for place, decision in enumerate(made) if decision.reduced]
    assert fell == [first, first + period, first + 2 * period]
    assert standing.factor == pytest.approx(rule.factor**3)
    assert [decision.p_value for decision in made[: rule.lag]] == [None] * rule.lag
    assert all(decision.failed for decision in made if decision.p_value is not None)


@pytest.mark.parametrize("rule", RULES)
def test_what_improves_each_time_is_never_reduced(rule):
    standing, made = decisions(rule, range(50, 0, -1))
    assert standing.factor == 1.0
    assert not any(decision.failed for decision in made)
    assert standing.kept == tuple(range(rule.lag, 0, -1))


@pytest.mark.parametrize("rule", RULES)
def test_each_sample_meets_the_one_so_many_scores_before(rule):
    met = []
    decisions(rule, range(30), lambda old, new: met.append(new - old) or 0.0)
    assert met == [rule.lag] * (30 - rule.lag)


def test_during_failures_all_meet_the_same_old_sample():
    met = []

    def compare(old, new):
        met.append((old, new))
        return by_size(old, new)

    samples = [*range(10, 0, -1), 20, 21, 0, 30, 31, 32, 33]
    standing, made = decisions(PUBLISHED, samples, compare)
    # 20 and 21 fail, 0 does not and is kept; then 9 is the oldest, and 30, 31 and 32 fail: the rates fall.
    assert met == [(10, 20), (10, 21), (10, 0), (9, 30), (9, 31), (9, 32)]
    assert [decision.reduced for decision in made] == [False] * 15 + [True, False]
    # Of those kept and the last one, three stay, and the next is kept without a test.
    assert standing == Standing((1, 0, 32, 33), 0, 0.5)


def test_failures_that_are_not_in_a_row_do_not_add_up():
    standing, made = decisions(PUBLISHED, [*range(10), 20, 21, -1, 20, 21, -2, 20, 21, -3, 20, 21])
    assert standing.factor == 1.0
    assert standing.failures == 2
    assert sum(decision.failed for decision in made) == 8


def test_the_level_itself_is_no_failure():
    for p_value, failed in [(0.1, False), (math.nextafter(0.1, 1), True)]:
        _, made = decisions(PUBLISHED, range(11), lambda old, new, p=p_value: p)
        assert made[-1] == (p_value, failed, False)


def test_the_rates_have_a_floor():
    rule = Rule(lag=1, level=0.1, patience=1, factor=0.5, remembered=1, least=0.3)
    _, made = decisions(rule, range(5))
    standing, _ = decisions(rule, range(5))
    assert [decision.reduced for decision in made] == [False, True, True, False, False]
    assert standing.factor == 0.3
    assert least_factor(1e-6, [1e-4, 2e-4]) == pytest.approx(0.01)
    assert least_factor(0.0, [1e-4]) == 0.0
    assert least_factor(1e-3, [1e-4]) == 1.0


# --- under the relative test itself ----------------------------------------------------------------------------


def points(distance, count, generator):
    return torch.randn(count, 2, generator=generator) + torch.tensor([distance, 0.0])


def test_a_game_at_rest_is_reduced_as_often_as_the_null_law_says():
    """Three failures that share one old sample: P = ∫ φ(z) Φ(√2 q − z)³ dz with q = Φ⁻¹(0.9), 0.7816.

    Over 400 games the share has a deviation of 0.0207, and misses by 4.1 of them with probability 4e-5; the p-values
    of the first tests differ from the uniform law by D > 2.3/√400 with probability 5e-5 (Kolmogorov).
    """
    games, count = 400, 60
    rule = Rule(lag=1, level=0.1, patience=3, factor=0.5, remembered=1, least=1e-9)
    first, reduced = [], 0
    for game in range(games):
        g = torch.Generator().manual_seed(game)
        real = points(0.0, count, g)

        def compare(old, new, real=real):
            return relative_test(real, old, new).value

        standing, made = decisions(rule, [points(1.5, count, g) for _ in range(4)], compare)
        first.append(made[1].p_value)
        reduced += standing.factor < 1
    grid = torch.linspace(-8, 8, 4001, dtype=torch.float64)
    normal = torch.distributions.Normal(0.0, 1.0)
    edge = math.sqrt(2) * normal.icdf(torch.tensor(0.9, dtype=torch.float64))
    expected = torch.trapezoid(normal.log_prob(grid).exp() * normal.cdf(edge - grid) ** 3, grid).item()
    assert expected == pytest.approx(0.7816, abs=1e-4)
    assert reduced / games == pytest.approx(expected, abs=4.1 * 0.0207)
    ordered = torch.tensor(first, dtype=torch.float64).sort().values
    steps = torch.arange(games + 1, dtype=torch.float64) / games
    assert max((ordered - steps[:-1]).max(), (steps[1:] - ordered).max()) < 2.3 / games**0.5


@pytest.mark.parametrize(("distances", "factor"), [([3 - 0.2 * t for t in range(15)], 1.0), (range(15), 0.5)])
def test_what_moves_by_much_more_than_the_noise_is_seen_rightly(distances, factor):
    """Each test is more than six deviations from its level, so it errs with probability 1e-9."""
    g = torch.Generator().manual_seed(0)
    real = points(0.0, 300, g)
    rule = Rule(lag=10, level=0.1, patience=3, factor=0.5, remembered=3, least=1e-9)
    tests = []

    def compare(old, new):
        found = relative_test(real, old, new)
        tests.append(abs(found.protocol["statistic"]))
        return found.value

    standing, _ = decisions(rule, [points(d, 300, g) for d in distances], compare)
    assert standing.factor == factor
    assert min(tests) > 1.3 + 6


# --- what cannot be scored -------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [MetricError("the features are constant"), ModelError("the generator has diverged")])
def test_a_score_that_fails_leaves_all_as_it_was(error):
    def fail():
        raise error

    before = Standing((torch.ones(3, 1),), 1, 0.5)
    with pytest.warns(UserWarning, match=f"the learning rates were not reconsidered: {error}"):
        after, line = RateTest(PUBLISHED, fail, by_size)(before)
    assert after is before
    assert line == {"unscored": str(error), "factor": 0.5}


def test_a_line_says_what_was_decided():
    samples = iter(range(12))
    test, standing = RateTest(PUBLISHED, lambda: next(samples), by_size), Standing()
    with warnings.catch_warnings():
        for _ in range(11):
            standing, line = test(standing)
    assert json.loads(json.dumps(line)) == {
        "p_value": 1.0,
        "failed": True,
        "reduced": False,
        "level": 0.1,
        "failures": 1,
        "kept": 10,
        "factor": 1.0,
    }


# --- on disk ---------------------------------------------------------------------------------------------------


def begun(recipe):
    source = assemble.data_of(recipe)
    return assemble.state(recipe, assemble.space_of(source), torch.device("cpu"))


def test_the_standing_returns_to_the_bit(tiny, tmp_path):
    state, other = begun(tiny("ring")), begun(tiny("ring"))
    g = torch.Generator().manual_seed(0)
    state.standing = Standing(tuple(torch.randn(5, 2, generator=g) for _ in range(12)), 2, 0.1)
    saved = checkpoint.save(state, tmp_path, form="eager")
    with torch.random.fork_rng():
        checkpoint.restore(other, saved)
    assert other.standing.failures == 2
    assert other.standing.factor == 0.1
    assert len(other.standing.kept) == 12
    for mine, theirs in zip(state.standing.kept, other.standing.kept, strict=True):
        assert torch.equal(mine, theirs)


def rewritten(saved, **changes):
    path = saved / "state.json"
    record = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({name: value for name, value in record.items() if value is not None}))


def test_a_checkpoint_from_before_there_was_a_rule_has_not_begun(tiny, tmp_path):
    state = begun(tiny("ring"))
    saved = checkpoint.save(state, tmp_path, form="eager")
    rewritten(saved, rates=None)
    state.standing = Standing((torch.ones(1),), 1, 0.5)
    with torch.random.fork_rng():
        checkpoint.restore(state, saved)
    assert state.standing == Standing()


@pytest.mark.parametrize(
    "rates",
    [{"failures": -1, "factor": 1.0}, {"failures": 0, "factor": 0.0}, {"failures": 0, "factor": 2.0}]
    + [{"failures": "0", "factor": 1.0}, {"other": 1}, [1], 3],
)
def test_a_standing_that_makes_no_sense_is_refused(tiny, tmp_path, rates):
    state = begun(tiny("ring"))
    saved = checkpoint.save(state, tmp_path, form="eager")
    rewritten(saved, rates=rates)
    with torch.random.fork_rng(), pytest.raises(RunError, match="no valid standing of the learning rates"):
        checkpoint.restore(state, saved)


def test_a_sample_that_is_missing_is_refused(tiny, tmp_path):
    state = begun(tiny("ring"))
    state.standing = Standing((torch.ones(1), torch.ones(2)))
    saved = checkpoint.save(state, tmp_path, form="eager")
    tensors = load_file(saved / "state.safetensors")
    del tensors["rates.kept.0"]
    save_file(tensors, saved / "state.safetensors")
    with torch.random.fork_rng(), pytest.raises(RunError, match="no valid standing of the learning rates"):
        checkpoint.restore(state, saved)


# --- in a run --------------------------------------------------------------------------------------------------

OFTEN = {"every": 1, "samples": 40, "lag": 2, "patience": 2, "remembered": 1}
NEVER = OFTEN | {"level": 1 - 1e-12}
"""A level that no p-value exceeds unless the new sample is further away by seven deviations."""


def weights(run):
    return [load_file(path / "model.safetensors") for path in run.checkpoints()]


def assert_same_weights(one, other):
    for mine, theirs in zip(weights(one), weights(other), strict=True):
        assert all(torch.equal(value, theirs[name]) for name, value in mine.items())


@pytest.mark.usefixtures("untouched_randomness")
@pytest.mark.parametrize(
    ("kind", "changes"),
    [("ring", {}), ("ring", {"data": "mixture1d"}), ("ring", {"averaging": None}), ("digits", {"conditional": True})],
)
def test_a_run_whose_rates_stay_is_the_run_without_the_test(tiny, tmp_path, kind, changes):
    plain = train(tiny(kind, steps=6, **changes), tmp_path / "plain", quiet=True)
    tested = train(tiny(kind, steps=6, rate_test=NEVER, **changes), tmp_path / "tested", quiet=True)
    assert_same_weights(plain, tested)
    assert [(line["phases"], line["rates"]) for line in plain.events()] == [
        (line["phases"], line["rates"]) for line in tested.events()
    ]
    assert [note["event"] for note in plain.notes()] == [note["event"] for note in tested.notes()]
    assert plain.measured() == tested.measured() == []
    assert plain.rate_tests() == []
    lines = tested.rate_tests()
    assert [line["step"] for line in lines] == list(range(1, 7))
    assert [line["p_value"] is None for line in lines] == [True, True, False, False, False, False]
    assert len({line["p_value"] for line in lines[2:]}) == 4
    assert {line["factor"] for line in lines} == {1.0}


@pytest.mark.parametrize("kind", ["ring", "digits"])
def test_rates_fall_from_the_next_step_on(tiny, tmp_path, kind):
    """Each score fails, since no p-value is as small as the level; so the rates fall at steps 4 and 7."""
    optimisers = {"critic_optimiser": {"rate": 4e-4}}
    recipe = tiny(kind, steps=8, rate_test=OFTEN | {"level": 1e-300}, keep_checkpoints=9, **optimisers)
    run = train(recipe, tmp_path / "run", quiet=True)
    lines = run.rate_tests()
    assert [line["step"] for line in lines if line["reduced"]] == [4, 7]
    assert [line["kept"] for line in lines] == [1, 2, 2, 1, 2, 2, 1, 2]
    factors = [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25]
    assert [line["factor"] for line in lines] == factors
    assert [line["rates"]["critic"] for line in lines] == pytest.approx([4e-4 * factor for factor in factors])
    assert [line["rates"]["generator"] for line in run.events()] == pytest.approx(
        [2e-4 * factor for factor in [1, *factors[:-1]]]
    )
    saved = json.loads((run.checkpoints()[-1] / "state.json").read_text())
    assert saved["rates"] == {"failures": 0, "factor": 0.25}


def test_a_schedule_goes_on_beneath_the_factor(tiny, tmp_path):
    linear = {"generator_optimiser": {"schedule": {"kind": "linear"}}}
    rates = {}
    for name, rate_test in (("plain", None), ("tested", OFTEN | {"level": 1e-300, "floor": 1.8e-4})):
        run = train(tiny("ring", steps=8, rate_test=rate_test, **linear), tmp_path / name, quiet=True)
        rates[name] = [line["rates"]["generator"] for line in run.events()]
    factors = [1.0] * 4 + [0.9] * 4  # the floor leaves nine tenths of 2e-4
    assert rates["tested"] == pytest.approx(
        [rate * factor for rate, factor in zip(rates["plain"], factors, strict=True)]
    )


@pytest.fixture
def interpreted(monkeypatch):
    """Recorded rounds are played operation by operation, which spares the compiler's half a minute."""
    from adversaria.training import compiled, stacked

    monkeypatch.setattr(compiled.program, "__defaults__", (compiled.interpreter,))
    monkeypatch.setattr(stacked.stack_program, "__defaults__", (compiled.interpreter,))


@pytest.mark.usefixtures("interpreted")
def test_runs_played_together_have_each_their_own_rates(tiny, tmp_path):
    """At this level one seed's rates fall and the other's do not, as when they are played alone."""
    plans = [tiny("ring", seed=seed, steps=12, rate_test=OFTEN | {"level": 0.4}) for seed in range(4)]
    runs = train_together(plans, [tmp_path / f"{plan.seed}" for plan in plans], device="cpu", quiet=True)
    factors = []
    for plan, run in zip(plans, runs, strict=True):
        assert [note["form"] for note in run.notes() if note["event"] == "form"] == ["stacked"]
        alone = train(plan, tmp_path / f"alone-{plan.seed}", device="cpu", quiet=True)
        factors.append([line["factor"] for line in run.rate_tests()])
        assert factors[-1] == [line["factor"] for line in alone.rate_tests()]
        found = [[line["p_value"] for line in one.rate_tests()][2:] for one in (run, alone)]
        assert all(
            (mine is None) == (theirs is None) and (mine is None or mine == pytest.approx(theirs, abs=1e-3))
            for mine, theirs in zip(*found, strict=True)
        )
        assert [line["rates"] for line in run.events()] == [line["rates"] for line in alone.events()]
    assert len(set(map(tuple, factors))) > 1


def test_a_game_that_has_diverged_is_noted_and_goes_on(tiny):
    recipe = tiny("digits", rate_test=OFTEN)
    source, device = assemble.data_of(recipe), torch.device("cpu")
    space = assemble.space_of(source)
    state = assemble.state(recipe, space, device)
    with torch.no_grad():
        next(state.averages["generator"].module.parameters()).fill_(torch.nan)
    test = pacing.rate_test(recipe, state, space, pacing.reference(recipe, source, device))
    with pytest.warns(UserWarning, match="the learning rates were not reconsidered: the generator has diverged"):
        standing, line = test(state.standing)
    assert standing is state.standing
    assert line["unscored"].startswith("the generator has diverged")


def test_images_are_compared_with_training_images_alone(tiny, monkeypatch):
    recipe = tiny("digits", rate_test=OFTEN | {"samples": 100_000})
    source = assemble.data_of(recipe)
    against = pacing.reference(recipe, source, torch.device("cpu"))
    assert against.count == len(source.train)
    assert torch.equal(against._real, against.features(source.train.images))


@pytest.mark.parametrize(
    ("kind", "changes", "says"),
    [
        ("digits", {"evaluation": {"features": "lenet-digit"}}, "did you mean 'lenet-digits'"),
        ("digits", {"evaluation": {"features": "lenet-mnist"}}, "lenet-mnist takes images of 1×28×28"),
    ],
)
def test_what_cannot_be_compared_is_said_before_training(tiny, tmp_path, kind, changes, says):
    with pytest.raises(MetricError, match=says):
        train(tiny(kind, rate_test=OFTEN, **changes), tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()


def test_no_more_is_remembered_than_kept(tiny):
    with pytest.raises(RecipeError, match="rate_test.remembered should be at most rate_test.lag"):
        tiny("ring", rate_test={"lag": 2})


def test_one_flag_is_enough():
    recipe = recipes.read("mnist-dcgan", {"rate-test.every": "500"})
    assert recipe.rate_test == recipes.RateTest(every=500)
    assert recipe.rate_test.samples == 2048
    assert recipes.read("mnist-dcgan", {"rate-test": "none"}).rate_test is None


# --- in the report ---------------------------------------------------------------------------------------------


def test_the_page_shows_what_was_decided(tiny, tmp_path):
    from adversaria.report import write_report

    run = train(tiny("ring", steps=8, rate_test=OFTEN | {"level": 1e-300}), tmp_path / "run", quiet=True)
    text = write_report(run).read_text()
    assert "Do samples still come closer?" in text
    assert "2 reductions in 4 tests." in text
    assert "Learning rates over training" in text
    plain = train(tiny("ring", steps=8), tmp_path / "plain", quiet=True)
    assert "Do samples still come closer?" not in write_report(plain).read_text()
