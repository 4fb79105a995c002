"""Laws of the parts that any GAN can take or leave: what each changes in the game, and that nothing else is changed."""

import pytest
import torch
from torch import nn

from adversaria import assemble, objectives, recipes
from adversaria.errors import ModelError, RecipeError
from adversaria.games.game import Batch
from adversaria.games.gan import gan
from adversaria.games.noise import FadingNoise
from adversaria.nn import MLPCritic, MLPGenerator
from adversaria.priors import Normal
from adversaria.report.techniques import techniques

BATCH = 6


def random(seed=0):
    return torch.Generator().manual_seed(seed)


def game(**settings):
    generator = MLPGenerator(3, (2,), width=8, depth=2, generator=random(1)).double()
    critic = MLPCritic((2,), width=8, depth=2, generator=random(2)).double()
    objective = settings.pop("objective", objectives.NonSaturating())
    return gan(generator, critic, Normal(3), objective, **settings)


def shown(made, share=0.0, phase=0):
    """Batch, draws and what is made of them, in a phase of a game."""
    batch = Batch(torch.randn(BATCH, 2, generator=random(3), dtype=torch.float64))
    draws = made.phases[phase].draw(batch, random(4), share)
    draws = {name: value.double() for name, value in draws.items()}
    return batch, draws, made.phases[phase].make(dict(made.players.items()), batch, draws)


def loss(made, phase, *inputs):
    return made.phases[phase].moves[0].loss(dict(made.players.items()), *inputs).loss


# --- feature matching ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", ["squared", "absolute"])
@pytest.mark.parametrize("objective", [objectives.NonSaturating(), objectives.Relativistic()], ids=repr)
def test_the_generator_descends_the_distance_of_features_and_the_critic_its_own_loss(norm, objective):
    plain, matched = (
        game(objective=objective),
        game(objective=objective, feature_matching=objectives.FeatureMatching(norm)),
    )
    batch, draws, made = shown(matched)
    features = matched.players["critic"].features
    expected = objectives.FeatureMatching(norm)(features(batch.real), features(made["fake"]))
    torch.testing.assert_close(loss(matched, 1, batch, draws, made), expected)
    torch.testing.assert_close(loss(matched, 0, batch, draws, made), loss(plain, 0, batch, draws, made))


def test_only_fakes_are_moved_by_their_features():
    matched = game(feature_matching=objectives.FeatureMatching())
    critic, seen = matched.players["critic"], []
    critic.hidden[-1].register_forward_hook(lambda _, inputs, out: seen.append(out.requires_grad))
    loss(matched, 1, *shown(matched))
    assert seen == [False, True], "real features are a target, and need no graph"


# --- instance noise --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("last", "until", "deviations"),
    [
        (0.0, 0.5, {0.0: 0.3, 0.2: 0.18, 0.25: 0.15, 0.5: 0.0, 0.9: 0.0}),
        (1 / 3, 1.0, {0.0: 0.3, 0.5: 0.2, 0.999999: 0.1}),
        (0.5, 0.5, {0.0: 0.3, 0.25: 0.225, 0.5: 0.15, 0.9: 0.15}),
        (1.0, 1.0, {0.0: 0.3, 0.9: 0.3}),
    ],
)
def test_noise_falls_in_a_line(last, until, deviations):
    noise, like = FadingNoise(0.3, last=last, until=until), torch.zeros(20_000, 2)
    for share, deviation in deviations.items():
        drawn = noise.draw(like, random(), share)
        # The deviation of 40,000 numbers is known to 0.35 %: five of that is below 1e-6 by chance.
        assert drawn.std().item() == pytest.approx(deviation, rel=0.018)
        assert noise.deviation_at(share) == pytest.approx(deviation, rel=1e-5)
        assert torch.equal(drawn, noise.draw(like, random(), share))


