"""Laws of models: sample i depends on (seed, i) and nothing else; disks keep every bit and run nothing."""

import json
import os
import pickle
import shutil

import pytest
import torch
from safetensors.torch import load_file

import adversaria as adv
from adversaria.errors import AdversariaError, ModelError, RunError
from adversaria.model import CHUNK

pytestmark = pytest.mark.usefixtures("untouched_randomness")


@pytest.fixture(scope="module")
def runs(tiny, tmp_path_factory):
    """Finished runs by name."""
    folder = tmp_path_factory.mktemp("runs")
    made = {
        "digits": tiny("digits"),
        "ring": tiny("ring", prior={"kind": "sphere", "dim": 3}),
        "classes": tiny("digits", conditional=True, critic={"kind": "dcgan", "width": 2, "normalisation": "spectral"}),
        "live": tiny("digits", averaging=None),
        "batch": tiny("digits", critic={"kind": "dcgan", "width": 2, "normalisation": "batch"}),
        "few-labels": tiny("few-labels"),
    }
    return {name: adv.train(recipe, folder / name, quiet=True, device="cpu") for name, recipe in made.items()}


@pytest.fixture(params=["digits", "ring", "classes", "live", "batch", "few-labels"])
def model(request, runs):
    return runs[request.param].model()


# --- sampling --------------------------------------------------------------------------------------------------


def test_sample_i_depends_on_seed_and_i_alone(model):
    many = model.sample(2 * CHUNK + 7, seed=3)
    assert many.shape == (2 * CHUNK + 7, *model.space.shape)
    for n in (0, 1, 3, CHUNK - 1, CHUNK, CHUNK + 1):
        assert torch.equal(model.sample(n, seed=3), many[:n])
    assert torch.equal(model.latents(5, seed=3), model.latents(200, seed=3)[:5])
    # Not on what was sampled before, nor on the process's random state.
    torch.rand(10, generator=torch.Generator().manual_seed(1))
    model.sample(9, seed=4)
    assert torch.equal(model.sample(2 * CHUNK + 7, seed=3), many)


def test_samples_differ_from_seed_to_seed_and_from_i_to_i(model):
    latents = torch.cat([model.latents(2 * CHUNK, seed=seed) for seed in (0, 1)])
    assert len(latents.unique(dim=0)) == 4 * CHUNK
    one, other = model.sample(100, seed=0).flatten(1), model.sample(100, seed=1).flatten(1)
    assert len(one.unique(dim=0)) > 90  # a small network may send two latents to one point
    assert (one[:, None] == other[None]).all(-1).float().mean() < 1e-3


def test_latents_follow_the_prior(runs):
    z = runs["ring"].model().latents(1000, seed=0)
    torch.testing.assert_close(z.norm(dim=1), torch.full((1000,), 3**0.5))
    # Each coordinate has mean 0 and variance 1: five standard errors, three coordinates, false alarms below 2e-6.
    assert z.mean(0).abs().max() < 5 / 1000**0.5


def test_images_are_in_their_range(runs):
    images = runs["digits"].model().sample(64, seed=0)
    assert images.min() >= -1
    assert images.max() <= 1
    assert images.dtype == torch.float32


def test_samples_are_the_averaged_generator_on_the_latents(runs):
    weights = load_file(runs["digits"].checkpoints()[-1] / "model.safetensors")
    model = runs["digits"].model()
    assert any(name.startswith("average.generator.") for name in weights)
    for name, value in model.generator.state_dict().items():
        assert torch.equal(value, weights[f"average.generator.{name}"])
    assert not all(
        torch.equal(value, weights[f"generator.{name}"]) for name, value in model.generator.state_dict().items()
    )
    assert not model.generator.training
    assert not model.critic.training
    expected = model.generator(torch.cat([model.latents(10, seed=0), torch.zeros(CHUNK - 10, 4)]))[:10]
    assert torch.equal(model.sample(10, seed=0), expected)
    torch.testing.assert_close(model.sample(10, seed=0), model.generator(model.latents(10, seed=0)))


def test_without_an_average_the_live_weights_are_sampled(runs):
    weights = load_file(runs["live"].checkpoints()[-1] / "model.safetensors")
    assert not any(name.startswith("average") for name in weights)
    for name, value in runs["live"].model().generator.state_dict().items():
        assert torch.equal(value, weights[f"generator.{name}"])


def test_scores(model):
    y = torch.zeros(70, dtype=torch.int64) if model.conditional else None
    samples = model.sample(70, seed=0, y=0 if model.conditional else None)
    scores = model.scores(samples, y=y)
    assert scores.shape == (70, 1)
    assert torch.equal(scores[:5], model.scores(samples[:5], y=None if y is None else y[:5]))
    direct = model.critic(samples) if y is None else model.critic(samples, y)
    torch.testing.assert_close(scores, direct, rtol=1e-4, atol=1e-6)
    assert model.scores(samples[:0], y=None if y is None else y[:0]).shape == (0, 1)


