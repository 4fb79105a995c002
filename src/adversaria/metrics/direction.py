"""Whether more or less of a metric is better, by the name that `evaluate` knows it by.

    less      distances (0 is perfect); what a classifier or a histogram can tell apart; path length
    more      shares and counts of what is good; how many different things there are; likelihood

Neither is better of the spread about a mode, which should be that of the law.
"""

from adversaria.errors import MetricError, nearest

LESS = ("fid", "fid-infinity", "sfid", "kid", "mind", "cmmd", "c2st", "ndb", "ppl", "divergence", "reverse_kl")
MORE = (
    "is",
    "precision",
    "recall",
    "density",
    "coverage",
    "realism",
    "authenticity",
    "vendi",
    "parzen",
    "modes",
    "high_quality",
)


def less_is_better(name: str) -> bool:
    """Whether a smaller value of the metric is the better one.

    Raises:
        MetricError: neither more nor less of it is better, or nobody knows.

    >>> less_is_better("fid"), less_is_better("recall")
    (True, False)
    """
    if name not in LESS and name not in MORE:
        known = [*LESS, *MORE]
        raise MetricError(
            f"of '{name}' it is not known whether more or less is better{nearest(name, known)}; known are "
            f"{', '.join(known)}"
        )
    return name in LESS
