"""Running averages."""

from adversaria import recipes
from adversaria.games.game import Game
from adversaria.training.average import Average


def averages(config: recipes.Averaging | None, game: Game) -> dict[str, Average]:
    """Averages of the players of which the game keeps one; none if the recipe wants none."""
    if config is None:
        return {}
    return {n: Average(game.players[n], halflife=config.halflife, rampup=config.rampup) for n in game.averaged}
