"""Laws of correction: calibrated on what a run kept for that and on nothing else, and each class by itself."""

import json
import math

import pytest
import torch
from torch import nn

import adversaria as adv
from adversaria import correction, priors
from adversaria.correction import METHODS, calibrate_classes, calibrate_run, calibration_for, corrected
from adversaria.errors import ModelError, RunError, SamplingError
from adversaria.model import Model
from adversaria.recipes import SampleSpace

pytestmark = pytest.mark.usefixtures("untouched_randomness")

DIGITS = {"kind": "images", "source": "digits", "held_out": 0.2}


@pytest.fixture(scope="module")
def runs(tiny, tmp_path_factory):
    """Finished runs by name."""
    folder = tmp_path_factory.mktemp("runs")
    made = {
        "digits": tiny("digits"),
        "ring": tiny("ring"),
        "hinge": tiny("ring", objective="hinge"),
        "classes": tiny("digits", conditional=True, data=DIGITS | {"calibration": 0.5}),
        "few": tiny("digits", conditional=True),
        "none": tiny("digits", data=DIGITS | {"calibration": 0.0}),
        "bilinear": tiny("bilinear"),
    }
    return {name: adv.train(recipe, folder / name, quiet=True, device="cpu") for name, recipe in made.items()}


@pytest.fixture
def seen(monkeypatch):
    """What `calibrate` was given."""
    given = {}
    original = correction.calibrate

    def look(critic, **arguments):
        given.update(arguments, critic=critic)
        return original(critic, **arguments)

    monkeypatch.setattr(correction, "calibrate", look)
    return given


def rows(samples):
    return sorted(sample.numpy().tobytes() for sample in samples)


# --- calibration -----------------------------------------------------------------------------------------------


def test_only_the_calibration_part_calibrates(runs, seen):
    run = runs["digits"]
    ratio = calibrate_run(run)
    train, calibration, held_out = run.data()
    assert rows(seen["real"]) == rows(calibration.to_float())
    assert not {*rows(seen["real"])} & {*rows(train.to_float()), *rows(held_out.to_float())}
    assert len(seen["real"]) == ratio.fitted_on[0] + ratio.diagnosis.real + len(ratio.start_scores) == 144


def test_of_a_law_fresh_draws_calibrate(runs, seen):
    """Their number is stated; they depend on the seed; none of them was in a batch of training."""
    run, drawn = runs["ring"], []
    for seed in (0, 0, 1):
        calibrate_run(run, seed=seed)
        drawn.append(seen["real"])
    assert len(drawn[0]) == correction.MOST
    assert torch.equal(drawn[0], drawn[1])
    assert not set(rows(drawn[0])) & set(rows(drawn[2]))
    feed = adv.assemble.feed(run.recipe, run.data(), torch.device("cpu"))
    assert not set(rows(drawn[0])) & {row for step in range(20) for row in rows(feed.batch(step).real)}


def test_the_ratio_is_a_function_of_run_method_and_seed(runs):
    x = runs["digits"].data().held_out.to_float()[:50]
    with torch.no_grad():
        one, again, other = (calibrate_run(runs["digits"], method="platt", seed=seed)(x) for seed in (0, 0, 1))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_the_fakes_are_the_models(runs, seen):
    calibrate_run(runs["digits"])
    assert isinstance(seen["fake"], Model)
    assert seen["critic"] is seen["fake"].critic


def test_another_checkpoint_is_calibrated_if_it_is_given(runs):
    run = runs["digits"]
    early = adv.load(run.checkpoints()[0])
    assert early.step < run.step
    assert calibrate_run(run, model=early).critic is early.critic


def test_identity_is_judged_by_the_objective_of_the_recipe(runs):
    assert calibrate_run(runs["ring"], method="identity").raw is not None
    with pytest.raises(SamplingError, match="Hinge critic"):
        calibrate_run(runs["hinge"], method="identity")
    assert calibrate_run(runs["hinge"], method="platt").raw is None


def test_a_run_that_kept_nothing_says_how_to_keep_something(runs):
    with pytest.raises(RunError, match=r"none kept 0 image\(s\) for calibration.*at least 50.*--data.calibration"):
        calibrate_run(runs["none"])


def test_an_older_run_has_kept_nothing(tiny, tmp_path):
    run = adv.train(tiny("digits"), tmp_path / "run", quiet=True, device="cpu")
    facts = run.facts
    del facts["recipe"]["data"]["calibration"]
    facts["data"] = None
    (run.path / "recipe.json").write_text(json.dumps(facts))
    with pytest.raises(RunError, match=r"kept 0 image\(s\) for calibration"):
        calibrate_run(run)


