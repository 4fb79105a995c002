r"""The maximum mean discrepancy of critic features: the critic chooses where to look, a kernel how to compare.

With h the critic, k a kernel, x, x' ~ p_data and y, y' ~ p_model independent,

    MMD²(h) = E k(h(x), h(x')) + E k(h(y), h(y')) − 2 E k(h(x), h(y)),

and of batches x_1..x_m, y_1..y_n, without bias for any sizes,

    M̂ = Σ_{i≠j} k(h(x_i), h(x_j)) / m(m−1) + Σ_{i≠j} k(h(y_i), h(y_j)) / n(n−1) − 2 Σ_ij k(h(x_i), h(y_j)) / mn.

The critic ascends it, the generator descends it. The V-statistic, which keeps i = j and divides by m² and n², exceeds
it by [E k(x, x) − E k(x, x')]/m and the same of the fakes over n: a price on how far fakes are apart, which a
generator can lower by collapsing.

**Integral probability metrics** are sup_{f ∈ F} E f(x) − E f(y) over a class of functions F:

| objective                    | at the best critic of its class  | is it one                           |
|------------------------------|----------------------------------|-------------------------------------|
| `Wasserstein`                | W₁ (slope at most 1)             | yes, F: slope at most 1             |
| `MMD`                        | sup_h MMD(h), squared            | its root: F = ∪_h unit ball of k∘h  |
| `Cramer`, generator          | energy distance of h             | its root, as `MMD(Energy())`        |
| `Cramer`, critic's surrogate | –                                | no; not even a divergence           |
| `Hinge`                      | 2·TV                             | yes at the best critic, F: |f| ≤ 1  |
| all others                   | a function of the density ratio  | no: Jensen-Shannon or Pearson       |

A penalty on the slope in place of a bound makes all of them approximate.

**Unbiased gradients.** With the critic held fixed, the generator's gradient of every objective here is unbiased: each
loss is a U-statistic of the scores. That holds for Wasserstein and the logistic games as well as for MMD and Cramér, so
it is no advantage of the latter. It does *not* imply that training follows the gradient of the distance
sup_h MMD²(h): a critic that was optimised on samples is too good on those samples, sup_h M̂ is on average more than
sup_h MMD², and the gradient of the one is a biased estimate of that of the other, for each of these objectives. Fresh
samples for the generator do not help, since the critic itself is a random one.

Sources: Bińkowski, Sutherland, Arbel & Gretton, Demystifying MMD GANs (2018), https://arxiv.org/abs/1801.01401 (which
corrects what was claimed of biases); Li, Chang, Cheng, Yang & Póczos, MMD GAN (2017),
https://arxiv.org/abs/1705.08584; Gretton, Borgwardt, Rasch, Schölkopf & Smola, A kernel two-sample test (2012),
https://jmlr.org/papers/v13/gretton12a.html
"""

from dataclasses import dataclass
from typing import ClassVar, NoReturn, Protocol

import torch
from torch import Tensor

from adversaria.kernels import Kernel, widened
from adversaria.objectives.objective import check_scores


class KernelRule(Protocol):
    """What chooses a kernel for two batches of features."""

    def kernel(self, real: Tensor, fake: Tensor) -> Kernel:
        """The kernel for features (m, k) and (n, k)."""
        ...


