"""The page of a real run, of every kind and in every state it can be found in."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import torch

from adversaria.correction import calibrate_run
from adversaria.data import Splits, to_uint8
from adversaria.randomness import generator_for
from adversaria.report import correcting, write_report
from adversaria.report.gathering import gather
from adversaria.report.material import Images, Points
from adversaria.runs import Run, train
from adversaria.sampling import MetropolisHastings

KINDS = ["ring", "digits", "bilinear", "classifier"]


@pytest.fixture(scope="module")
def played(tiny, tmp_path_factory):
    """`played(name, **changes)`: a finished run of a tiny recipe, played once."""
    made = {}

    def play(name, **changes):
        key = json.dumps([name, changes], sort_keys=True)
        if key not in made:
            folder = tmp_path_factory.mktemp(name) / "run"
            made[key] = train(tiny(name, **changes), folder, device="cpu", quiet=True)
        return made[key]

    return play


@pytest.fixture
def copied(played, tmp_path):
    """`copied(name, **changes)`: the same in a folder that may be damaged."""

    def copy(name, **changes):
        return Run(shutil.copytree(played(name, **changes).path, tmp_path / "run"))

    return copy


# --- every kind --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_run_has_a_page_that_repeats_itself(name, copied):
    run = copied(name)
    path = write_report(run)
    assert path == run.path / "report.html"
    first = path.read_bytes()
    assert len(first) < 1_500_000
    assert run.recipe.name.encode() in first
    assert write_report(run).read_bytes() == first
    assert not list(run.path.glob(".*report*"))  # nothing half-written is left


def test_another_seed_shows_other_samples_and_says_which(copied):
    run = copied("digits")
    assert write_report(run).read_text() != write_report(run, seed=7).read_text()
    assert "--seed 7" in write_report(run, seed=7).read_text()


def test_drawing_a_page_leaves_global_randomness_alone(played, untouched_randomness):
    gather(played("digits"), seed=0)
    gather(played("ring"), seed=0)


# --- images ------------------------------------------------------------------------------------------------------


def test_images_shown_are_the_models_and_the_real_ones_were_held_out(played):
    run = played("digits")
    model, splits, shown = run.model(), run.data(), gather(run, seed=3).shown
    assert isinstance(shown, Images)
    assert isinstance(splits, Splits)
    expected = ((model.sample(64, seed=3) + 1) * 127.5).round().clamp(0, 255).byte()
    np.testing.assert_array_equal(shown.generated, expected.numpy())
    held_out = {image.tobytes() for image in splits.held_out.images.numpy()}
    assert all(image.tobytes() in held_out for image in shown.held_out)


def test_neighbours_shown_are_training_images_at_the_distance_stated(played):
    run = played("digits")
    closest, train_images = gather(run, seed=0).shown.closest, run.data().train.images.numpy()
    assert closest.found.searched == len(train_images)
    gaps = (closest.samples[:, None].astype(float) - train_images[None].astype(float)) ** 2
    best = np.sqrt(gaps.reshape(8, len(train_images), -1).mean(2)).min(1)
    np.testing.assert_array_equal(closest.found.distance[:, 0], best)
    np.testing.assert_array_equal(closest.trained[:, 0], train_images[closest.found.index[:, 0]])


def test_scores_are_the_critics_of_equally_many_images_of_each_group(played):
    run = played("digits")
    shown, model = gather(run, seed=0).shown, run.model()
    held_out = len(run.data().held_out)
    assert {name: len(values) for name, values in shown.scores.items()} == {
        "real, held out": held_out,
        "real, trained on": held_out,
        "generated": held_out,
    }
    fakes = model.scores(model.sample(held_out, seed=0)).mean(1).double()
    np.testing.assert_array_equal(shown.scores["generated"], fakes.numpy())
    all_held_out = model.scores(run.data().held_out.to_float()).mean(1).double()
    np.testing.assert_allclose(np.sort(shown.scores["real, held out"]), np.sort(all_held_out.numpy()), atol=1e-6)


def test_walks_follow_the_prior_from_one_latent_to_another(played):
    run = played("digits")
    model, walks = run.model(), gather(run, seed=0).shown.walks
    ends = model.prior.sample(8, generator=generator_for(0, "report", "walks"))
    for row, walk in enumerate(walks):
        for place, share in ((0, 0.0), (4, 0.5), (8, 1.0)):
            latent = model.prior.interpolate(ends[2 * row], ends[2 * row + 1], share)
            made = ((model.decode(latent[None])[0] + 1) * 127.5).round().clamp(0, 255).byte()
            np.testing.assert_array_equal(walk[place], made.numpy())


def test_a_conditional_model_has_a_row_for_each_class_of_that_class(played):
    run = played("digits", conditional=True)
    shown, held_out = gather(run, seed=0).shown, run.data().held_out
    assert [row.name for row in shown.classes] == list(run.space.classes)
    for k, row in enumerate(shown.classes):
        own = {image.tobytes() for image in held_out.images[held_out.labels == k].numpy()}
        assert all(image.tobytes() in own for image in row.real)
        expected = ((run.model().sample(8, seed=0, y=k) + 1) * 127.5).round().clamp(0, 255).byte()
        np.testing.assert_array_equal(row.generated, expected.numpy())
    assert "By class" in write_report(run).read_text()


# --- laws --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("law", ["ring8", "grid25", "mixture1d", "swiss-roll"])
def test_the_density_shown_is_the_laws_and_the_field_the_critics(law, played):
    run = played("ring", data=law)
    shown, exact, model = gather(run, seed=0).shown, run.data(), run.model()
    assert isinstance(shown, Points)
    if shown.at is None:
        left, right, bottom, top = shown.view
        cell = (right - left) * (top - bottom) / shown.density.size
        corner = [[left + (right - left) / 240, top - (top - bottom) / 240]]  # of the critic's upper left cell
        score = model.scores(torch.tensor(corner, dtype=torch.float32)).mean().item()
        assert shown.critic[-1, 0] == pytest.approx(score, abs=1e-5)
    else:
        cell = float(shown.at[1] - shown.at[0])
        at = torch.tensor(shown.at[:, None])
        np.testing.assert_allclose(shown.density, exact.log_prob(at.float()).exp().numpy(), rtol=1e-4, atol=1e-9)
    # A frame that holds 10,000 points with a margin holds all but some thousandths of the law.
    assert shown.density.sum() * cell == pytest.approx(1, abs=0.02)


def test_points_are_counted_by_mode(played):
    shown = gather(played("ring"), seed=0).shown
    assert shown.counts.sum() == len(shown.generated) == len(shown.real) == 10_000
    distances = np.linalg.norm(shown.generated[:, None] - shown.modes[None], axis=2)
    np.testing.assert_array_equal(shown.counts, np.bincount(distances.argmin(1), minlength=8))
    assert [estimate["name"] for estimate in shown.coverage][:3] == ["modes", "high_quality", "divergence"]


# --- before and after --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["digits", "ring"])
def test_corrected_samples_are_those_of_the_chain_the_page_describes(name, played):
    run = played(name)
    made, model = gather(run, seed=3), run.model()
    found = made.corrected.diagnostics
    ratio = calibrate_run(run, method="isotonic", seed=3)
    draws = MetropolisHastings(model, ratio, chain_length=found["chain_length"]).run(found["samples"], seed=3)
    before = model.sample(found["samples"], seed=3)
    for shown, samples in ((made.corrected.after, draws.samples), (made.corrected.before, before)):
        expected = to_uint8(samples).numpy() if name == "digits" else samples.double().numpy()
        np.testing.assert_array_equal(shown, expected[: len(shown)])
    np.testing.assert_array_equal(made.corrected.positions, draws.diagnostics.positions.numpy())
    scores = model.scores(draws.samples).mean(1).double()
    np.testing.assert_array_equal(made.corrected.scores["corrected"], scores.numpy())
    assert made.corrected.calibrated == ratio.diagnosis
    assert found["calibration"].startswith("isotonic")


def test_real_samples_whose_scores_are_compared_were_held_out(played):
    run = played("digits")
    found = np.sort(gather(run, seed=0).corrected.scores["real"])
    all_held_out = np.sort(run.model().scores(run.data().held_out.to_float()).mean(1).double().numpy())
    np.testing.assert_allclose(found, all_held_out, atol=1e-6)


def test_modes_are_counted_before_and_after(played):
    made = gather(played("ring"), seed=0).corrected
    modes = played("ring").data().modes.numpy()
    for name, points in (("generated", made.before), ("corrected", made.after)):
        nearest = np.linalg.norm(points[:, None] - modes[None], axis=2).argmin(1)
        np.testing.assert_array_equal(made.counts[name], np.bincount(nearest, minlength=8))


def test_chains_keep_to_the_budget_of_a_page(played):
    run = played("digits")
    proposals = correcting.affordable(run.model())
    spent = gather(run, seed=0).corrected.diagnostics
    assert spent["samples"] * spent["chain_length"] <= proposals <= correcting.PROPOSALS


def test_work_is_what_convolutions_and_products_take(played, monkeypatch):
    model = played("ring").model()  # 2 → 8 → 8 → 2 and 2 → 8 → 8 → 1, a multiplication and an addition for each weight
    linear = [layer for part in (model.generator, model.critic) for layer in part.modules() if hasattr(layer, "weight")]
    work = sum(2 * layer.weight.numel() for layer in linear)
    monkeypatch.setattr(correcting, "WORK", work * 21_000.0)
    assert correcting.affordable(model) == 1_000


def test_a_model_too_large_for_the_page_is_not_corrected_and_the_page_says_so(played, monkeypatch):
    monkeypatch.setattr(correcting, "WORK", 1e6)
    made = gather(played("digits"), seed=0)
    assert made.corrected is None
    assert "would take minutes" in made.uncorrected


def test_without_images_to_calibrate_on_the_page_says_so(played):
    data = {"kind": "images", "source": "digits", "held_out": 0.2, "calibration": 0.0}
    run = played("digits", data=data)
    made = gather(run, seed=0)
    assert made.corrected is None
    assert made.uncorrected.startswith("The samples cannot be corrected: the run kept 0 image(s)")
    assert str(run.path) not in made.uncorrected


def test_a_conditional_model_is_not_corrected_and_the_page_says_so(played):
    made = gather(played("digits", conditional=True), seed=0)
    assert made.corrected is None
    assert "class by class" in made.uncorrected


@pytest.mark.parametrize("name", ["bilinear", "classifier"])
def test_a_game_without_a_generator_has_no_such_section(name, copied):
    assert "Before and after" not in write_report(copied(name)).read_text()


# --- unfinished and damaged --------------------------------------------------------------------------------------


def test_an_interrupted_run_says_where_it_stopped(copied, tiny):
    run = copied("digits")
    facts = json.loads((run.path / "recipe.json").read_text())
    facts["recipe"]["steps"] = 4000
    (run.path / "recipe.json").write_text(json.dumps(facts))
    text = write_report(run).read_text()
    assert "Stopped at step 4 of 4,000." in text
    assert "adversaria resume" in text


def test_a_run_without_a_checkpoint_has_a_page(copied):
    run = copied("digits")
    shutil.rmtree(run.path / "checkpoints")
    shutil.rmtree(run.path / "samples")
    (run.path / "events.jsonl").unlink()
    assert "There is no checkpoint yet" in write_report(run).read_text()


@pytest.mark.parametrize("name", ["digits", "ring"])
def test_a_diverged_generator_has_a_page(name, copied, monkeypatch):
    run = copied(name)
    model = run.model()
    for parameter in model.generator.parameters():
        parameter.fill_(float("nan"))
    monkeypatch.setattr(Run, "model", lambda self, **options: model)
    assert "of its first 64 samples 64 are not finite" in write_report(run).read_text()


def test_a_run_whose_data_has_gone_still_shows_its_samples(copied):
    run = copied("digits")
    facts = json.loads((run.path / "recipe.json").read_text())
    facts["recipe"]["data"]["source"] = str(run.path / "moved")
    (run.path / "recipe.json").write_text(json.dumps(facts))
    made = gather(run, seed=0)
    assert made.shown.held_out is None
    assert "The data cannot be read" in made.notes[0]
    assert made.uncorrected == ""
    assert "Generated" in write_report(run).read_text()


def test_data_that_has_changed_is_noted(copied):
    run = copied("digits")
    assert gather(run, seed=0).notes == []
    facts = json.loads((run.path / "recipe.json").read_text())
    facts["data"]["fingerprint"] = "0" * 64
    (run.path / "recipe.json").write_text(json.dumps(facts))
    assert "fingerprint differs" in gather(run, seed=0).notes[0]


def test_nothing_held_out(played):
    data = {"kind": "images", "source": "digits", "held_out": 0.0}
    shown = gather(played("digits", data=data), seed=0).shown
    assert shown.held_out is None
    assert shown.closest.usual is None
    assert set(shown.scores) == {"generated", "real, trained on"}


def test_one_step(played):
    run = played("digits", steps=1)
    assert "Trained for 1 step" in write_report(run).read_text()


def test_evaluations_of_the_command_line_are_understood(copied):
    from adversaria.cli.measuring import Protocol, measure

    run = copied("digits")
    for measurement in measure(run, Protocol(features="pixels", samples=100), floor=True):
        assert dataclasses.is_dataclass(measurement.scores)
    text = write_report(run).read_text()
    assert "Real samples score" in text
    assert text.count('<td class="number">FID</td>') == 2
