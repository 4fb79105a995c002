"""Laws of a trained autoencoder as a model: codes lead to samples and back, whatever the variant and the batch."""

import math

import pytest
import torch

import adversaria as adv
from adversaria import recipes
from adversaria.data import load, to_uint8
from adversaria.errors import ModelError
from adversaria.games.content import one_hot
from adversaria.games.evidence import importance_weighted, log_weights
from adversaria.model import Autoencoder
from adversaria.priors import Categorical, Mixture, Product

VARIANTS = ("vae", "aae", "aae-labels", "supervised", "semisupervised", "clustering", "reducing")
FINDING = ("semisupervised", "clustering", "reducing")
WITH_CONTENTS = ("supervised", *FINDING)

every_variant = pytest.mark.parametrize("variant", VARIANTS)


@pytest.fixture(scope="module")
def runs(tiny, tmp_path_factory):
    """`runs(variant)`: a finished small run."""
    made = {}

    def run(variant):
        if variant not in made:
            made[variant] = adv.train(tiny(variant), tmp_path_factory.mktemp(variant) / "run", quiet=True)
        return made[variant]

    return run


@pytest.fixture(scope="module")
def images():
    return load("digits", held_out=0.2).held_out.to_float(slice(100))


def told(variant, n):
    return {"labels": torch.arange(n) % 10} if variant == "supervised" else {}


# --- laws of all variants ----------------------------------------------------------------------------------------


@every_variant
def test_a_run_is_loaded_as_an_autoencoder(runs, variant):
    model = adv.load(runs(variant).path)
    assert isinstance(model, Autoencoder)
    assert not model.conditional
    assert not any(p.requires_grad or module.training for module in model.parts.values() for p in module.parameters())


@every_variant
def test_codes_are_what_the_decoder_takes_and_reconstructions_are_decoded_codes(runs, images, variant):
    model = runs(variant).model()
    codes = model.encode(images, **told(variant, 100))
    assert codes.shape == (100, model.prior.dim)
    back = model.reconstruct(images, **told(variant, 100))
    assert back.shape == images.shape
    torch.testing.assert_close(back, model.decode(codes), rtol=0, atol=0)
    assert back.abs().max() <= 1


@every_variant
@pytest.mark.parametrize("seed", [None, 3])
def test_no_code_depends_on_its_batch(runs, images, variant, seed):
    model = runs(variant).model()
    whole = model.encode(images, seed=seed, **told(variant, 100))
    part = model.encode(images[:70], seed=seed, **told(variant, 70))
    torch.testing.assert_close(part, whole[:70], rtol=0, atol=0)
    assert model.encode(images[:0], seed=seed, **told(variant, 0)).shape == (0, model.prior.dim)


@every_variant
def test_bytes_and_floats_have_the_same_codes(runs, images, variant):
    model, some = runs(variant).model(), told(variant, 100)
    torch.testing.assert_close(model.encode(to_uint8(images), **some), model.encode(images, **some))


@every_variant
def test_samples_are_decoded_from_the_prior_and_depend_on_seed_and_place_alone(runs, variant):
    model = runs(variant).model()
    ten = model.sample(10, seed=1)
    torch.testing.assert_close(ten, model.decode(model.latents(10, seed=1)), rtol=0, atol=0)
    torch.testing.assert_close(model.sample(70, seed=1)[:10], ten, rtol=0, atol=0)


@every_variant
def test_a_saved_model_encodes_and_decodes_as_before(runs, images, variant, tmp_path):
    model = runs(variant).model()
    again = adv.load(model.save(tmp_path / "model"))
    some = told(variant, 100)
    torch.testing.assert_close(again.encode(images, **some), model.encode(images, **some), rtol=0, atol=0)
    torch.testing.assert_close(again.sample(5, seed=0), model.sample(5, seed=0), rtol=0, atol=0)
    assert again.contents == model.contents


