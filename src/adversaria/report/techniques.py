"""Which of the parts that a GAN can take or leave a run took, from its configuration."""

from collections.abc import Iterator, Mapping
from typing import Any


def techniques(configuration: Mapping[str, Any]) -> str:
    """Those that were on, in words, each with its settings; "none".

    >>> techniques({"historical_averaging": 0.1, "objective": {"real_target": 0.9}})
    'historical averaging (weight 0.1), one-sided label smoothing (0.9)'
    >>> techniques({"critic": {"normalisation": "none"}})
    'none'
    """
    return ", ".join(_on(configuration)) or "none"


def _on(configuration: Mapping[str, Any]) -> Iterator[str]:
    def part(*path: str) -> Any:
        found: Any = configuration
        for name in path:
            found = (found or {}).get(name)
        return found

    if matching := part("feature_matching"):
        yield f"feature matching ({matching['norm']})"
    if minibatch := part("critic", "minibatch"):
        yield f"minibatch discrimination ({minibatch['variant']}, {minibatch['kernels']} × {minibatch['dim']})"
    if weight := part("historical_averaging"):
        yield f"historical averaging (weight {weight:g})"
    if (part("objective", "real_target") or 1.0) < 1:
        yield f"one-sided label smoothing ({part('objective', 'real_target'):g})"
    for player in ("generator", "critic"):
        if part(player, "normalisation") in ("virtual-batch", "weight"):
            yield f"{part(player, 'normalisation').replace('-', ' ')} normalisation of the {player}"
    if noise := part("instance_noise"):
        yield f"instance noise ({noise['deviation']:g}, until {noise['until']:.0%} of the run)"