def test_data_that_has_changed_calibrates_nothing(tiny, tmp_path):
    """What was kept of other data may be what this run was trained on."""
    run = adv.train(tiny("digits"), tmp_path / "run", quiet=True, device="cpu")
    facts = run.facts
    facts["data"]["fingerprint"] = "0" * 64
    (run.path / "recipe.json").write_text(json.dumps(facts))
    with pytest.raises(RunError, match="has changed since it was started"):
        calibrate_run(run)


def test_a_game_without_a_generator_has_no_critic_of_samples(runs):
    with pytest.raises(ModelError, match="makes no samples"):
        calibrate_run(runs["bilinear"])


# --- classes ---------------------------------------------------------------------------------------------------


def test_each_class_is_calibrated_on_its_own_images(runs, seen):
    run = runs["classes"]
    part = run.data().calibration
    calibrate_run(run, y=3)
    assert rows(seen["real"]) == rows(part.to_float(part.labels == 3))
    assert seen["fake"].y == 3
    ratios = calibrate_classes(run, method="platt")
    assert [ratio.critic.y for ratio in ratios] == list(range(10))


def test_a_class_is_needed_and_must_be_one(runs):
    with pytest.raises(SamplingError, match="has classes, and each has a ratio of its own; pass y="):
        calibrate_run(runs["classes"])
    with pytest.raises(ModelError, match="from 0 to 9"):
        calibrate_run(runs["classes"], y=10)
    with pytest.raises(ModelError, match="without classes"):
        calibrate_run(runs["digits"], y=1)
    with pytest.raises(RunError, match=r"kept 1[45] image\(s\) of class '0' for calibration"):
        calibrate_classes(runs["few"])


class Shifted(nn.Module):
    """z ↦ z + 10 y: class y is N(10 y, 1)."""

    def __init__(self):
        super().__init__()
        self.zero = nn.Parameter(torch.zeros(()))

    def forward(self, z, y):
        return z + self.zero + 10 * y[:, None]


@pytest.fixture
def three(tiny):
    """A conditional model of numbers with three classes."""
    space = SampleSpace(shape=(1,), classes=("a", "b", "c"))
    recipe = tiny("digits", conditional=True)
    return Model(
        generator=Shifted().eval(),
        critic=Shifted().eval(),
        prior=priors.Normal(1),
        recipe=recipe,
        space=space,
        step=0,
    )


def to_the_right(y):
    """log N(x; 10 y + ½, 1)/N(x; 10 y, 1)."""
    return lambda x: 0.5 * (x[:, 0] - 10 * y).double() - 0.125


def test_each_class_is_corrected_by_itself(three):
    """Resampling from pools of 500 moves N(10 y, 1) to N(10 y + ½, 1), but for 1e-3."""
    sampler = corrected(three, [to_the_right(y) for y in range(3)], "resampling", chain_length=500)
    labels = three.classes(3_000, seed=5)
    samples, diagnostics = sampler.run(3_000, seed=5)
    for y in range(3):
        own = samples[labels == y, 0]
        # Standard error 1/√1000 = 0.03; five of them, three classes: false alarms below 2e-6.
        assert abs(float(own.mean()) - 10 * y - 0.5) < 0.17
    assert diagnostics.samples == 3_000
    assert diagnostics.proposals >= 3_000 * 500
    assert diagnostics.acceptance == pytest.approx(1 / 500)
    assert len(diagnostics.positions) == 3_000
    assert diagnostics.effective == pytest.approx(math.exp(-0.25), abs=0.02)  # 1/E w² = exp(−½²)
    assert "3 classes, each corrected by itself" in diagnostics.notes


def test_sample_i_of_the_mixture_depends_on_seed_and_i_alone(three):
    sampler = corrected(three, [to_the_right(y) for y in range(3)], "resampling", chain_length=20)
    many = sampler.sample(300, seed=1)
    for n in (0, 1, 7, 100):
        few = sampler.run(n, seed=1)
        assert torch.equal(few.samples, many[:n])
        assert few.diagnostics.samples == n
    assert not torch.equal(sampler.sample(300, seed=2), many)
    rounded = (many[:, 0] / 10).round().long()
    assert torch.equal(rounded, three.classes(300, seed=1))
    # What is random in one class is not what is random in another.
    noise = [set((many[rounded == y, 0] - 10 * y).mul(1e3).round().tolist()) for y in range(3)]
    assert len(noise[0] & noise[1]) < 10
    with pytest.raises(SamplingError, match="at least 0"):
        sampler.sample(-1, seed=0)