@every_variant
def test_the_prior_of_codes_has_the_moments_of_its_samples(runs, variant):
    model, n = runs(variant).model(), 20_000
    z = model.latents(n, seed=0).double()
    covariance = model.prior.covariance
    off = (z.mean(0) - model.prior.mean).abs() / (covariance.diagonal() / n).sqrt().clamp_min(1e-9)
    assert off.max() < 5  # false alarm below 1e-5
    torch.testing.assert_close(torch.cov(z.T), covariance, rtol=0.1, atol=0.05 * covariance.diagonal().max().item())


@every_variant
def test_samples_of_an_autoencoder_are_measured_as_those_of_any_model(runs, images, variant):
    model = runs(variant).model()
    scores = adv.evaluate(model, against=images, metrics=("kid",), features="pixels", samples=64, seed=0)
    assert math.isfinite(scores["kid"].value)


# --- chance ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", ["vae", "aae"])
def test_codes_are_without_chance_unless_a_seed_is_given(runs, images, variant):
    model = runs(variant).model()
    still = model.encode(images)
    torch.testing.assert_close(model.encode(images), still, rtol=0, atol=0)
    drawn = model.encode(images, seed=1)
    assert torch.equal(drawn, still) == (variant == "aae")  # whose posterior is deterministic


def test_the_code_without_chance_is_the_mean_of_a_gaussian_posterior(runs, images):
    model = runs("vae").model()
    x = images[:8]
    drawn = torch.stack([model.encode(x, seed=seed) for seed in range(400)]).double()
    off = (drawn.mean(0) - model.encode(x)) / (drawn.std(0) / math.sqrt(400))
    assert off.abs().max() < 5


# --- contents ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", FINDING)
def test_contents_are_probabilities_and_clusters_the_most_probable(runs, images, variant):
    model = runs(variant).model()
    q = model.classify(images)
    assert q.shape == (100, len(model.contents.names))
    torch.testing.assert_close(q.sum(1), torch.ones(100))
    assert torch.equal(model.cluster(images), q.argmax(1))


def test_a_code_is_made_of_content_and_style(runs, images):
    for variant in ("semisupervised", "clustering"):
        model = runs(variant).model()
        torch.testing.assert_close(model.encode(images), torch.cat([model.classify(images), model.style(images)], 1))
        assert isinstance(model.prior, Product)
        assert isinstance(model.prior.factors[0], Categorical)
    model = runs("supervised").model()
    labels = torch.arange(100) % 10
    codes = model.encode(images, labels=labels)
    torch.testing.assert_close(codes, torch.cat([one_hot(labels, 10, like=codes), model.style(images)], 1))


def test_a_reduced_code_lies_about_its_head(runs, images):
    model = runs("reducing").model()
    heads = model.heads.vectors
    torch.testing.assert_close(model.encode(images), model.classify(images) @ heads + model.style(images))
    assert isinstance(model.prior, Mixture)
    torch.testing.assert_close(torch.tensor(model.prior.centres), heads)


@pytest.mark.parametrize(
    ("variant", "source"),
    [("supervised", "told"), ("semisupervised", "learnt"), ("clustering", "found"), ("reducing", "learnt")],
)
def test_it_is_known_where_contents_come_from(runs, variant, source):
    contents = runs(variant).model().contents
    assert contents.source == source
    assert contents.names == (("1", "2", "3") if source == "found" else tuple("0123456789"))


@pytest.mark.parametrize("variant", WITH_CONTENTS)
def test_generated_samples_are_of_the_contents_and_styles_asked_for(runs, variant):
    model = runs(variant).model()
    style = model.styles(6, seed=4)
    label = torch.tensor([0, 1, 2, 0, 1, 2])
    made = model.generate(label=label, style=style)
    content = one_hot(label, len(model.contents.names), like=style)
    codes = torch.cat([content, style], 1) if model.heads is None else model.heads(content) + style
    torch.testing.assert_close(made, model.decode(codes), rtol=0, atol=0)
    torch.testing.assert_close(model.generate(label=2, style=style)[5], made[5])
    torch.testing.assert_close(model.generate(label=label, seed=4), made)
    torch.testing.assert_close(model.generate(label=[0, 1], style=style[0])[0], made[0])
    assert model.generate(label=1).shape == (1, 1, 8, 8)


# --- likelihood --------------------------------------------------------------------------------------------------