def test_the_critic_sees_everything_through_noise_of_its_own():
    noisy = game(instance_noise=FadingNoise(0.3, last=0.0), penalties={"r1": objectives.R1(1.0)})
    batch, draws, made = shown(noisy)
    clean = noisy.players["generator"](draws["latent"])
    torch.testing.assert_close(made["real"] - batch.real, draws["noise_on_real"])
    torch.testing.assert_close(made["fake"] - clean, draws["noise_on_fake"])
    assert not torch.allclose(draws["noise_on_real"], draws["noise_on_fake"])
    seen, plain = [], game(penalties={"r1": objectives.R1(1.0)})
    noisy.players["critic"].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach().clone()))
    found = loss(noisy, 0, batch, draws, made)
    for x in seen:
        assert any(torch.equal(x, made[side]) for side in ("real", "fake")), "the penalty too"
    there = {"real": made["real"], "fake": made["fake"]}
    torch.testing.assert_close(found, loss(plain, 0, Batch(made["real"]), draws, there))


def test_without_noise_it_is_the_plain_game():
    noisy, plain = game(instance_noise=FadingNoise(0.3, last=0.0, until=0.5)), game()
    for phase in (0, 1):
        torch.testing.assert_close(loss(noisy, phase, *shown(noisy, 0.5)), loss(plain, phase, *shown(plain, 0.5)))


@pytest.mark.parametrize(
    ("deviation", "last", "until", "complaint"),
    [
        (-0.1, 0.0, 0.5, "at least 0, got -0.1"),
        (float("inf"), 0.0, 0.5, "finite deviation"),
        (float("nan"), 0.0, 0.5, "finite deviation"),
        (0.1, -0.1, 0.5, "left to be in .0, 1., got -0.1"),
        (0.1, 1.5, 0.5, "left to be in"),
        (0.1, 0.0, 0.0, "falls to be in .0, 1., got 0.0"),
        (0.1, 0.0, 1.5, "falls to be in"),
    ],
)
def test_impossible_noise_is_refused(deviation, last, until, complaint):
    with pytest.raises(ValueError, match=complaint):
        FadingNoise(deviation, last=last, until=until)


# --- one-sided label smoothing ---------------------------------------------------------------------------------


def test_a_critic_that_cannot_tell_answers_half_the_target():
    """Where p_data = p_model, D = α/2 minimises the critic's loss: found by descent, not by the formula."""
    for target in (1.0, 0.9, 0.75):
        objective = objectives.NonSaturating(target)
        score = nn.Parameter(torch.zeros((), dtype=torch.float64))
        for _ in range(200):
            value = objective.critic_loss(score.expand(4, 1), score.expand(4, 1))
            (slope,) = torch.autograd.grad(value, score)
            with torch.no_grad():
                score -= 2 * slope
        assert torch.sigmoid(score).item() == pytest.approx(target / 2, abs=1e-9)


# --- a critic that sees its batch scores no sample by itself ---------------------------------------------------


def test_penalties_are_refused_where_samples_are_compared(tiny):
    compared = {"kind": "mlp", "width": 8, "depth": 2, "minibatch": "published"}
    with pytest.raises(RecipeError, match=r"minibatch discrimination compares them; set critic\.minibatch to none"):
        tiny("ring", critic=compared, penalties=["r1"])
    for normalisation in ("virtual-batch", "weight", "spectral"):
        tiny("digits", critic={"kind": "dcgan", "normalisation": normalisation}, penalties=["r1"])


def test_scores_and_calibration_are_refused_where_samples_are_compared(tiny, tmp_path):
    import adversaria as adv
    from adversaria.correction import calibrate_run
    from adversaria.report import write_report

    compared = {"kind": "mlp", "width": 8, "depth": 2, "minibatch": {"kernels": 3, "dim": 2}}
    run = adv.train(tiny("ring", critic=compared), tmp_path / "run", device="cpu", quiet=True)
    model = run.model()
    points = model.sample(70, seed=0)
    for refused in (lambda: model.scores(points), lambda: calibrate_run(run), lambda: calibrate_run(run, model=model)):
        with pytest.raises(ModelError, match="compares the samples of a batch"):
            refused()
    assert model.critic(points).shape == (70, 1), "on batches it can be called"
    page = write_report(run).read_text()
    assert "minibatch discrimination (published, 3 × 2)" in page
    assert "critic&#39;s field" not in page
    assert "critic's field" not in page


