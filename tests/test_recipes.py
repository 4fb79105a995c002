"""Recipes: values that survive every file, refuse every slip with the nearest right name, and build what they say."""

import inspect
import json
import re
import tomllib
from typing import get_args

import pytest
import torch
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from adversaria import assemble, data, recipes
from adversaria.errors import RecipeError
from adversaria.recipes import PUBLISHED, SampleSpace, named, parse, read
from adversaria.recipes.config import Config
from adversaria.training.eager import Eager
from adversaria.training.feed import ImageFeed
from adversaria.training.few_labels import FewLabelsFeed
from adversaria.training.loop import deal

every_published = pytest.mark.parametrize("make", PUBLISHED, ids=lambda make: make.__name__)

KINDS = {
    "data": ["grid25", "ring8", "mixture1d", "swiss-roll"],
    "prior": ["normal", "uniform", "sphere"],
    "objective": ["minimax", "non-saturating", "least-squares", "hinge", "relativistic", "mmd"],
}


def gan(**changes):
    return parse(
        {"kind": "gan", "name": "g", "steps": 5, "data": "ring8", "generator": "mlp", "critic": "mlp"} | changes
    )


def says(text, call, *arguments):
    with pytest.raises(RecipeError) as caught:
        call(*arguments)
    said = str(caught.value)
    assert text in said, said
    assert "\n" not in said or "is not valid" in said  # parsers draw where a file is wrong
    return said


# --- published -------------------------------------------------------------------------------------------------


def test_names_are_unique_and_are_those_of_their_functions():
    names = [make().name for make in PUBLISHED]
    assert len(set(names)) == len(names)
    assert names == [make.__name__.replace("_", "-") for make in PUBLISHED]
    assert {"digits-dcgan", "mnist-dcgan", "cifar10-dcgan", "grid25-mlp", "ring8-mlp", "bilinear", "images-dcgan"} <= {
        *names
    }


@every_published
def test_each_says_what_it_is(make):
    assert make.__doc__.strip()
    assert make() == make() == named(make().name) == read(make().name)


def test_each_states_its_source():
    """Authors and a year, in the function, or in the module for all of its functions."""
    for make in PUBLISHED:
        assert re.search(r"[A-Z]\w+( et al\.)?, (19|20)\d\d", make.__doc__ + inspect.getmodule(make).__doc__), (
            make.__name__
        )


SPACES = {
    "digits-dcgan": (1, 8, 8),
    "images-dcgan": (3, 32, 32),
    "mnist-dcgan": (1, 28, 28),
    "mnist-mmd": (1, 28, 28),
    "cifar10-dcgan": (3, 32, 32),
    "grid25-mlp": (2,),
    "ring8-mlp": (2,),
    "bilinear": (),
    "lenet-digits": (1, 8, 8),
    "lenet-mnist": (1, 28, 28),
    "digits-aae": (1, 8, 8),
    "digits-semisupervised": (1, 8, 8),
    "mnist-semisupervised": (1, 28, 28),
} | {
    make.__name__.replace("_", "-"): (1, 28, 28)
    for make in PUBLISHED
    if make.__name__.startswith(("mnist_aae", "mnist_vae"))
}