def test_weights_need_no_gradient(model):
    assert not any(p.requires_grad for module in (model.generator, model.critic) for p in module.parameters())
    assert not model.sample(2, seed=0).requires_grad


# --- classes ---------------------------------------------------------------------------------------------------


def test_one_class_for_all_or_one_for_each(runs):
    model = runs["classes"].model()
    sevens = model.sample(70, seed=0, y=7)
    assert torch.equal(model.sample(70, seed=0, y=[7] * 70), sevens)
    assert torch.equal(model.sample(70, seed=0, y=torch.full((70,), 7)), sevens)
    assert torch.equal(model.sample(70, seed=0, y=torch.full((70,), 7, dtype=torch.int32)), sevens)
    mixed = [i % 10 for i in range(70)]
    some = model.sample(70, seed=0, y=mixed)
    for i in range(70):
        assert torch.equal(some[i], sevens[i]) == (mixed[i] == 7)


def test_classes_are_drawn_uniformly_if_none_is_given(runs):
    model = runs["classes"].model()
    y = model.classes(10_000, seed=0)
    assert torch.equal(model.sample(100, seed=0), model.sample(100, seed=0, y=y[:100]))
    assert torch.equal(model.classes(70, seed=0), y[:70])
    # Binomial(10⁴, 0.1), σ 30; ten counts within five σ: false alarms below 6e-6.
    assert (torch.bincount(y, minlength=10) - 1000).abs().max() < 150


@pytest.mark.parametrize(
    "y", [10, -1, [0, 1], [0, 1, 10], torch.zeros(4, dtype=torch.int64), 1.5, [0.0, 1.0, 2.0], torch.zeros(3, 1).long()]
)
def test_classes_that_are_none(runs, y):
    with pytest.raises(ModelError, match="3 whole numbers from 0 to 9, got"):
        runs["classes"].model().sample(3, seed=0, y=y)


@pytest.mark.parametrize("y", [0, [0, 0, 0]])
def test_classes_for_a_model_without(runs, y):
    with pytest.raises(ModelError, match="'tiny-digits' was trained without classes, so y should be None, got"):
        runs["digits"].model().sample(3, seed=0, y=y)


def test_a_class_fixed_is_that_class(runs):
    model = runs["classes"].model()
    seven = model.of_class(7)
    samples = seven.sample(70, seed=0)
    assert torch.equal(samples, model.sample(70, seed=0, y=7))
    assert not torch.equal(samples, model.of_class(6).sample(70, seed=0))
    y = torch.full((70,), 7)
    assert torch.equal(seven.scores(samples), model.scores(samples, y=y))
    assert torch.equal(seven.generator(seven.latents(9, seed=1)), model.generator(model.latents(9, seed=1), y[:9]))
    assert torch.equal(seven.critic(samples), model.critic(samples, y))
    assert seven.prior is model.prior
    assert seven.device == model.device


def test_a_class_fixed_has_the_networks_of_its_model_and_their_mode(runs):
    model = runs["classes"].model()
    seven = model.of_class(7)
    assert set(model.generator.modules()) < set(seven.generator.modules())
    assert not any(part.training for network in (seven.generator, seven.critic) for part in network.modules())
    seven.critic.train()
    assert model.critic.training


@pytest.mark.parametrize("y", [10, -1, 1.0, True, "7", None])
def test_a_class_that_is_none_cannot_be_fixed(runs, y):
    with pytest.raises(ModelError, match="whole number from 0 to 9, got"):
        runs["classes"].model().of_class(y)


def test_no_class_can_be_fixed_without_classes(runs):
    with pytest.raises(ModelError, match="'tiny-digits' was trained without classes, so none can be fixed"):
        runs["digits"].model().of_class(0)


def test_fewer_than_none(model):
    with pytest.raises(ModelError, match="n should be at least 0, got -1"):
        model.sample(-1, seed=0)


# --- disks -----------------------------------------------------------------------------------------------------


def test_saved_and_loaded_to_the_bit(model, tmp_path):
    again = adv.load(model.save(tmp_path / "saved"))
    assert sorted(path.name for path in (tmp_path / "saved").iterdir()) == ["config.json", "model.safetensors"]
    assert (again.recipe, again.space, again.step, again.prior) == (model.recipe, model.space, model.step, model.prior)
    for one, other in ((model.generator, again.generator), (model.critic, again.critic)):
        assert one.state_dict().keys() == other.state_dict().keys()
        for name, value in one.state_dict().items():
            assert torch.equal(value, other.state_dict()[name])
            assert value.stride() == other.state_dict()[name].stride()
    assert torch.equal(again.sample(70, seed=0), model.sample(70, seed=0))
    assert (again.save(tmp_path / "twice") / "model.safetensors").read_bytes() == (
        tmp_path / "saved" / "model.safetensors"
    ).read_bytes()


