"""min_x max_y x·y has one solution and closed forms for five ways of missing or finding it."""

import math

import numpy as np
import pytest
import torch

from adversaria import assemble, recipes
from adversaria.recipes import SampleSpace
from adversaria.training.eager import Eager
from adversaria.training.feed import NoFeed
from adversaria.training.loop import deal

PLAYS = ("simultaneous", "alternating", "extragradient", "optimistic", "historical-averaging")

# Radii from (1, 1) at rate 0.1 (and weight 0.1), as computed apart from this code.
PUBLISHED = {
    "simultaneous": {100: 2.326, 500: 17.0, 2000: 29641},
    "extragradient": {100: 0.860, 500: 0.118, 2000: 6.8e-5},
    "optimistic": {100: 0.860, 500: 0.113, 2000: 5.6e-5},
    "historical-averaging": {100: 0.44, 500: 0.008, 2000: 0.0023},
}


def played(play, steps, *, rate=0.1, start=(1.0, 1.0), weight=0.1):
    """Positions (steps + 1, 2), the first one at the start."""
    pulled = play == "historical-averaging"
    recipe = recipes.Bilinear(
        name="b",
        steps=steps,
        play="simultaneous" if pulled else play,
        rate=rate,
        start=start,
        historical_averaging=weight if pulled else None,
    )
    state = assemble.state(recipe, SampleSpace(shape=()), torch.device("cpu"))
    form, feed = Eager(state), NoFeed()
    path = [start]
    for step in range(steps):
        form.play(deal(state.game, feed, 0, step, state.steps))
        path.append(tuple(player().item() for player in state.game.players.values()))
    assert all(player().dtype == torch.float64 for player in state.game.players.values())
    return np.array(path)


@pytest.mark.parametrize("play", PUBLISHED)
def test_radii_are_the_published_ones(play):
    radius = np.hypot(*played(play, 2000).T)
    for step, expected in PUBLISHED[play].items():
        digits = len(f"{expected:g}".split("e")[0].replace(".", "").lstrip("0"))
        assert float(f"{radius[step]:.{digits}g}") == pytest.approx(expected, rel=1e-9), (play, step, radius[step])


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.5])
@pytest.mark.parametrize("start", [(1.0, 1.0), (-0.3, 2.0)])
def test_closed_forms(rate, start):
    first, steps = math.hypot(*start), np.arange(201)
    # z' = (1 − ηJ)z with J the quarter turn; and z' = (1 − ηJ(1 − ηJ))z = (1 − η² − ηJ)z.
    simultaneous = np.hypot(*played("simultaneous", 200, rate=rate, start=start).T)
    np.testing.assert_allclose(simultaneous, first * (1 + rate**2) ** (steps / 2), rtol=1e-12)
    extragradient = np.hypot(*played("extragradient", 200, rate=rate, start=start).T)
    np.testing.assert_allclose(extragradient, first * (1 - rate**2 + rate**4) ** (steps / 2), rtol=1e-12)


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.5])
def test_alternating_keeps_an_ellipse(rate):
    x, y = played("alternating", 2000, rate=rate, start=(1.0, 1.0)).T
    # The step is a shear of each axis in turn, which keeps this quadratic form.
    kept = x**2 + y**2 - rate * x * y
    np.testing.assert_allclose(kept, kept[0], rtol=1e-11)
    assert 1.2 < np.hypot(x, y)[-100:].max() < 1.7 / math.sqrt(1 - rate / 2)


def test_optimistic_is_its_recursion():
    z, last, path = 1 + 1j, None, [1 + 1j]  # z = x + iy; its gradient field (y, −x) is −i z
    for _ in range(300):
        gradient = -1j * z
        z, last = z - 0.1 * (2 * gradient - (gradient if last is None else last)), gradient
        path.append(z)
    np.testing.assert_allclose(played("optimistic", 300) @ [1, 1j], path, rtol=1e-11)


def test_historical_averaging_is_its_recursion():
    past, z = [1 + 1j], 1 + 1j
    for _ in range(300):
        z = z - 0.05 * (-1j * z + 2 * 0.3 * (z - np.mean(past)))
        past.append(z)
    ours = played("historical-averaging", 300, rate=0.05, weight=0.3) @ [1, 1j]
    np.testing.assert_allclose(ours, past, rtol=1e-10)


@pytest.mark.parametrize("play", PLAYS)
def test_equilibrium_stays(play):
    assert not played(play, 20, start=(0.0, 0.0)).any()


@pytest.mark.parametrize("play", [play for play in PLAYS if play != "alternating"])
def test_the_game_is_the_same_after_a_quarter_turn(play):
    """Under (x, y) → (−y, x) the players swap roles; alternating play singles out x, who moves first."""
    path, turned = played(play, 50, start=(0.7, 0.2)), played(play, 50, start=(-0.2, 0.7))
    np.testing.assert_allclose(turned, path @ np.array([[0, 1], [-1, 0]]), atol=1e-15)
