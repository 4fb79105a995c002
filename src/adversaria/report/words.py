"""What figures mean, in words: one plain sentence for each score, and numbers with as many digits as they carry."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Meaning:
    """How a score is to be read."""

    short: str
    title: str
    sentence: str
    out_of: str = ""
    """What of its protocol is the most that it can be; empty if there is no such thing."""
    own: str = ""
    """What of its protocol is the law's own value; empty if there is no such thing."""
    distance: bool = False
    """Whether it is a distance from what is real: not negative but for its error, smaller is better."""


MEANINGS = {
    "fid": Meaning(
        "FID",
        "Fréchet distance (FID)",
        "How far the samples lie from held-out images, each side taken as one Gaussian cloud of features. Smaller is "
        "better, 0 is perfect. It depends on the number of images: compare equal numbers only.",
        distance=True,
    ),
    "kid": Meaning(
        "KID",
        "Kernel distance (KID)",
        "How far the samples lie from held-out images, as whole clouds of features. Smaller is better, 0 within its "
        "error is perfect; it is unbiased, so it may come out slightly negative.",
        distance=True,
    ),
    "fid-infinity": Meaning(
        "FID∞",
        "Fréchet distance, extrapolated",
        "The Fréchet distance that infinitely many samples would have. Smaller is better, 0 is perfect.",
        distance=True,
    ),
    "sfid": Meaning(
        "sFID",
        "Spatial Fréchet distance (sFID)",
        "The Fréchet distance in features that know where things are. Smaller is better, 0 is perfect.",
        distance=True,
    ),
    "precision": Meaning(
        "precision", "Precision", "Share of samples that lie among the real ones: how good they are. More is better."
    ),
    "recall": Meaning(
        "recall", "Recall", "Share of real images that lie among the samples: how varied these are. More is better."
    ),
    "density": Meaning(
        "density",
        "Density",
        "How many real images the samples lie near, as a multiple of what is expected. More is better; 1 if nothing "
        "can be told apart.",
    ),
    "coverage": Meaning(
        "coverage", "Coverage", "Share of real images that have a sample near them. More is better, 1 is perfect."
    ),
    "is": Meaning(
        "IS",
        "Inception Score",
        "How sure a classifier is of each sample, and how varied its answers are: at most the number of classes. It "
        "does not look at real images.",
    ),
    "mind": Meaning(
        "MIND",
        "Monge distance (MIND)",
        "Transport distance along random directions. Smaller is better. It depends on the number of images.",
        distance=True,
    ),
    "cmmd": Meaning(
        "CMMD", "CMMD", "Kernel distance of directions, made for CLIP. Smaller is better, 0 is perfect.", distance=True
    ),
    "c2st": Meaning(
        "C2ST",
        "Classifier two-sample test",
        "How often a classifier tells samples from real images: 0.5 if it cannot, 1 if always.",
    ),
    "ndb": Meaning(
        "NDB",
        "Different bins",
        "In how many parts of the data samples are too frequent or too rare. Fewer is better; a few are so by chance.",
    ),
    "vendi": Meaning("Vendi", "Vendi score", "How many different samples there are, in effect. More is more varied."),
    "authenticity": Meaning(
        "authenticity", "Authenticity", "Share of samples that are no near copies of a real image beside them."
    ),
    "realism": Meaning(
        "realism", "Realism", "How deep the median sample lies among the real images: above 1 it is inside."
    ),
    "ppl": Meaning(
        "PPL", "Perceptual path length", "How far images move along a short step between latents. Smaller is smoother."
    ),
    "modes": Meaning("modes", "Modes found", "How many of the law's modes the samples reach.", out_of="modes"),
    "high_quality": Meaning(
        "high quality", "High-quality share", "Share of samples near a mode: within four of its standard deviations."
    ),
    "divergence": Meaning(
        "divergence",
        "Divergence of the modes",
        "Jensen–Shannon divergence between the samples' shares of the modes and equal shares, in nats: 0 if equal, "
        "at most 0.69.",
        distance=True,
    ),
    "reverse_kl": Meaning(
        "reverse KL",
        "Reverse KL of the modes",
        "Kullback–Leibler divergence of the samples' shares of the modes from equal shares, in nats: 0 if equal.",
        distance=True,
    ),
    "spread": Meaning(
        "spread",
        "Spread about a mode",
        "Root mean square distance to the mode's centre, per coordinate.",
        own="scale",
    ),
}
"""The scores that the page can explain, by name; any other is shown under its own name."""


