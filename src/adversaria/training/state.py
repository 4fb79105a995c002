"""All that the next step depends on, and nothing else.

The draws and the data of step t are functions of (seed, t), so beside weights and optimisers, and where the rule stands
that lowers learning rates, the step number is the whole state. Only the process's global random state is carried along,
for layers such as dropout that draw from it.
"""

from dataclasses import dataclass, field

from adversaria.games.game import Game
from adversaria.training.adaptation import Standing
from adversaria.training.average import Average
from adversaria.training.optimisers import Descent


@dataclass
class State:
    """A game under way.

    Arguments:
        game: its players hold the weights.
        descents: how each player that moves descends, by PLAYER, or PLAYER/ROLE where it moves in several roles.
        averages: running averages, for the players in `game.averaged`.
        steps: planned rounds; schedules refer to it.
        step: rounds played.
        seconds: time spent playing, over all sessions.
        standing: of the rule that lowers the learning rates; a run without one stands at its beginning.
    """

    game: Game
    descents: dict[str, Descent]
    averages: dict[str, Average] = field(default_factory=dict)
    steps: int = 1
    step: int = 0
    seconds: float = 0.0
    standing: Standing = field(default_factory=Standing)

    def __post_init__(self) -> None:
        needed = {name for phase in self.game.phases for name in phase.descents}
        if missing := needed - set(self.descents):
            raise ValueError(f"no descent for {sorted(missing)}; there are {sorted(self.descents)}")

    def set_rates(self) -> None:
        """Set the rate of each player for the round that is to be played."""
        for descent in self.descents.values():
            descent.set_rate(self.step / self.steps, self.standing.factor)
