"""What a run's learning rates watch: whether its samples still come closer to real ones.

Images are compared in the features that the recipe measures in, by the kernel of KID, with as many training images: the
held-out part is kept for measuring, and a decision of training taken by it would make what is measured look too good.
Points are their own features, and are compared by the energy distance, since the cube of KID sees moments up to the
third alone, by which a law of many modes and one without any may agree.

What is sampled is what the run keeps as its model: the average of the generator where there is one. Each score has
latents of its own, by the seed of the run and the step; the test asks for samples that are independent of one another,
and draws from no state that training draws from.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from adversaria import assemble, recipes
from adversaria.data import Splits, ToyLaw
from adversaria.kernels import Energy, Kernel
from adversaria.metrics import extract, extractor, relative_test
from adversaria.metrics.kernel import POLYNOMIAL
from adversaria.monitoring import samples_now
from adversaria.randomness import generator_for, permutation, seed_for
from adversaria.recipes import SampleSpace
from adversaria.training.adaptation import RateTest, Rule, least_factor
from adversaria.training.state import State


class Reference:
    """Real samples and the way to features, made ready once for all runs that are played together.

    Arguments:
        source: of real samples: training images, or a law.
        count: how many, at most.
        features: the name of an extractor of images.
        device: where features are computed.

    Raises:
        MetricError: an unknown extractor, images of a shape that it does not take, or fewer than 3 of them.
    """

    def __init__(self, source: Splits | ToyLaw, count: int, features: str, device: torch.device) -> None:
        self._features: Callable[[Tensor], Tensor]
        self._kernel: Kernel
        if isinstance(source, Splits):
            images, through = source.train, extractor(features, device=str(device))
            real = images.take(permutation(len(images), 0, "rates")[:count].sort().values).images
            self._kernel, self._features = POLYNOMIAL, lambda samples: extract(through, samples)
        else:
            real = source.sample(count, generator=generator_for(0, "rates"))
            self._kernel, self._features = Energy(), lambda samples: samples
        self._real = self._features(real)
        self.p_value(self._real, self._real)  # what cannot be compared is found before training, not after it has begun

    @property
    def count(self) -> int:
        """How many samples there are, and are asked for."""
        return len(self._real)

    def features(self, samples: Tensor) -> Tensor:
        """(n, F) of images (n, C, H, W) in bytes, or of points (n, d)."""
        return self._features(samples)

    def p_value(self, old: Tensor, new: Tensor) -> float:
        """Of "new is no closer to real than old"."""
        return relative_test(self._real, old, new, kernel=self._kernel).value


def reference(recipe: recipes.Recipe, source: assemble.Data, device: torch.device) -> Reference | None:
    """What the samples of a recipe's runs are compared with; None if its rates follow their schedules alone.

    Raises:
        MetricError: as for `Reference`.
    """
    if not isinstance(recipe, recipes.Generative) or recipe.rate_test is None:
        return None
    assert source is not None  # noqa: S101 (what makes samples has data)
    return Reference(source, recipe.rate_test.samples, recipe.evaluation.features, device)


def rate_test(recipe: recipes.Recipe, state: State, space: SampleSpace, against: Reference | None) -> RateTest | None:
    """How a run reconsiders its learning rates; None if it does not."""
    if against is None:
        return None
    assert isinstance(recipe, recipes.Generative)  # noqa: S101 (see reference)
    assert recipe.rate_test is not None  # noqa: S101
    wanted, seed = recipe.rate_test, recipe.seed

    def score() -> Tensor:
        return against.features(samples_now(recipe, state, space, against.count, seed_for(seed, "rates", state.step)))

    rule = Rule(
        lag=wanted.lag,
        level=wanted.level,
        patience=wanted.patience,
        factor=wanted.factor,
        remembered=wanted.remembered,
        least=least_factor(wanted.floor, [descent.rate for descent in state.descents.values()]),
    )
    return RateTest(rule, score, against.p_value)
