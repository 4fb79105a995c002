"""A small classifier learns digits, and its log tells the truth about it."""

import math

import pytest
import torch

import adversaria as adv
from adversaria import assemble
from adversaria.errors import RecipeError
from adversaria.training.checkpoint import read_tensors
from adversaria.training.eager import Eager
from adversaria.training.loop import deal


@pytest.mark.usefixtures("untouched_randomness")
def test_it_learns_digits(tmp_path):
    changes = {"steps": 250, "width": 8, "checkpoint_every": 250, "optimiser.rate": 5e-3, "compilation": "never"}
    run = adv.train("lenet-digits", tmp_path / "run", changes=changes, quiet=True, device="cpu")
    losses = [line["phases"]["classify"]["loss"] for line in run.events()]
    assert losses[0] < 1.5 * math.log(10)
    assert losses[-1] < 0.3 < losses[0]
    source = run.data()
    network = next(iter(assemble.state(run.recipe, run.space, torch.device("cpu")).game.players.values()))
    weights = read_tensors(run.checkpoints()[-1] / "model.safetensors")
    network.load_state_dict({name.removeprefix("classifier."): value for name, value in weights.items()})
    with torch.no_grad():
        found = network(source.held_out.to_float()).argmax(1)
    # 359 digits that it never saw; chance is 0.1.
    assert float((found == source.held_out.labels).float().mean()) > 0.9


def test_loss_and_accuracy_are_those_of_the_moved_images(tiny):
    recipe = tiny("classifier", shift=2)
    source = assemble.data_of(recipe)
    state = assemble.state(recipe, assemble.space_of(source), torch.device("cpu"))
    [(batch, draws)] = deal(state.game, assemble.feed(recipe, source, torch.device("cpu")), 0, 0, state.steps)
    assert draws["offset"].abs().max() == 2
    moved = torch.full((16, 1, 12, 12), -1.0)
    for i, (down, right) in enumerate(draws["offset"].tolist()):
        moved[i, :, 2 + down : 10 + down, 2 + right : 10 + right] = batch.real[i]
    with torch.no_grad():
        logits = state.game.players["classifier"](moved[:, :, 2:10, 2:10])
    report = Eager(state).play([(batch, draws)])["classify"]
    expected = -logits.log_softmax(1)[torch.arange(16), batch.label].mean()
    torch.testing.assert_close(report["loss"], expected)
    assert float(report["accuracy"]) == float((logits.argmax(1) == batch.label).float().mean())


def test_it_needs_classes(tiny):
    with pytest.raises(RecipeError, match="a classifier needs labelled data"):
        assemble.state(tiny("classifier"), adv.recipes.SampleSpace(shape=(1, 8, 8)), torch.device("cpu"))
