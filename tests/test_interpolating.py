"""Laws of measured walks: what is measured is what is named, walks that keep a law cost nothing, and records last."""

import json
import math

import numpy as np
import pytest
import torch

import adversaria as adv
from adversaria import interpolating
from adversaria.cli import main
from adversaria.errors import MetricError, RunError
from adversaria.interpolating import Ends, Walked, Yardstick, strips, through_the_origin, walked, walks_of
from adversaria.metrics import Custom, extractor
from adversaria.model import Model
from adversaria.priors import Cauchy, Linear, Matched, Mixture, Nonparametric, Normal, Product, Scaled, Uniform


class Shown(torch.nn.Module):
    """A generator that shows its latent: image = latent/8."""

    def __init__(self):
        super().__init__()
        self.unit = torch.nn.Parameter(torch.tensor(0.125))

    def forward(self, z):
        return (self.unit * z).clamp(-1, 1)[:, None, None, :]


@pytest.fixture
def shower(tiny):
    """`shower(prior)`: a model that shows its latents, in images of one row."""

    def make(prior):
        recipe = tiny("digits")
        space = adv.recipes.SampleSpace(shape=(1, 1, prior.dim))
        return Model(
            generator=Shown().eval(), critic=torch.nn.Identity(), prior=prior, recipe=recipe, space=space, step=7
        )

    return make


ROW = Custom(lambda x: 8 * x.flatten(1), name="row")


def yardstick(model, seed=99):
    """Of the law that the model itself has."""
    return Yardstick.of(ROW, model.sample(3_000, seed=seed))


def test_known_walks_are_those_with_a_map():
    assert list(walks_of(Nonparametric(2))) == ["linear", "spherical", "matched"]
    for without in (Mixture.ring(3), Product(Normal(1), Mixture.ring(3)), Scaled(Mixture.ring(3), 2.0)):
        assert list(walks_of(without)) == ["linear", "spherical"]


def test_ends_depend_on_seed_and_place_alone(shower):
    model = shower(Normal(6))
    few, many = Ends.of(model, 10, seed=3), Ends.of(model, 100, seed=3)
    assert torch.equal(few.a, many.a[:10])
    assert torch.equal(few.b, many.b[:10])
    assert torch.equal(few.a, model.latents(10, seed=3))
    both = torch.cat([many.a.flatten(), many.b.flatten()])
    assert torch.corrcoef(torch.stack([many.a.flatten(), many.b.flatten()]))[0, 1].abs() < 5 / math.sqrt(600)
    assert both.unique().numel() == both.numel()


@pytest.mark.parametrize("prior", [Normal(6), Uniform(6), Nonparametric(6), Cauchy(6)], ids=repr)
def test_what_keeps_the_law_costs_nothing_and_what_does_not_does(prior, shower):
    """False alarm below 1e-4 a case: within four standard errors of both, which share their ends."""
    model = shower(prior)
    found = walked(model, yardstick(model), (0.5,), n=2_000, paths=16, seed=0)
    for name, walk in walks_of(prior).items():
        loss = found.loss(name, 0.5)
        if walk.preserves(prior):
            assert abs(loss.value) < 4 * loss.se
    if isinstance(prior, Normal):
        loss = found.loss("linear", 0.5)
        assert loss.value > 5 * loss.se


def test_path_lengths_of_a_linear_generator_are_known(shower):
    """E |b − a|² = 2d, less what trimming takes; matched at t stretches by the derivative of its map."""
    model = shower(Normal(20))
    found = interpolating.path_length(model, ROW, Linear(), paths=1_600, seed=1)
    assert found.n == (1_600, 0)
    assert abs(found.value - 2 * 20) < 4 * found.se + 0.01 * found.value
    matched = interpolating.path_length(model, ROW, Matched(), paths=1_600, seed=1)
    assert matched.value > found.value


def test_the_prior_is_measured_at_0_and_a_walk_mirrors_itself(shower):
    model = shower(Normal(4))
    found = walked(model, yardstick(model), (0.3,), n=200, paths=16, seed=2)
    assert found.shares == [0.0, 0.3]
    assert {str(found.at(name, 0.0)["kid"]) for name in found.walks} == {str(found.at("linear", 0.0)["kid"])}
    direct = yardstick(model).distances(model.sample(200, seed=2))
    assert found.at("matched", 0.0)["kid"].value == direct["kid"].value