def test_a_run_and_its_checkpoints_are_models(runs, monkeypatch):
    run = runs["digits"]
    first, last = run.checkpoints()
    assert adv.load(run.path).step == adv.load(str(last)).step == run.step == 4
    assert adv.load(first).step == 2
    assert torch.equal(adv.load(run.path).sample(3, seed=0), adv.load(last).sample(3, seed=0))
    assert not torch.equal(adv.load(first).sample(3, seed=0), adv.load(last).sample(3, seed=0))
    monkeypatch.chdir(last)
    assert adv.load(".").step == 4


def test_no_model_is_there(tmp_path, tiny):
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(ModelError, match="holds no model: expected a run folder"):
            adv.load(path)
    run = adv.train(tiny("bilinear"), tmp_path / "b", quiet=True)
    with pytest.raises(ModelError, match="'tiny-bilinear' makes no samples"):
        run.model()


def test_a_run_without_checkpoint(runs, tmp_path):
    (tmp_path / "recipe.json").write_bytes((runs["digits"].path / "recipe.json").read_bytes())
    with pytest.raises(RunError, match=f"has no checkpoint yet; go on with: adversaria resume {tmp_path}"):
        adv.load(tmp_path)


@pytest.fixture
def saved(runs, tmp_path):
    return runs["digits"].model().save(tmp_path / "saved")


def refused(folder):
    with pytest.raises(AdversariaError) as caught:
        adv.load(folder)
    return str(caught.value)


class Payload:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_pickle_is_refused_and_not_run(saved, tmp_path):
    mark = tmp_path / "executed"
    torch.save({"generator.x": Payload(mark)}, tmp_path / "zip")
    good = (saved / "config.json").read_bytes()
    for content in (
        pickle.dumps(Payload(mark)),
        pickle.dumps({"a": Payload(mark)}, 0),
        (tmp_path / "zip").read_bytes(),
    ):
        (saved / "model.safetensors").write_bytes(content)
        assert "model.safetensors is no whole safetensors file" in refused(saved)
        (saved / "config.json").write_bytes(content)
        assert "config.json does not describe a model" in refused(saved)
        (saved / "config.json").write_bytes(good)
        assert not mark.exists()


def change(folder, path, value):
    config = json.loads((folder / "config.json").read_text())
    *parents, last = path.split(".")
    node = config
    for part in parents:
        node = node[part]
    if value is ...:
        del node[last]
    else:
        node[last] = value
    (folder / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("format", 99),
        ("format", ...),
        ("format", [1]),
        ("recipe", []),
        ("recipe", "digits-dcgan"),
        ("recipe", ...),
        ("recipe.generator", {"kind": "os.system"}),
        ("recipe.generator.width", "wide"),
        ("recipe.generator.width", -1),
        ("recipe.generator.width", 3),
        ("recipe.generator.width", 10**12),
        ("recipe.prior.dim", 10**30),
        ("recipe.generator.__class__", "x"),
        ("recipe.kind", "bilinear"),
        ("recipe.prior.dim", 5),
        ("recipe.prior.dim", None),
        ("recipe.conditional", True),
        ("space", ...),
        ("space", [1, 8, 8]),
        ("space.shape", [1, 9, 9]),
        ("space.shape", [1, 16, 16]),
        ("space.shape", [-1, 8, 8]),
        ("space.shape", "1x8x8"),
        ("space.shape", []),
        ("space.shape", [64]),
        ("space.surprise", 1),
        ("step", "two"),
        ("step", ...),
        ("step", 1.5),
    ],
)
def test_a_config_of_wrong_types(saved, path, value):
    change(saved, path, value)
    assert refused(saved)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "5", "[" * 100_000, '{"format": NaN}'])
def test_a_config_that_is_none(saved, text):
    (saved / "config.json").write_text(text)
    assert "config.json" in refused(saved)


def test_a_config_that_is_no_text(saved):
    (saved / "config.json").write_bytes(b"\xff\xfe\x00{")
    assert "config.json does not describe a model" in refused(saved)


def test_paths_in_files_lead_nowhere(saved, tmp_path):
    """A recipe names the source of its data; loading a model does not touch it."""
    change(saved, "recipe.data.source", "/etc/../../../../dev/random")
    change(saved, "recipe.name", "../../../outside")
    before = sorted(tmp_path.rglob("*"))
    assert torch.isfinite(adv.load(saved).sample(2, seed=0)).all()
    assert sorted(tmp_path.rglob("*")) == before


def test_damaged_files_leave_run_errors_with_a_remedy(runs, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(runs["digits"].path, folder)
    state = sorted((folder / "checkpoints").iterdir())[-1] / "state.json"
    state.write_text("{")
    assert "delete it to go on from the one before" in refused(folder)
    (folder / "recipe.json").write_text("{")
    assert "recipe.json does not describe a model" in refused(folder)