@pytest.mark.usefixtures("untouched_randomness")
@every_published
def test_each_builds_and_plays_a_round(make):
    recipe = make()
    small = recipe.model_dump(mode="json")
    for part in ("generator", "critic"):
        if small.get(part, {}).get("kind") == "dcgan":
            small[part]["width"] = 4
    for part in ("encoder", "decoder", "critic", "content_critic"):
        if small.get(part, {}).get("kind") == "mlp":
            small[part]["width"] = 16
    if "batch_size" in small:
        small["batch_size"] = 8
    if small["kind"] == "semisupervised":
        small |= {"labels": 10, "labelled_batch_size": 8}
    elif small.get("labels"):
        small["labels"] = {"count": 10, "batch_size": 8}
    recipe = parse(small)
    shape = SPACES[recipe.name]
    classes = tuple("0123456789") if len(shape) == 3 else ()
    state = assemble.state(recipe, SampleSpace(shape=shape, classes=classes), torch.device("cpu"))
    if len(shape) == 3:
        pixels = torch.randint(256, (16, *shape), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
        source = data.Splits(*[data.from_arrays(pixels, torch.arange(16) % 10, classes=classes)] * 3)
    else:
        source = assemble.data_of(recipe)
    feed = assemble.feed(recipe, source, torch.device("cpu"))
    assert isinstance(feed, ImageFeed | FewLabelsFeed) == (len(shape) == 3)
    before = {name: value.clone() for name, value in state.game.players.state_dict().items()}
    reports = Eager(state).play(deal(state.game, feed, recipe.seed, 0, state.steps))
    assert all(torch.isfinite(value) for report in reports.values() for value in report.values())
    after = state.game.players.state_dict()
    for player in state.game.players:
        assert any(not torch.equal(before[name], after[name]) for name in before if name.startswith(f"{player}."))


@every_published
def test_the_networks_of_a_recipe_are_rebuilt_from_its_json(make):
    recipe = make()
    space = SampleSpace(shape=SPACES[recipe.name], classes=tuple("0123456789"))

    def networks(recipe):
        if isinstance(recipe, recipes.Autoencoder):
            made = assemble.coding(recipe, space)
            return [made.encoder, made.decoder] + ([] if made.heads is None else [made.heads])
        if isinstance(recipe, recipes.SemiSupervised):
            return assemble.semisupervised_networks(recipe, space)
        return assemble.gan_networks(recipe, space) if isinstance(recipe, recipes.GAN) else []

    again = parse(json.loads(recipe.model_dump_json()))
    for one, other in zip(networks(recipe), networks(again), strict=True):
        assert str(one) == str(other)
        for name, value in one.state_dict().items():
            assert torch.equal(value, other.state_dict()[name])


# --- there and back --------------------------------------------------------------------------------------------


def configs():
    """Every configuration type that a recipe can hold, the recipes' own included."""
    found, queue = [], [recipes.GAN, recipes.Bilinear, recipes.Classifier]
    while queue:
        one = queue.pop()
        if isinstance(one, type) and issubclass(one, Config):
            if one not in found:
                found.append(one)
                queue += [field.annotation for field in one.model_fields.values()]
        else:
            queue += [argument for argument in get_args(one) if not isinstance(argument, str)]
    return found


@st.composite
def whole_recipes(draw):
    """Any valid GAN recipe on points."""
    share = st.floats(0, 0.99)
    schedule = st.one_of(
        st.just("constant"),
        st.builds(recipes.Linear, start=share, last=st.floats(0, 1)),
        st.builds(recipes.Cosine, warmup=share),
    )
    adam = st.builds(
        recipes.Adam,
        rate=st.floats(1e-9, 10),
        betas=st.tuples(share, share),
        clip_norm=st.none() | st.floats(1e-3, 10),
        schedule=schedule,
    )
    penalties = st.lists(st.sampled_from(["gradient-penalty", "r1", "r2", "dragan"]), unique=True)
    return gan(
        name=draw(st.text(min_size=1)),
        seed=draw(st.integers(0, 2**63)),
        data=draw(st.sampled_from(KINDS["data"])),
        prior={"kind": draw(st.sampled_from(KINDS["prior"])), "dim": draw(st.integers(2, 512))},
        objective=draw(st.sampled_from(KINDS["objective"])),
        penalties=draw(penalties),
        generator_optimiser=draw(adam),
        averaging=draw(st.none() | st.builds(recipes.Averaging, halflife=st.floats(0.1, 1e6))),
    )


@given(whole_recipes())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_through_json_and_yaml_to_the_bit(tmp_path_factory, recipe):
    folder = tmp_path_factory.mktemp("files")
    tree = recipe.model_dump(mode="json")
    assert parse(tree) == recipe
    assert parse(recipe.model_dump()) == recipe
    (folder / "r.json").write_text(json.dumps(tree), encoding="utf-8")
    (folder / "r.yaml").write_text(yaml.safe_dump(tree), encoding="utf-8")
    (folder / "run.json").write_text(json.dumps({"format": 1, "recipe": tree, "space": {}}), encoding="utf-8")
    for name in ("r.json", "r.yaml", "run.json"):
        assert read(folder / name) == read(str(folder / name)) == recipe


@every_published
def test_published_through_every_file(make, tmp_path):
    recipe = make()
    tree = recipe.model_dump(mode="json", exclude_none=True)
    (tmp_path / "r.toml").write_text(toml(tree), encoding="utf-8")
    assert tomllib.loads((tmp_path / "r.toml").read_text()) == tree
    (tmp_path / "r.yml").write_text(yaml.safe_dump(recipe.model_dump(mode="json")))
    assert read(tmp_path / "r.toml") == read(tmp_path / "r.yml") == recipe


def toml(tree, prefix=""):
    """A TOML writer for trees of plain values, tables inline."""

    def value(one):
        if isinstance(one, dict):
            return "{" + ", ".join(f"{k} = {value(v)}" for k, v in one.items()) + "}"
        if isinstance(one, list):
            return "[" + ", ".join(map(value, one)) + "]"
        return json.dumps(one)

    return "\n".join(f"{key} = {value(one)}" for key, one in tree.items())


def test_a_file_may_state_only_what_differs(tmp_path):
    (tmp_path / "mine.yaml").write_text(
        "recipe: digits-dcgan\nname: mine\nobjective: hinge\ncritic: {width: 8}\npenalties: []\n"
        "generator_optimiser: {rate: 1e-3}\n"
    )
    base, mine = named("digits-dcgan"), read(tmp_path / "mine.yaml")
    assert mine == base.model_copy(
        update={
            "name": "mine",
            "objective": recipes.Hinge(),
            "critic": recipes.DCGANCritic(width=8),
            "penalties": (),
            "generator_optimiser": base.generator_optimiser.model_copy(update={"rate": 1e-3}),
        }
    )
    (tmp_path / "mine.toml").write_text('recipe = "digits-dcgan"\ndata = "mnist"\n[prior]\ndim = 7\n')
    assert read(tmp_path / "mine.toml").prior == recipes.Normal(dim=7)
    assert read(tmp_path / "mine.toml").data.source == "mnist"


def test_recipes_are_values():
    recipe = named("digits-dcgan")
    with pytest.raises(ValidationError):
        recipe.steps = 3
    with pytest.raises(ValidationError):
        recipe.prior.dim = 3
    assert hash(recipe.prior) == hash(recipes.Normal(dim=recipe.prior.dim))
    assert recipe == parse(recipe.model_dump())


@pytest.mark.parametrize("config", configs(), ids=lambda config: config.__name__)
def test_every_field_is_documented(config):
    assert config.__doc__
    for name, field in config.model_fields.items():
        assert name == "kind" or field.description, f"{config.__name__}.{name}"


# --- single fields ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "path", "expected"),
    [
        ({"steps": "7"}, "steps", 7),
        ({"steps": 7}, "steps", 7),
        ({"generator.width": "64"}, "generator.width", 64),
        ({"generator-optimiser.clip-norm": "0.5"}, "generator_optimiser.clip_norm", 0.5),
        ({"generator_optimiser.betas": "[0.1, 0.2]"}, "generator_optimiser.betas", (0.1, 0.2)),
        ({"conditional": "true"}, "conditional", True),
        ({"averaging": "none"}, "averaging", None),
        ({"averaging": "null"}, "averaging", None),
        ({"averaging": None}, "averaging", None),
        ({"averaging.halflife": "9"}, "averaging.halflife", 9.0),
        ({"objective": "hinge"}, "objective", recipes.Hinge()),
        ({"objective": {"kind": "minimax", "real_target": 0.9}}, "objective", recipes.Minimax(real_target=0.9)),
        ({"objective": '{"kind": "minimax", "real_target": 0.9}'}, "objective", recipes.Minimax(real_target=0.9)),
        ({"objective.real_target": "0.9"}, "objective", recipes.NonSaturating(real_target=0.9)),
        ({"penalties": "none", "critic.width": 3}, "critic.width", 3),
        ({"penalties": "r2"}, "penalties", (recipes.R2(),)),
        ({"penalties": "[]"}, "penalties", ()),
        (
            {"penalties": '["r2", {"kind": "dragan", "weight": 2}]'},
            "penalties",
            (recipes.R2(), recipes.Dragan(weight=2)),
        ),
        ({"penalties": {"kind": "r1", "weight": 3}}, "penalties", (recipes.R1(weight=3),)),
        ({"penalties.0.weight": "4"}, "penalties", (recipes.R1(weight=4),)),
        ({"penalties.0.kind": "r2"}, "penalties", (recipes.R2(),)),
        ({"generator_optimiser.schedule": "cosine"}, "generator_optimiser.schedule", recipes.Cosine()),
        ({"data": "ring8"}, "data", recipes.Ring8()),
        ({"data": "some/folder"}, "data.source", "some/folder"),
        ({"data": "[2024] {cats}"}, "data.source", "[2024] {cats}"),
        ({"data.source": "[x].zip"}, "data.source", "[x].zip"),
        ({"data": '{"kind": "grid25", "scaled": true}'}, "data", recipes.Grid25(scaled=True)),
        ({"data.resolution": "16"}, "data.resolution", 16),
        ({"name": "none"}, "name", "none"),
    ],
)
def test_one_field_is_replaced_and_no_other(changes, path, expected):
    if changes.get("penalties") == "none":
        changes = changes | {"penalties": []}
    base, changed = named("digits-dcgan"), read("digits-dcgan", changes)
    value = changed
    for part in path.split("."):
        value = getattr(value, part)
    assert value == expected
    heads = {name.replace("-", "_").split(".")[0] for name in changes}
    for name in recipes.GAN.model_fields:
        if name not in heads:
            assert getattr(base, name) == getattr(changed, name), name