@pytest.mark.parametrize("shares", [(0.6,), (-0.1,), (math.nan,)])
def test_shares_beyond_the_middle_are_refused(shares, shower):
    model = shower(Normal(4))
    with pytest.raises(MetricError, match=r"lie in \[0, 0\.5\]"):
        walked(model, yardstick(model), shares, n=50, paths=16, seed=0)


def test_records_are_read_back(shower):
    model = shower(Normal(4))
    found = walked(model, yardstick(model), (0.5,), n=50, paths=16, seed=0)
    assert Walked.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_strips_begin_and_end_at_the_ends_and_pass_the_origin(shower):
    model = shower(Normal(4))
    ends, shares = Ends.of(model, 3, seed=0), torch.linspace(0, 1, 5)
    shown = strips(model, Matched(), ends, shares)
    assert shown.shape == (3, 5, 1, 1, 4)
    assert torch.allclose(shown[:, 0], model.decode(ends.a))
    assert torch.allclose(shown[:, -1], model.decode(ends.b))
    middle = strips(model, Linear(), through_the_origin(model, 3, seed=0), shares)[:, 2]
    assert torch.equal(middle, torch.zeros_like(middle))


# --- the command -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    home = tmp_path_factory.mktemp("walks")
    tiny = ["--compilation", "never", "--generator.width", "4", "--critic.width", "4", "--quiet", "--steps", "3"]
    assert main(["train", "digits-dcgan", "--out", str(home / "digits"), "--conditional", "true", *tiny]) == 0
    assert main(["train", "ring8-mlp", "--out", str(home / "ring"), *tiny]) == 0
    return home


FEW = ("--samples", "40", "--paths", "16", "--quiet")


def test_what_is_printed_is_measured_recorded_and_on_the_page(trained, capsys):
    run = trained / "digits"
    assert main(["interpolate", str(run), *FEW, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    recorded = json.loads((run / interpolating.RECORD).read_text())
    assert recorded == {key: told[key] for key in recorded}
    found = Walked.from_json(recorded)
    model = adv.load(run)
    real = adv.runs.Run(run).data().held_out.images
    ours = Yardstick.of(extractor("lenet-digits"), real)
    middle = Ends.of(model, 40, seed=0).images(model, Matched(), 0.5)
    assert found.at("matched", 0.5)["fid"].value == pytest.approx(ours.distances(middle)["fid"].value, rel=1e-9)
    assert (run / "interpolation.png").stat().st_size > 1_000
    assert main(["interpolate", str(run), *FEW]) == 0
    said = capsys.readouterr().out
    assert str(found.at("linear", 0.5)["kid"]) in said
    assert said.splitlines()[-1] == str(run / "interpolation.png")
    assert main(["report", str(run)]) == 0
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "Kernel distance along walks" in page
    assert str(found.lengths["matched"]) in page
    assert str(found.loss("linear", 0.5)) in page


def test_a_damaged_record_is_said_to_be(trained, capsys):
    run = trained / "digits"
    (run / interpolating.RECORD).write_text('{"places": 3}')
    assert main(["report", str(run)]) == 0
    assert "interpolation.json is damaged" in (run / "report.html").read_text(encoding="utf-8")
    (run / interpolating.RECORD).unlink()
    assert main(["report", str(run)]) == 0
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "Between two latents" in page
    assert "along walks" not in page
    capsys.readouterr()


def test_what_makes_no_images_cannot_be_walked(trained, capsys):
    assert main(["interpolate", str(trained / "ring"), *FEW]) == 2
    assert "makes points" in capsys.readouterr().err
    assert main(["interpolate", str(trained / "digits"), "--samples", "40", "--paths", "3", "--quiet"]) == 2
    assert "path" in capsys.readouterr().err
    with pytest.raises(RunError):
        adv.runs.Run(trained)


def test_pictures_of_images_without_a_walk_are_none_the_worse(shower):
    model = shower(Mixture.ring(4))
    found = walked(model, yardstick(model), (0.5,), n=40, paths=16, seed=0)
    assert found.walks == ["linear", "spherical"]
    assert np.isfinite(found.loss("linear", 0.5).value)