def test_the_bound_is_that_of_its_definition_and_does_not_depend_on_the_batch(runs, images):
    from adversaria.randomness import generator_for

    model = runs("vae").model()
    bound = model.evidence(images, k=4, seed=2)
    assert (bound.shape, bound.dtype) == ((100,), torch.float64)
    torch.testing.assert_close(model.evidence(images[:70], k=4, seed=2), bound[:70], rtol=0, atol=0)
    noise = torch.randn(4, 64, 2, generator=generator_for(2, "evidence", 0))
    weights = log_weights(model.encoder, model.generator, model.likelihood, model.style_prior, images[:64], noise)
    torch.testing.assert_close(bound[:64], importance_weighted(weights))
    better = model.evidence(images, k=64, seed=3)
    assert better.mean() > bound.mean()  # in expectation, and here by many standard errors


# --- what cannot be done -----------------------------------------------------------------------------------------


@every_variant
def test_samples_of_another_shape_are_refused(runs, variant):
    model = runs(variant).model()
    for wrong in (torch.zeros(2, 1, 9, 9), torch.zeros(2, 3, 8, 8), torch.zeros(1, 8, 8), torch.zeros(2, 64)):
        with pytest.raises(ModelError, match=r"encodes samples of shape \(n, 1, 8, 8\), got"):
            model.style(wrong)
    with pytest.raises(ModelError, match=rf"have shape \(n, {model.prior.dim}\), got \(3, 99\)"):
        model.decode(torch.zeros(3, 99))


@pytest.mark.parametrize("variant", ["vae", "aae", "aae-labels"])
def test_without_contents_there_is_none_to_choose_or_to_find(runs, images, variant):
    model = runs(variant).model()
    with pytest.raises(ModelError, match="without contents"):
        model.generate(label=1)
    for method in (model.classify, model.cluster):
        with pytest.raises(ModelError, match="finds no classes or clusters"):
            method(images)
    with pytest.raises(ModelError, match="leave labels out"):
        model.encode(images, labels=1)


def test_told_labels_must_be_told_and_found_ones_must_not(runs, images):
    model = runs("supervised").model()
    with pytest.raises(ModelError, match="must be told the labels"):
        model.encode(images)
    with pytest.raises(ModelError, match="finds no classes or clusters"):
        model.classify(images)
    with pytest.raises(ModelError, match="leave labels out"):
        runs("clustering").model().encode(images, labels=1)


@pytest.mark.parametrize("labels", [10, -1, 0.5, [0, 1], torch.zeros(100), torch.zeros(100, dtype=torch.bool)])
def test_labels_out_of_range_are_refused(runs, images, labels):
    with pytest.raises(ModelError, match="labels should be 100 whole numbers from 0 to 9"):
        runs("supervised").model().encode(images, labels=labels)


def test_styles_of_another_size_are_refused(runs):
    model = runs("supervised").model()
    with pytest.raises(ModelError, match=r"expected styles of shape \(2, 2\) for 2 labels, got \(3, 2\)"):
        model.generate(label=[0, 1], style=torch.zeros(3, 2))


def test_a_bound_needs_a_density_of_codes(runs, images):
    for variant in ("aae", "semisupervised"):
        with pytest.raises(ModelError, match="needs a Gaussian posterior"):
            runs(variant).model().evidence(images, k=2, seed=0)


def test_weights_are_those_of_the_average(runs, images):
    run = runs("aae")
    from safetensors.torch import load_file

    tensors = load_file(run.checkpoints()[-1] / "model.safetensors")
    model = run.model()
    for part in ("encoder", "decoder"):
        for name, value in model.parts[part].state_dict().items():
            torch.testing.assert_close(value, tensors[f"average.{part}.{name}"], rtol=0, atol=0)


def test_every_recipe_of_autoencoders_has_been_looked_at():
    kinds = {kind for kind in recipes.Autoencoder.__subclasses__() if kind.__subclasses__() == []}
    kinds |= set(recipes.Adversarial.__subclasses__()) | set(recipes.Categorical.__subclasses__())
    kinds -= {recipes.Adversarial, recipes.Categorical}
    assert len(kinds) == len(VARIANTS) - 1  # one of them twice, with labels and without