def test_a_path_alone_keeps_how_images_are_read():
    changed = read("images-dcgan", {"data": "holiday/"})
    assert changed.data == recipes.Images(source="holiday/", resolution=32)


@pytest.mark.parametrize("way", ["whole", "field", "file"])
def test_a_changed_kind_drops_the_fields_of_the_former_kind(way, tmp_path):
    base = read("digits-dcgan", {"objective.real_target": 0.9, "critic.normalisation": "spectral"})
    (tmp_path / "base.json").write_text(base.model_dump_json())
    changed = {
        "whole": lambda: read(
            tmp_path / "base.json", {"objective": "hinge", "critic": "mlp", "prior": {"kind": "sphere"}}
        ),
        "field": lambda: read(
            tmp_path / "base.json", {"objective.kind": "hinge", "critic.kind": "mlp", "prior.kind": "sphere"}
        ),
        "file": lambda: _from_file(tmp_path, "objective: hinge\ncritic: {kind: mlp}\nprior: sphere\n"),
    }[way]()
    assert changed.objective == recipes.Hinge()
    assert changed.critic == recipes.MLPCritic()
    assert changed.prior == recipes.Sphere()


def _from_file(folder, text):
    (folder / "changed.yaml").write_text(f"recipe: digits-dcgan\n{text}")
    return read(folder / "changed.yaml")


