"""Laws of the studies of autoencoders: what is compared differs in what it says alone, and every figure is there."""

from dataclasses import replace

import pytest
import torch

from adversaria import metrics, recipes, reproduce
from adversaria.coding import naming_and_judging
from adversaria.data import load
from adversaria.metrics import extractor
from adversaria.recipes import Images
from adversaria.reproduce import Tier, autoencoders_contents, autoencoders_holes
from adversaria.reproduce.autoencoders import agreement, confidence, model_of, parts_of, sized
from adversaria.runs import Run

SAMPLES = 60


def small(recipe, steps=3):
    """On the small digits, in the features of their own classifier."""
    changes = {
        "data": Images(source="digits", held_out=0.2),
        "evaluation": recipe.evaluation.model_copy(update={"features": "lenet-digits"}),
        "compilation": "never",
    }
    return sized(recipe, 8, steps).model_copy(update=changes)


def played(study, lines, folder, measure=None):
    what = replace(study, tiers={"quick": Tier(tuple(lines), minutes=1)}, measure=measure or study.measure)
    return reproduce.play(what, "quick", folder, device="cpu", quiet=True)


@pytest.fixture(scope="module")
def holes(tmp_path_factory):
    vae, aae = small(recipes.named("mnist-vae")), small(recipes.named("mnist-aae"))
    aae = aae.model_copy(update={"posterior": recipes.GaussianPosterior()})
    floor = reproduce.Floor(autoencoders_holes.REAL, autoencoders_holes.real_digits(vae, SAMPLES), (0,))
    folder = tmp_path_factory.mktemp("holes")
    lines = (*autoencoders_holes.rows(vae, aae, (0,)), floor)
    return folder, played(autoencoders_holes.AAE_VAE, lines, folder, autoencoders_holes.measured(SAMPLES))


def runs(folder):
    return [Run(path) for path in sorted((folder / "runs").iterdir())]


def test_both_methods_are_played_with_the_same_networks_under_each_prior(holes):
    found = {run.path.name: run.recipe for run in runs(holes[0])}
    assert len(found) == 6
    for told in ("2-d", "2-d-mixture", "8-d"):
        vae, aae = (found[f"{name}-{told}-seed0"] for name in ("vae", "aae"))
        for field in ("prior", "encoder", "decoder", "steps", "batch_size", "likelihood", "reconstruction_optimiser"):
            assert getattr(vae, field) == getattr(aae, field)
        assert aae.posterior.kind == "gaussian"
    assert {recipe.prior.kind for recipe in found.values()} == {"normal", "petals"}


def test_every_model_has_every_figure_and_real_digits_those_that_they_can_have(holes):
    columns = {column.key for column in autoencoders_holes.AAE_VAE.columns}
    for row in holes[1].study.tiers["quick"].rows():
        found = set(holes[1].of(row.label)[0].values)
        missing = {"p", "mmd", "misfit", "evidence"} if row.label == autoencoders_holes.REAL else set()
        assert found == columns - missing, row.label


def test_real_digits_are_nearer_to_held_out_ones_than_those_of_models_that_learnt_nothing(holes):
    results = holes[1]
    real = results.of(autoencoders_holes.REAL)[0].values
    for label in ("VAE, 2-D", "AAE, 8-D"):
        values = results.of(label)[0].values
        assert float(real["fid"]) < float(values["fid"])
        assert float(real["parzen"]) > float(values["parzen"])
        assert float(real["confidence"]) > float(values["confidence"])


def test_the_p_value_and_the_distance_are_those_of_the_two_sample_test(holes):
    run = next(run for run in runs(holes[0]) if run.path.name == "aae-8-d-seed0")
    model, real = model_of(run), parts_of(run).held_out
    style = model.style(real.to_float(), seed=0)
    test = metrics.kernel_two_sample_test(style[:1000], model.styles(len(style), seed=0)[:1000], seed=0)
    values = holes[1].of("AAE, 8-D")[0].values
    assert float(values["p"]) == test.value
    assert values["mmd"] == test.protocol["statistic"]


def test_a_classifier_is_sure_of_real_digits_and_agrees_with_their_labels():
    digits = load("digits", held_out=0.2).held_out
    through = extractor("lenet-digits")
    right = metrics.classification_error(through.logits(metrics.extract(through, digits.images)), digits.labels)
    found = agreement(digits.to_float(), digits.labels, "lenet-digits")
    assert found.value == pytest.approx(1 - right.value)
    noise = torch.rand(200, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert confidence(digits, "lenet-digits").value > confidence(noise, "lenet-digits").value + 0.1


# --- contents ----------------------------------------------------------------------------------------------------


def test_errors_of_few_labels_are_those_of_the_model_on_held_out_images(tmp_path):
    recipe = small(recipes.named("mnist-aae-semisupervised"), 30)
    tier = autoencoders_contents.few_labels(recipe, (0,), minutes=1)
    results = played(autoencoders_contents.AAE_SEMISUPERVISED, tier.lines, tmp_path)
    assert [line.recipe.labels.count for line in tier.lines] == [100, 1000]
    run = next(run for run in runs(tmp_path) if run.recipe.labels.count == 100)
    model, held_out = model_of(run), parts_of(run).held_out
    wrong = (model.classify(held_out.to_float()).argmax(1) != held_out.labels).double().mean().item()
    values = results.of("100 labels")[0].values
    assert float(values["error"]) == pytest.approx(100 * wrong)
    assert 0 <= float(values["agreement"]) <= 100


def test_clusters_are_named_by_images_that_do_not_judge_them(tmp_path):
    recipe = small(recipes.named("mnist-aae-clusters"))
    tier = autoencoders_contents.clustered(recipe, (0,), minutes=1)
    results = played(autoencoders_contents.AAE_CLUSTERS, tier.lines, tmp_path)
    assert [line.recipe.clusters for line in tier.lines] == [16, 30]
    run = next(run for run in runs(tmp_path) if run.recipe.clusters == 30)
    model, (naming, judging) = model_of(run), naming_and_judging(parts_of(run))
    mapping = metrics.majority_labels(model.classify(naming.to_float()), naming.labels)
    error = metrics.clustering_error(model.classify(judging.to_float()), judging.labels, mapping)
    assert float(results.of("30 clusters")[0].values["majority"]) == pytest.approx(100 * error.value)
    assert "most confident" in results.of("16 clusters")[0].values


def test_style_is_told_apart_from_content_by_what_digits_are_taken_for(tmp_path):
    row = reproduce.Row("15-D", small(recipes.named("mnist-aae-supervised"), 40))
    values = played(autoencoders_contents.AAE_STYLE, (row,), tmp_path).of("15-D")[0].values
    assert {column.key for column in autoencoders_contents.AAE_STYLE.columns} == set(values)


@pytest.mark.parametrize("study", [s for s in reproduce.STUDIES if s.name.startswith("aae-")], ids=lambda s: s.name)
@pytest.mark.parametrize("tier", ["quick", "full"])
def test_every_tier_is_of_published_recipes_made_longer_or_narrower(study, tier):
    for line, _ in study.tiers[tier].cells():
        if isinstance(line, reproduce.Row):
            known = recipes.named(line.recipe.name)
            assert type(line.recipe) is type(known)
            assert line.recipe.data == known.data
    assert study.tiers["quick"].minutes <= 60
