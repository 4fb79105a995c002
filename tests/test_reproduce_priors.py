"""Laws of the studies of priors: one recipe, another prior; what walking costs is the difference that it says it is."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from adversaria import assemble, recipes, reproduce
from adversaria.evaluation import evaluate
from adversaria.extractors import train_extractor
from adversaria.interpolating import Ends
from adversaria.metrics import extractor
from adversaria.priors import deviation
from adversaria.reproduce import Tier, priors, priors_cifar10
from adversaria.reproduce.correcting import read_arrays
from adversaria.runs import Run

SAMPLES = 60


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    recipe = priors.sized(recipes.named("digits-dcgan"), 2, 3)
    measure = priors.walking(SAMPLES, lambda run: extractor("lenet-digits"))
    floor = reproduce.Floor(priors.REAL, priors.real_distances(recipe, SAMPLES, lambda: extractor("lenet-digits")))
    tier = Tier((*priors.lines(recipe, (0,), 5), floor), minutes=1)
    folder = tmp_path_factory.mktemp("priors")
    what = replace(priors.PRIORS_MNIST, tiers={"quick": tier}, measure=measure)
    return folder, reproduce.play(what, "quick", folder, device="cpu", quiet=True)


def runs(folder):
    return [Run(path) for path in sorted((folder / "runs").iterdir())]


def test_rows_differ_in_the_prior_and_what_it_needs_alone(digits):
    found = runs(digits[0])
    assert len(found) == 9
    rest = [run.recipe.model_dump(exclude={"prior": True, "generator": {"input"}}) for run in found]
    assert all(one == rest[0] for one in rest)
    assert [run.recipe.prior.kind for run in found if run.recipe.generator.input == "arctan"] == ["cauchy"]


def test_each_deviation_is_played_by_more_than_one_law():
    own = {label: deviation(assemble.prior(prior)) for label, prior in priors.priors_of(100).items()}
    assert own["Cauchy"] is None
    assert own["non-parametric"] == pytest.approx(priors.OWN, rel=1e-3)
    for label, value in own.items():
        if "σ" in label:
            assert value == pytest.approx(float(label.rpartition("= ")[2]), rel=3e-3)


def test_the_loss_is_that_of_the_images_it_names(digits):
    run = next(run for run in runs(digits[0]) if run.recipe.prior.kind == "normal" and not run.recipe.prior.deviation)
    values = digits[1].of("normal")[0].values
    trained, held_out = run.model(), run.data().held_out
    ends = Ends.of(trained, SAMPLES, seed=0)

    def kid(z):
        return float(evaluate(trained.decode(z), against=held_out, features="lenet-digits", seed=0)["kid"])

    assert torch.equal(trained.decode(ends.a), trained.sample(SAMPLES, seed=0))
    assert float(values["kid"]) == pytest.approx(kid(ends.a), rel=1e-9)
    middle = 0.5 * (ends.a + ends.b)
    assert values["loss/mid"] == pytest.approx(kid(middle) - kid(ends.a), rel=1e-6)
    assert values["loss/matched"] == pytest.approx(kid(middle * 2**0.5) - kid(ends.a), rel=1e-4)


def test_every_row_has_every_figure_that_it_can_have(digits):
    results = digits[1]
    for label in priors.priors_of(5):
        values = results.of(label)[0].values
        assert {column.key for column in priors.COLUMNS} <= set(values)
        assert float(values["score"]) >= 1
    cauchy = results.of("Cauchy")[0].values
    assert cauchy["loss/matched"] == cauchy["loss/mid"]  # the line keeps that law, so there is nothing to carry back
    assert results.mean(priors.REAL, "kid").value < min(
        results.mean(label, "kid").value for label in priors.priors_of(5)
    )


def test_lines_pass_through_the_origin(digits):
    run = runs(digits[0])[0]
    strips = read_arrays(run.path / priors.KEPT)["origin"]
    assert strips.shape == (6, 11, 1, 8, 8)
    assert strips.dtype == np.uint8
    assert (strips[:, 5] == strips[0, 5]).all()  # all pass through one point


def test_the_classifier_of_cifar_is_trained_once_and_kept(tmp_path, monkeypatch):
    """Of other images here, which take no minutes."""
    monkeypatch.setenv("ADVERSARIA_CACHE", str(tmp_path))
    monkeypatch.setattr(priors_cifar10, "source", lambda: "digits")
    monkeypatch.setattr(priors_cifar10, "train_extractor", partial(train_extractor, steps=20))
    first = priors_cifar10.features()
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "extractors").iterdir()}
    assert priors_cifar10.features().fingerprint == first.fingerprint
    assert kept == {path: path.stat().st_mtime_ns for path in (tmp_path / "extractors").iterdir()}
    assert first.shape == (1, 8, 8)


def test_the_zip_of_the_data_folder_is_taken_if_it_is_there(tmp_path, monkeypatch):
    monkeypatch.setenv("ADVERSARIA_DATA", str(tmp_path))
    assert priors_cifar10.source() == "cifar10"
    (tmp_path / priors_cifar10.ZIP).touch()
    assert priors_cifar10.source() == str(tmp_path / priors_cifar10.ZIP)
    monkeypatch.delenv("ADVERSARIA_DATA")
    assert priors_cifar10.source() == "cifar10"
