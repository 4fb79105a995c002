"""Six objectives in the same game: nothing changes but what the two players play for."""

from adversaria.recipes import (
    GAN,
    Hinge,
    LeastSquares,
    Minimax,
    NonSaturating,
    Relativistic,
    Wasserstein,
)
from adversaria.recipes.objectives import Objective
from adversaria.recipes.toys import grid25_mlp
from adversaria.reproduce.grid25 import COLUMNS, FLOOR, coverage
from adversaria.reproduce.study import Floor, Row, Study, Tier

_OBJECTIVES = (NonSaturating(), Minimax(), LeastSquares(), Hinge(), Wasserstein(), Relativistic())


def _lines(steps: int, seeds: tuple[int, ...]) -> tuple[Row | Floor, ...]:
    def recipe(objective: Objective) -> GAN:
        changes = {"steps": steps, "objective": objective, "log_every": steps // 50, "sample_every": steps // 5}
        return grid25_mlp().model_copy(update={"name": f"grid25-{objective.kind}", **changes})

    return (*(Row(objective.kind, recipe(objective), seeds, together=True) for objective in _OBJECTIVES), FLOOR)


OBJECTIVES_GRID25 = Study(
    name="objectives-grid25",
    title="Six objectives on twenty-five Gaussians",
    source=(
        "the question of Lucic et al., Are GANs created equal? (2018), https://arxiv.org/abs/1711.10337, on a law "
        "whose modes can be counted; no figure of theirs is comparable"
    ),
    tiers={
        "quick": Tier(_lines(5_000, (0, 1, 2)), minutes=40),
        "full": Tier(_lines(100_000, (0, 1, 2, 3, 4)), minutes=400, machine="one GPU"),
    },
    measure=coverage,
    columns=COLUMNS,
    about=(
        "The players, the penalty (R1, weight 0.1), the optimisers and the number of steps are those of `grid25-mlp` "
        "for all six; none has been tuned for its objective. So this compares the objectives under one setting, not "
        "the best that each can do."
    ),
)
