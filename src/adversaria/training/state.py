"""All that the next step depends on, and nothing else.

The draws and the data of step t are functions of (seed, t), so beside weights and optimisers the step number is the
whole state. Only the process's global random state is carried along, for layers such as dropout that draw from it.
"""

from dataclasses import dataclass, field

from adversaria.games.game import Game
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
    """

    game: Game
    descents: dict[str, Descent]
    averages: dict[str, Average] = field(default_factory=dict)
    steps: int = 1
    step: int = 0
    seconds: float = 0.0

    def __post_init__(self) -> None:
        needed = {name for phase in self.game.phases for name in phase.descents}
        if missing := needed - set(self.descents):
            raise ValueError(f"no descent for {sorted(missing)}; there are {sorted(self.descents)}")
