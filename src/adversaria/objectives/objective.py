"""What every objective offers, the one check of scores that they share, and what objectives of single scores share."""

from typing import ClassVar, Protocol

from torch import Tensor


class Objective(Protocol):
    """What a critic and a generator play for, as pure functions of the critic's raw scores.

    Scores are (B, k), floating: k scores for each of B samples. Most objectives average over both; a discrepancy
    takes them for one point in k dimensions. Real and fake batches may differ in size unless the objective says
    otherwise.
    """

    generator_needs_real: ClassVar[bool]
    """Whether `generator_loss` looks at the scores of real samples. If not, they need not be computed: pass None."""

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """What the critic descends, ()."""
        ...

    def generator_loss(self, real: Tensor | None, fake: Tensor) -> Tensor:
        """What the generator descends, ()."""
        ...

    def witness(self, at: Tensor, real: Tensor, fake: Tensor) -> Tensor:
        """The function of a sample that tells reals from fakes, at samples with the scores `at` (T, k): (T, ·).

        It is what a penalty on the slope looks at. Differentiable in all arguments.

        Arguments:
            at: (T, k).
            real, fake: (m, k), (n, k), scores of the batches that the function is of, if it is of any.
        """
        ...

    def optimal_critic(self, log_ratio: Tensor) -> Tensor:
        """The scores D* that minimise `critic_loss`, as a function of log p_data/p_model, of the same shape.

        Raises:
            ValueError: the objective has none that depends on the ratio alone.
        """
        ...


class Scored:
    """Objectives that average a function of single scores: the scores themselves are what tells reals from fakes."""

    def witness(self, at: Tensor, real: Tensor, fake: Tensor) -> Tensor:
        """`at` as it is, whatever the batches: (T, k)."""
        return at


def check_scores(real: Tensor | None, fake: Tensor) -> None:
    """Scores must be (B, k) with a common k and at least one sample, or broadcasting would average the wrong thing.

    Raises:
        ValueError: they are not; says what came.
    """
    for name, scores in (("real", real), ("fake", fake)):
        if scores is not None and (scores.ndim != 2 or not scores.numel() or not scores.is_floating_point()):
            raise ValueError(
                f"expected {name} scores of shape (B, k), floating, B and k at least 1; "
                f"got {tuple(scores.shape)} {scores.dtype}"
            )
    if real is not None and real.shape[1] != fake.shape[1]:
        raise ValueError(
            f"expected as many scores per real sample as per fake, got {tuple(real.shape)} and {tuple(fake.shape)}"
        )