def test_positions_go_with_their_samples(three):
    """What each class's own sampler says of a sample stands at the sample's place in the mixture."""
    sampler = corrected(three, [to_the_right(y) for y in range(3)], "resampling", chain_length=8)
    whole = sampler.run(60, seed=3)
    labels = three.classes(60, seed=3)
    for y, own in enumerate(sampler.samplers):
        seed = correction.seed_for(3, "of-class", y)
        alone = own.run(int((labels == y).sum()), seed=seed)
        assert torch.equal(whole.samples[labels == y], alone.samples)
        assert torch.equal(whole.diagnostics.positions[labels == y], alone.diagnostics.positions)


@pytest.mark.parametrize("ratios", [to_the_right(0), [to_the_right(0)], []])
def test_every_class_needs_a_ratio(three, ratios):
    with pytest.raises(SamplingError, match="has 3 classes and needs a ratio for each, got (one for all|1|0)"):
        corrected(three, ratios, "resampling")


# --- samplers --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ratios(runs):
    """A ratio of the ring's critic for each method."""
    methods = {method: calibration_for(method) for method in METHODS}
    made = {kind: calibrate_run(runs["ring"], method=kind) for kind in set(methods.values())}
    return {method: made[kind] for method, kind in methods.items()}


LENGTHS = {"mh": 20, "resampling": 20, "langevin": 3, "latent-mh": 3, "flow": 3}


@pytest.mark.parametrize("method", METHODS)
def test_every_method_samples_and_being_watched_changes_nothing(runs, ratios, method):
    model, told = runs["ring"].model(), []
    plain = corrected(model, ratios[method], method, chain_length=LENGTHS.get(method))
    watched = corrected(model, ratios[method], method, chain_length=LENGTHS.get(method), watch=told.append)
    samples, diagnostics = watched.run(70, seed=1)
    assert torch.equal(samples, plain.sample(70, seed=1))
    assert torch.equal(samples[:9], plain.sample(9, seed=1))
    assert not torch.equal(samples, plain.sample(70, seed=2))
    assert sum(told) >= diagnostics.proposals >= 70
    assert diagnostics.calibration == ratios[method].describe()


def test_settings_are_the_published_ones(runs, ratios):
    model = runs["ring"].model()
    assert corrected(model, ratios["mh"]).chain_length == 640
    assert corrected(model, ratios["mh"], chain_length="auto").chain_length == "auto"
    assert corrected(model, ratios["mh"], "resampling").pool == 640
    assert corrected(model, ratios["mh"], "rejection").gamma.percent == 95
    assert corrected(runs["digits"].model(), ratios["mh"], "rejection").gamma.percent == 80
    langevin = corrected(model, ratios["langevin"], "langevin")
    assert (langevin.steps, langevin.step_size) == (1000, 0.01)
    assert corrected(model, ratios["langevin"], "langevin", chain_length=7).steps == 7


@pytest.mark.parametrize(
    ("method", "length", "says"),
    [
        ("mhh", None, "no method 'mhh'; did you mean 'mh'\\?; there are mh, rejection"),
        ("perfect", 5, "'perfect' takes as many proposals as it needs"),
        ("resampling", "auto", "mh alone chooses"),
        ("flow", "auto", "mh alone chooses"),
        ("mh", 0, "chain_length should be at least 1"),
        ("resampling", 0, "pool should be at least 1"),
    ],
)
def test_methods_that_are_none(runs, ratios, method, length, says):
    with pytest.raises(SamplingError, match=says):
        corrected(runs["ring"].model(), ratios["mh"], method, chain_length=length)


def test_one_model_has_one_ratio(runs, ratios):
    with pytest.raises(SamplingError, match="needs one ratio, got 2"):
        corrected(runs["ring"].model(), [ratios["mh"]] * 2)


def test_a_walk_needs_a_gradient(runs, ratios):
    with pytest.raises(SamplingError, match="isotonic calibration .* no gradient"):
        corrected(runs["ring"].model(), ratios["mh"], "langevin")


def test_calibrations_that_are_none():
    assert correction.check_calibration("beta") == "beta"
    with pytest.raises(SamplingError, match="no calibration 'isotnic'; did you mean 'isotonic'\\?; there are identity"):
        correction.check_calibration("isotnic")
