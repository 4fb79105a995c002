"""What recipes of autoencoders refuse, and what assembly makes of them."""

import pytest
import torch

import adversaria as adv
from adversaria import assemble, recipes
from adversaria.errors import DataError, RecipeError
from adversaria.recipes import SampleSpace

CPU = torch.device("cpu")
DIGITS = SampleSpace(shape=(1, 8, 8), classes=tuple("0123456789"))
UNLABELLED = SampleSpace(shape=(1, 8, 8))
EVERY = ["vae", "aae", "aae-labels", "supervised", "semisupervised", "clustering", "reducing"]


@pytest.mark.parametrize(
    ("name", "changes", "says"),
    [
        ("aae", {"labels": {"count": 20}}, "labels need a prior in parts that bear them, and 'normal' has none"),
        ("reducing", {"prior": {"kind": "mixture", "dim": 2}}, "styles about heads are normal"),
        ("aae", {"objective": "wasserstein"}, "needs a bounded slope"),
        ("aae", {"penalties": ["r1", "r1"]}, "different kinds"),
        ("vae", {"posterior": "gaussian"}, "no field 'posterior'"),
        ("clustering", {"labels": {}}, "no field 'labels'"),
        ("clustering", {"content_noise": {"deviation": -1}}, "content_noise.deviation"),
    ],
)
def test_a_recipe_refuses(tiny, name, changes, says):
    with pytest.raises(RecipeError, match=says):
        tiny(name, **changes)


@pytest.mark.parametrize(
    ("name", "changes", "space", "says"),
    [
        ("vae", {}, SampleSpace(shape=(2,)), "a Bernoulli likelihood is one of pixels"),
        ("supervised", {}, UNLABELLED, "learns from labels; take labelled data"),
        ("semisupervised", {}, UNLABELLED, "learns from labels"),
        ("aae-labels", {}, UNLABELLED, "learns from labels"),
        ("reducing", {"clusters": 9}, DIGITS, "10 classes are labelled, but there are 9 clusters"),
        (
            "aae-labels",
            {"prior": {"kind": "petals", "components": 9}},
            DIGITS,
            "10 classes, but the prior only 9 parts",
        ),
        ("aae", {"prior": {"kind": "swiss-roll", "dim": 3}}, DIGITS, "lies in the plane"),
        ("aae", {"prior": {"kind": "petals", "dim": 3}}, DIGITS, "lie in the plane"),
    ],
)
def test_assembly_refuses(tiny, name, changes, space, says):
    with pytest.raises(RecipeError, match=says):
        assemble.state(tiny(name, **changes), space, CPU)


@pytest.mark.parametrize("count", [5, 25, 10**6])
def test_labels_are_equally_many_of_each_class_and_there(tiny, count):
    recipe = tiny("semisupervised", labels={"count": count})
    with pytest.raises(DataError):
        assemble.feed(recipe, assemble.data_of(recipe), CPU)


@pytest.mark.parametrize("name", ["supervised", "semisupervised"])
def test_laws_of_points_have_no_labels(tiny, name):
    recipe = tiny(name, data="ring8", likelihood="gaussian")
    with pytest.raises(RecipeError, match="a law without any"):
        assemble.feed(recipe, assemble.data_of(recipe), CPU)


def test_without_labels_a_feed_has_none(tiny):
    recipe = tiny("reducing", labels=None)
    batch = assemble.feed(recipe, assemble.data_of(recipe), CPU).batch(0)
    assert batch.labelled is None
    assert batch.label is None


@pytest.mark.parametrize("name", EVERY)
def test_the_coding_of_a_recipe_is_that_of_its_game(tiny, name):
    """Weights of a model are built without critics: they must be those with which its game begins."""
    recipe = tiny(name)
    made, state = assemble.coding(recipe, DIGITS), assemble.state(recipe, DIGITS, CPU)
    parts = {"encoder": made.encoder, "decoder": made.decoder} | ({} if made.heads is None else {"heads": made.heads})
    assert set(state.game.averaged) == set(parts)
    for player, module in parts.items():
        for key, value in module.state_dict().items():
            assert torch.equal(value, state.game.players[player].state_dict()[key]), (player, key)
    assert made.contents == assemble.contents(recipe, DIGITS)
    x = torch.zeros(3, 1, 8, 8)
    encoded = made.posterior.encode(made.encoder, x, torch.zeros(3, made.posterior.noise(made.prior.dim)))
    assert encoded.code.shape == (3, made.prior.dim)
    assert (encoded.logits is None) == (name in ("vae", "aae", "aae-labels", "supervised"))


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("averaging", [None, {"halflife": 5}])
def test_pictures_are_samples_of_every_content(tiny, name, averaging):
    recipe = tiny(name, averaging=averaging)
    state = assemble.state(recipe, DIGITS, CPU)
    picture = assemble.picture(recipe, state, DIGITS)
    shown = picture()
    assert shown.shape == (64, 1, 8, 8)
    assert torch.equal(shown, picture())
    assert state.game.players["decoder"].training
    assert len(shown.flatten(1).unique(dim=0)) == 64


def test_autoencoders_of_points(tiny, tmp_path):
    for name in ("vae", "aae", "clustering"):
        run = adv.train(tiny(name, data="ring8", likelihood="gaussian"), tmp_path / name, device="cpu", quiet=True)
        assert run.checkpoints()[-1].name == "step-0000004"


def test_each_optimiser_is_used_in_its_role(tiny):
    adam = {"kind": "adam"}
    recipe = tiny(
        "semisupervised",
        reconstruction_optimiser=adam | {"rate": 0.01},
        critic_optimiser=adam | {"rate": 0.02},
        regularisation_optimiser=adam | {"rate": 0.03},
        classification_optimiser=adam | {"rate": 0.04},
    )
    rates = {name: descent.rate for name, descent in assemble.state(recipe, DIGITS, CPU).descents.items()}
    assert rates == {
        "encoder": 0.01,
        "decoder": 0.01,
        "critic": 0.02,
        "content_critic": 0.02,
        "encoder/regularise": 0.03,
        "encoder/classify": 0.04,
    }
    assert isinstance(recipe, recipes.SemiSupervisedAAE)