def test_the_same_kind_keeps_its_fields():
    assert read("digits-dcgan", {"prior": "normal"}).prior.dim == named("digits-dcgan").prior.dim
    assert read("digits-dcgan", {"prior.kind": "normal"}).prior.dim == named("digits-dcgan").prior.dim


def test_the_order_of_changes_does_not_matter():
    changes = {"critic.kind": "mlp", "critic.depth": 5, "objective": "minimax", "objective.real_target": 0.8}
    there = read("digits-dcgan", changes)
    back = read("digits-dcgan", dict(reversed(changes.items())))
    assert there == back
    assert there.critic == recipes.MLPCritic(depth=5)
    assert there.objective == recipes.Minimax(real_target=0.8)


def test_a_part_that_was_none_can_be_given_a_field():
    without = read("digits-dcgan", {"averaging": None})
    assert without.averaging is None
    again = read("digits-dcgan", {"averaging": None, "averaging.halflife": 7})
    assert again.averaging == recipes.Averaging(halflife=7)


# --- what is refused -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"stesp": 3}, "no field 'stesp'; did you mean 'steps'?"),
        ({"generator.widht": 3}, "no field 'generator.widht'; did you mean 'width'?"),
        (
            {"generator_optimiser.schedule.strat": 1},
            "no field 'generator_optimiser.schedule.strat'; did you mean 'start'?",
        ),
        ({"generater.width": 3}, "no field 'generater.width'; did you mean 'generator'?"),
        ({"xyzzy": 3}, "no field 'xyzzy'"),
        ({"objective": "higne"}, "'objective' should be one of"),
        ({"objective": "higne"}, "got 'higne'; did you mean 'hinge'?"),
        ({"objective.kind": "higne"}, "did you mean 'hinge'?"),
        ({"penalties": "r3"}, "'penalties.0' should be one of gradient-penalty, r1, r2, dragan, activation, got 'r3'"),
        ({"prior": {"dim": 3, "kind": "normall"}}, "did you mean 'normal'?"),
        ({"steps": "many"}, "'steps': Input should be a valid integer"),
        ({"steps": "many"}, "got 'many'"),
        ({"steps": 0}, "'steps': Input should be greater than 0, got 0"),
        ({"steps": "2.5"}, "'steps'"),
        ({"steps": None}, "'steps'"),
        ({"seed": -1}, "'seed': Input should be greater than or equal to 0, got -1"),
        ({"generator.width": "nan"}, "'generator.width'"),
        ({"generator_optimiser.rate": "nan"}, "'generator_optimiser.rate'"),
        ({"generator_optimiser.rate": "inf"}, "'generator_optimiser.rate'"),
        ({"generator_optimiser.rate": "0"}, "'generator_optimiser.rate': Input should be greater than 0"),
        ({"generator_optimiser.betas": "[0.5, 1.0]"}, "'generator_optimiser.betas.1': Input should be less than 1"),
        ({"generator_optimiser.betas": "[0.5"}, "looks like JSON but is not"),
        ({"generator_optimiser.betas": "0.5"}, "'generator_optimiser.betas'"),
        ({"critic.normalisation": "layer"}, "'critic.normalisation'"),
        ({"critic.normalisation": "layer"}, "got 'layer'"),
        ({"penalties.3.weight": 1}, "'3' should be a place in a list of 1, counted from 0"),
        ({"penalties.first.weight": 1}, "'first' should be a place in a list of 1"),
        ({"steps.more": 1}, "'steps.more' goes too deep: there are no fields below 'more'"),
        ({"data.held_out": 1}, "'data.held_out': Input should be less than 1"),
        ({"compilation": "sometimes"}, "'compilation'"),
        ({"penalties": '["r1", "r1"]'}, "penalties should be of different kinds, got r1, r1"),
        ({"critic.normalisation": "batch"}, "to none, virtual-batch, spectral or weight, or penalties to []"),
        ({"objective": "wasserstein", "penalties": []}, "needs a critic of bounded slope"),
        ({"kind": "gna"}, "did you mean 'gan'?"),
    ],
)
def test_every_slip_is_named_with_the_nearest_right_one(changes, said):
    says(said, read, "digits-dcgan", changes)