def test_samplers_find_out_by_themselves_that_samples_are_compared():
    """A critic from elsewhere, of which nothing is known but that it can be called."""
    from adversaria.errors import SamplingError
    from adversaria.nn import MinibatchDiscrimination
    from adversaria.sampling import MetropolisHastings, calibrate

    critic = MLPCritic((2,), width=8, depth=1, minibatch=MinibatchDiscrimination(3, 2), generator=random(2))
    real, fake = torch.randn(200, 2, generator=random(5)), 2 + torch.randn(200, 2, generator=random(6))
    ratio = calibrate(critic, real=real, fake=fake, method="platt")
    sampler = MetropolisHastings(lambda n, generator: torch.randn(n, 2, generator=generator), ratio, chain_length=10)
    with pytest.raises(SamplingError, match="with the samples that are scored beside it"):
        sampler.run(4, seed=0)


# --- recipes and the report ------------------------------------------------------------------------------------


def test_a_word_or_a_number_stands_for_a_part(tiny):
    recipe = tiny(
        "ring", feature_matching="absolute", instance_noise="0.2", critic={"kind": "mlp", "minibatch": "reference"}
    )
    assert recipe.feature_matching == recipes.FeatureMatching(norm="absolute")
    assert recipe.instance_noise == recipes.InstanceNoise(deviation=0.2)
    assert recipe.critic.minibatch == recipes.MinibatchDiscrimination(variant="reference")
    assert tiny("ring", feature_matching="none").feature_matching is None
    with pytest.raises(RecipeError, match=r"feature_matching\.norm"):
        tiny("ring", feature_matching="cubed")


def test_the_commands_of_the_documentation_are_recipes():
    import re
    import shlex
    from pathlib import Path

    from adversaria.cli.fields import changes

    text = (Path(__file__).parent.parent / "docs" / "techniques.md").read_text(encoding="utf-8")
    commands = re.findall(r"^adversaria train (.*)$", text, re.MULTILINE)
    assert len(commands) == 3
    on = set()
    for command in commands:
        name, *flags = shlex.split(command)
        recipe = recipes.read(name, changes(flags, []))
        on |= set(re.sub(r"\([^)]*\)", "", techniques(recipe.model_dump(mode="json"))).split(", "))
    assert len(on) == 7, "each technique is shown once"


def test_too_few_samples_to_refer_to_are_found_before_anything_is_written(tiny, tmp_path):
    import adversaria as adv

    recipe = tiny("ring", generator={"kind": "mlp", "width": 8, "normalisation": "virtual-batch"})
    with pytest.raises(ValueError, match="set batch_size to at least 32"):
        adv.train(recipe, tmp_path / "run", device="cpu", quiet=True)
    assert not (tmp_path / "run").exists()


def test_all_players_of_every_game_are_pulled(tiny):
    for name in ("ring", "bilinear", "classifier"):
        recipe = tiny(name, historical_averaging=0.25)
        space = assemble.space_of(assemble.data_of(recipe))
        state = assemble.state(recipe, space, torch.device("cpu"))
        assert {descent.history for descent in state.descents.values()} == {0.25}
        state = assemble.state(tiny(name), space, torch.device("cpu"))
        assert {descent.history for descent in state.descents.values()} == {None}


def test_the_report_names_what_was_on(tiny):
    plain = tiny("ring").model_dump(mode="json")
    assert techniques(plain) == "none"
    full = tiny(
        "digits",
        critic={"kind": "dcgan", "normalisation": "weight", "minibatch": "reference"},
        generator={"kind": "dcgan", "normalisation": "virtual-batch"},
        objective={"kind": "non-saturating", "real_target": 0.9},
        feature_matching="squared",
        instance_noise=0.1,
        historical_averaging=0.01,
    )
    assert techniques(full.model_dump(mode="json")) == (
        "feature matching (squared), minibatch discrimination (reference, 100 × 5), historical averaging (weight "
        "0.01), one-sided label smoothing (0.9), virtual batch normalisation of the generator, weight normalisation of "
        "the critic, instance noise (0.1, until 50% of the run)"
    )
    for name in ("bilinear", "classifier"):
        assert techniques(tiny(name).model_dump(mode="json")) == "none"
