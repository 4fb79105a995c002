"""Does a discrepancy make do with a small critic? The claim of Bińkowski et al. on CIFAR-10, at reduced width.

Theirs: critics of 16 and of 64 channels against one generator. Where a score has to be learnt whole, as in WGAN-GP, a
small critic fails; where features are compared by a kernel, it has less to do. Ours: critics of a quarter of the
generator's width, and of all of it, as theirs are of their generator's 64.
"""

from adversaria.recipes import GAN, Images
from adversaria.recipes.images import mnist_mmd
from adversaria.reproduce.mmd import COLUMNS, FEATURES, RQ_STAR, SOURCE, distances, playing
from adversaria.reproduce.priors import REAL, real_distances, sized
from adversaria.reproduce.priors_cifar10 import features, source
from adversaria.reproduce.study import Floor, Published, Row, Study, Tier

SAMPLES = 4_000
"""Images of each run."""

LABELS = (RQ_STAR, "Cramér", "WGAN-GP")
SMALL, LARGE = "small critic", "large critic"


def _recipe(width: int, steps: int, on_cpu: bool) -> GAN:
    changes = {"name": "cifar10-mmd", "data": Images(source=source(), flip=True)}
    return sized(mnist_mmd().model_copy(update=changes), width, steps, "never" if on_cpu else "auto")


def _tier(width: int, steps: int, seeds: tuple[int, ...], *, minutes: float, machine: str = "2 CPU cores") -> Tier:
    recipe = _recipe(width, steps, machine == "2 CPU cores")
    rows = tuple(
        Row(f"{label}, {size}", playing(recipe, label, critic_width), seeds)
        for label in LABELS
        for size, critic_width in ((SMALL, width // 4), (LARGE, width))
    )
    return Tier((*rows, Floor(REAL, real_distances(recipe, SAMPLES, features))), minutes, machine)


_NOTE = "not comparable: Inception features, critics of 16 and of 64 channels, 150,000 steps"


def _theirs(score: str, fid: str, kid: str) -> dict[str, Published]:
    return {key: Published(value, note=_NOTE) for key, value in (("score", score), ("fid", fid), ("kid", kid))}


MMD_CIFAR10_SMALL = Study(
    name="mmd-cifar10-small",
    title="Small critics: CIFAR-10",
    source=f"{SOURCE}, the table for CIFAR-10",
    tiers={
        "quick": _tier(16, 1_500, (0,), minutes=35),
        "full": _tier(64, 150_000, (0, 1, 2), minutes=3_000, machine="one GPU"),
    },
    measure=distances(SAMPLES, features),
    columns=COLUMNS,
    published={
        f"{RQ_STAR}, {SMALL}": _theirs("5.86", "48.10", "0.032"),
        f"{RQ_STAR}, {LARGE}": _theirs("6.51", "39.90", "0.027"),
        f"Cramér, {SMALL}": _theirs("4.67", "74.93", "0.060"),
        f"Cramér, {LARGE}": _theirs("6.39", "40.27", "0.028"),
        f"WGAN-GP, {SMALL}": _theirs("3.15", "147.09", "0.116"),
        f"WGAN-GP, {LARGE}": _theirs("6.53", "37.52", "0.026"),
    },
    about=(
        "The settings of `mnist-mmd` on CIFAR-10 (quick: a generator of width 16, 1,500 steps) with a critic of the "
        f"generator's width, and of a quarter of it; {FEATURES} features, for WGAN-GP one score. {SAMPLES:,} images "
        "against the 10,000 test images, in the features of a LeNet trained on the training images, which also gives "
        "the classifier score. To compare with the publication: by how much the small critic is worse than the large."
    ),
)