def test_all_slips_are_named_at_once():
    said = says("stesp", read, "digits-dcgan", {"stesp": 1, "batch_size": -1, "objective": "higne"})
    assert "batch_size" in said
    assert "hinge" in said


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ({}, "should state its kind"),
        ({"kind": "gan"}, "field 'name' is missing"),
        ({"kind": "bilinear", "name": "b", "steps": 3}, "field 'play' is missing"),
        ({"kind": "bilinear", "name": "b", "steps": 3, "play": "optimisitc"}, "'play'"),
        ({"kind": "bilinear", "name": "b", "steps": 3, "play": "optimistic", "rate": "fast"}, "'rate'"),
        ({"kind": "classifier", "name": "c", "steps": 3, "data": "ring8"}, "'data'"),
        ({"kind": 5}, "should be one of gan, semisupervised, vae, aae"),
    ],
)
def test_incomplete_recipes(tree, said):
    says(said, parse, tree)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("r.json", "{", "is not valid JSON"),
        ("r.json", "[" * 100_000, "is not valid JSON"),
        ("r.json", "[1, 2]", "should hold named fields, got list"),
        ("r.json", '{"kind": "gan", "steps": 1e999}', "steps"),
        ("r.yaml", "a: [", "is not valid YAML"),
        ("r.yml", "- a\n- b\n", "should hold named fields, got list"),
        ("r.yaml", "", "should hold named fields, got NoneType"),
        ("r.yaml", "!!python/object/apply:os.mkdir [executed]", "is not valid YAML"),
        ("r.toml", "a = ", "is not valid TOML"),
        ("r.toml", "\x00", "is not valid TOML"),
        ("r.yaml", "recipe: digits-dcgna\n", "no recipe 'digits-dcgna'; did you mean 'digits-dcgan'?"),
        ("r.yaml", "recipe: digits-dcgan\nstesp: 3\n", "no field 'stesp'; did you mean 'steps'?"),
        ("r.yaml", "recipe: digits-dcgan\ncritic: {widht: 3}\n", "no field 'critic.widht'; did you mean 'width'?"),
        ("r.yaml", "recipe: digits-dcgan\n1: 2\n", "'1'"),
    ],
)
def test_files_that_are_none(tmp_path, monkeypatch, name, text, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text(text)
    says(said, read, str(tmp_path / name))
    assert not (tmp_path / "executed").exists()


def test_files_that_cannot_be_read(tmp_path):
    says("cannot read", read, str(tmp_path / "absent.json"))
    (tmp_path / "folder.yaml").mkdir()
    says("cannot read", read, tmp_path / "folder.yaml")
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\xff")
    says("is not valid JSON", read, tmp_path / "bytes.json")


def test_unknown_names():
    said = says("no recipe 'digits_dcgan'; did you mean 'digits-dcgan'?", named, "digits_dcgan")
    assert all(make().name in said for make in PUBLISHED)
    assert "a path that ends in .json, .yaml or .toml" in said
    assert "did you mean" not in says("no recipe 'zzz'", named, "zzz")


# --- what does not go together ---------------------------------------------------------------------------------


def test_batch_normalisation_and_penalties():
    batch = {"kind": "dcgan", "normalisation": "batch"}
    assert gan(critic=batch).critic.normalisation == "batch"
    for penalty in ("r1", "r2", "gradient-penalty", "dragan"):
        says("batch normalisation mixes them", gan_of, {"critic": batch, "penalties": penalty})


def gan_of(changes):
    return gan(**changes)


@pytest.mark.parametrize(
    "bound",
    [
        {"penalties": "gradient-penalty"},
        {"critic": {"kind": "mlp", "normalisation": "spectral"}},
        {"clip_weights": 0.01},
    ],
)
def test_a_wasserstein_critic_needs_a_bound(bound):
    says(
        "add penalties=gradient-penalty, critic.normalisation=spectral, or clip_weights",
        gan_of,
        {"objective": "wasserstein"},
    )
    assert gan(objective="wasserstein", **bound).objective == recipes.Wasserstein()


@pytest.mark.parametrize("shape", [(2,), (1, 9, 9), (3, 32, 28), (1, 256, 256)])
def test_dcgan_on_what_it_is_not_made_for(shape):
    recipe = gan(generator="dcgan", critic="dcgan")
    with pytest.raises(RecipeError, match="use the mlp networks"):
        assemble.gan_networks(recipe, SampleSpace(shape=shape))


def test_what_has_no_arm_says_where_to_add_one():
    for function in (assemble.load_data, assemble.prior, assemble.objective, assemble.penalty, assemble.schedule):
        with pytest.raises(RecipeError, match="cannot assemble a SampleSpace; add an arm for it to"):
            function(SampleSpace(shape=(2,)))


def test_every_kind_has_its_arm():
    """Each configuration type that is one of several is turned into an object of the same name."""
    made = {
        assemble.prior: (recipes.Normal, recipes.Uniform, recipes.Sphere),
        assemble.load_data: (recipes.Grid25, recipes.Ring8, recipes.Mixture1D, recipes.SwissRoll),
        assemble.objective: (
            recipes.Minimax,
            recipes.NonSaturating,
            recipes.LeastSquares,
            recipes.Hinge,
            recipes.Wasserstein,
            recipes.Relativistic,
        ),
        assemble.penalty: (recipes.GradientPenalty, recipes.R1, recipes.R2, recipes.Dragan),
    }
    for function, types in made.items():
        for config in types:
            assert type(function(config())).__name__ == config.__name__
    space = (1, 8, 8)
    random = torch.Generator().manual_seed(0)
    for config in (recipes.MLPGenerator, recipes.DCGANGenerator):
        assert type(assemble.generator(config(), 4, space, 0, random)).__name__ == config.__name__
    for config in (recipes.MLPCritic, recipes.DCGANCritic):
        assert type(assemble.critic(config(), space, 0, random)).__name__ == config.__name__


# --- recipes of earlier runs -------------------------------------------------------------------------------------


@pytest.mark.parametrize("play", ["alternating", "historical-averaging"])
def test_bilinear_runs_from_before_history_was_a_part_are_read(play):
    tree = recipes.named("bilinear").model_dump(mode="json") | {"play": play, "history_weight": 0.2}
    del tree["historical_averaging"]
    read = recipes.recorded(tree)
    pulled = play == "historical-averaging"
    assert (read.play, read.historical_averaging) == (("simultaneous", 0.2) if pulled else (play, None))


def test_images_of_runs_from_before_there_was_a_calibration_part_kept_none():
    tree = recipes.named("digits-dcgan").model_dump(mode="json")
    del tree["data"]["calibration"]
    assert recipes.recorded(tree).data.calibration == 0


def test_the_critic_of_styles_was_not_told_the_label():
    tree = recipes.named("mnist-aae-supervised").model_dump(mode="json")
    assert recipes.recorded(tree).critic_told
    del tree["critic_told"]
    assert not recipes.recorded(tree).critic_told
    assert recipes.parse(tree).critic_told, "a recipe that is written today"