FINGERPRINT = re.compile("[0-9a-f]{40,}")
"""SHA-1, SHA-256 and the like."""


def meaning(name: str) -> Meaning:
    """How to read the score of that name."""
    return MEANINGS.get(name, Meaning(name, name, ""))


def number(value: float, digits: int = 3) -> str:
    """A number for people: so many significant digits, no exponent where it can be helped.

    >>> number(12.3456), number(1234567.0), number(0.000123456), number(0.0)
    ('12.3', '1,234,567', '1.23e-04', '0')
    """
    if not math.isfinite(value):
        return "—"
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(abs(value)))
    if exponent < -3:
        return f"{value:.{digits - 1}e}".replace("-", "−", 1) if value < 0 else f"{value:.{digits - 1}e}"
    places = max(0, digits - 1 - exponent)
    return f"{value:,.{places}f}".replace("-", "−")


def count(n: int, one: str, many: str | None = None) -> str:
    """`n` things, in words.

    >>> count(1, "step"), count(2500, "step")
    ('1 step', '2,500 steps')
    """
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def duration(seconds: float) -> str:
    """A time in the two largest units that matter.

    >>> duration(4.2), duration(75), duration(3725)
    ('4.2 s', '1 min 15 s', '1 h 2 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def protocol(facts: Mapping[str, Any]) -> str:
    """A protocol as one line, in its own order; of a fingerprint the first twelve digits.

    >>> protocol({"features": "pixels", "versions": {"torch": "2.13.0"}})
    'features: pixels, versions: torch 2.13.0'
    """
    return ", ".join(f"{name.replace('_', ' ')}: {_fact(value)}" for name, value in facts.items() if value is not None)


def _fact(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{name} {_fact(part)}" for name, part in value.items())
    text = str(value)
    return text[:12] if FINGERPRINT.fullmatch(text) else text


def against_floor(value: float, floor: float, floor_error: float | None) -> str:
    """What a distance says beside that of real samples. A ratio is given only where the floor is clearly above 0.

    >>> against_floor(31.2, 7.1, 0.6)
    'The samples score 4.4 times that.'
    """
    if floor <= 3 * (floor_error or 0.0) or floor <= 0:
        return "That is 0 within its error."
    ratio = value / floor
    return "The samples do as well." if ratio <= 1.05 else f"The samples score {number(ratio, 2)} times that."


def judge_memory(advantage: float, error: float) -> str:
    """What it means that the critic scores a trained-on image above a held-out one with probability `advantage`.

    Arguments:
        advantage: the probability, ties counted half; ½ without any memory.
        error: its standard error if there were none.
    """
    verdict = "it has begun to memorise" if advantage - 0.5 > 3 * error else "no sign that it memorises"
    return (
        f"The critic scores an image it was trained on above a held-out one in {100 * advantage:.0f} % of pairs "
        f"(chance: 50 %): {verdict}."
    )


def judge_correction(before: float, after: float, error: float) -> str:
    """What it means that the critic scores a real sample above a generated one, and above a corrected one, that often.

    Arguments:
        before, after: the probabilities, ties counted half; ½ if the critic cannot tell.
        error: standard error of `after` if the critic could not tell.
    """
    said = (
        f"The critic scores a real sample above a generated one in {100 * before:.0f} % of pairs, and above a "
        f"corrected one in {100 * after:.0f} % (chance: 50 %)"
    )
    if abs(after - 0.5) <= max(0.03, 3 * error):
        return f"{said}: it hardly tells corrected samples from real ones."
    if after < 0.5:
        return f"{said}: the correction goes too far."
    return f"{said}: what is left is what no choice among these samples can mend, or what longer chains would."


def judge_chains(restarts: int, samples: int) -> str:
    """What it means that so many chains never moved; empty where they are few.

    >>> judge_chains(1, 100), judge_chains(50, 100)
    ('', 'Half or more of the chains never moved: where they start, among real samples, the generator hardly gets.')
    """
    if restarts <= 0.05 * samples:
        return ""
    part = "Half or more" if 2 * restarts >= samples else f"{restarts:,} of {samples:,}"
    return f"{part} of the chains never moved: where they start, among real samples, the generator hardly gets."


def listed(items: Sequence[str]) -> str:
    """`a`, `a and b`, or `a, b and c`.

    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join([", ".join(items[:-1]), items[-1]]) if len(items) > 1 else "".join(items)