@dataclass(frozen=True)
class MMD:
    r"""The unbiased squared maximum mean discrepancy of critic features, M̂ above:

        L_D = −M̂,   L_G = M̂.

    At equal laws M̂ is 0 on average, so a batch may well give less than 0. Under kernels without a bound (`Linear`,
    `Polynomial`, `Energy`, and sums with one) the critic gains without end by scaling its features; it then needs a
    penalty on the slope of its `witness`, or on its features. A bounded kernel (`RBF`, `RationalQuadratic`) has no
    such need, and is used with one all the same: without it M̂ may stay large while the laws approach each other.

    Arguments:
        kernel: compares features; or a rule that chooses one for each pair of batches (`MedianRBF`), whose choice
            counts as a constant in gradients.

    A shift of all features changes nothing but under `Polynomial`, so that the last bias of a critic is idle.

    Distances and sums are in float64, since M̂ is a small difference of large numbers (`Kernel.quick`).

    >>> from adversaria.kernels import Linear
    >>> real, fake = torch.tensor([[1.0], [3.0]]), torch.tensor([[0.0], [0.0]])
    >>> MMD(Linear()).generator_loss(real, fake)  # 1·3: the product of two different reals
    tensor(3.)
    """

    kernel: Kernel | KernelRule
    generator_needs_real: ClassVar[bool] = True

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """−M̂ of features (m, k) and (n, k), m, n ≥ 2: ().

        Raises:
            ValueError: the features do not fit, or there is only one sample on a side.
        """
        return -self.generator_loss(real, fake)

    def generator_loss(self, real: Tensor | None, fake: Tensor) -> Tensor:
        """M̂ of features (m, k) and (n, k), m, n ≥ 2: ().

        Raises:
            ValueError: the features do not fit, no real ones came, or there is only one sample on a side.
        """
        real = check_pairs(real, fake)
        both = torch.cat([real, fake])
        gram = chosen(self.kernel, real, fake).quick(both, both)
        return (gram * pair_weights(len(real), len(fake), widened(both))).sum().to(fake.dtype)

    def witness(self, at: Tensor, real: Tensor, fake: Tensor) -> Tensor:
        """f(t) = ⟨k(t, real)⟩ − ⟨k(t, fake)⟩ at features t (T, k), with real (m, k) and fake (n, k): (T, 1).

        It is, up to its length, the function in the unit ball of k that tells the two batches best apart: where it is
        large, reals are missing.
        """
        both = torch.cat([real, fake])
        gram = widened(chosen(self.kernel, real, fake).quick(at, both))
        return (gram @ side_weights(len(real), len(fake), gram)).to(at.dtype)[:, None]

    def optimal_critic(self, log_ratio: Tensor) -> NoReturn:
        """There is none.

        Raises:
            ValueError: always.
        """
        raise ValueError(
            "a maximum mean discrepancy has no optimal critic as a function of the density ratio: its critic maps "
            "samples to features, and its witness function depends on the kernel; calibrate that to get a ratio"
        )


def chosen(kernel: Kernel | KernelRule, real: Tensor, fake: Tensor) -> Kernel:
    """The kernel itself, or that of the rule."""
    return kernel if isinstance(kernel, Kernel) else kernel.kernel(real.detach(), fake.detach())


def check_pairs(real: Tensor | None, fake: Tensor) -> Tensor:
    """Features of both sides, with a pair at least on each; returns the real ones.

    Raises:
        ValueError: they are not; says what came.
    """
    if real is None:
        raise ValueError("a discrepancy compares both sides; pass the features of real samples too, not None")
    check_scores(real, fake)
    if min(len(real), len(fake)) < 2:
        raise ValueError(
            f"a discrepancy without bias is made of pairs of different samples; expected at least 2 real and 2 fake "
            f"samples, got {len(real)} and {len(fake)}"
        )
    return real


def side_weights(m: int, n: int, like: Tensor) -> Tensor:
    """1/m for each of m reals, then −1/n for each of n fakes, (m + n,)."""
    weights = torch.full((m + n,), -1 / n, dtype=like.dtype, device=like.device)
    weights[:m] = 1 / m
    return weights


def pair_weights(m: int, n: int, like: Tensor) -> Tensor:
    """W with M̂ = Σ_ij W_ij k(z_i, z_j) over reals z_1..z_m and fakes z_{m+1}..z_{m+n}, (m + n, m + n).

        1/m(m−1) between two reals, 1/n(n−1) between two fakes, −1/mn across, 0 of a sample with itself.

    >>> pair_weights(2, 2, torch.empty(0))
    tensor([[ 0.0000,  0.5000, -0.2500, -0.2500],
            [ 0.5000,  0.0000, -0.2500, -0.2500],
            [-0.2500, -0.2500,  0.0000,  0.5000],
            [-0.2500, -0.2500,  0.5000,  0.0000]])
    """
    weights = torch.full((m + n, m + n), -1 / (m * n), dtype=like.dtype, device=like.device)
    weights[:m, :m] = 1 / (m * (m - 1))
    weights[m:, m:] = 1 / (n * (n - 1))
    return weights.fill_diagonal_(0)
