r"""min_x max_y x·y by five ways of playing: the distance from the solution (0, 0) over time.

Each way is a linear map of what it remembers, so the radius after t steps is known to any precision: with
z = (x, y), J z = (y, −x) and rate η,

    simultaneous           z ← (I − ηJ) z                                          r_t = √2 (1 + η²)^{t/2}
    alternating            y ← y + η (x − ηy)                                      x² + y² − ηxy stays
    extragradient          z ← (I − ηJ + η²J²) z
    optimistic             z ← z − 2ηJz + ηJz′,  z′ the step before
    historical averaging   z ← z − ηJz − 2ηw (z − z̄),  z̄ the mean of all z so far
"""

import math

from adversaria.recipes import Bilinear
from adversaria.reproduce.study import Column, Published, Row, Study, Tier, Values
from adversaria.runs import Run
from adversaria.training.checkpoint import read_record, read_tensors

_TIMES = (100, 500, 2000)

_EXACT = {
    "simultaneous": ("2.3259", "17.016", "29641"),
    "alternating": ("1.3939", "1.4103", "1.3671"),
    "extragradient": ("0.85994", "0.11757", "6.7542e-5"),
    "optimistic": ("0.85999", "0.11287", "5.5641e-5"),
    "historical-averaging": ("0.44246", "0.0081036", "0.0022879"),
}
"""√(x² + y²) from (1, 1) with η = 0.1, w = 0.1: powers of the maps above, in float64."""


def _recipe(way: str) -> Bilinear:
    pulled = way == "historical-averaging"
    return Bilinear(
        name=f"bilinear-{way}",
        steps=max(_TIMES),
        play="simultaneous" if pulled else way,  # type: ignore[arg-type]
        historical_averaging=0.1 if pulled else None,
        log_every=100,
        checkpoint_every=100,
        keep_checkpoints=max(_TIMES) // 100,
        compilation="never",
    )


def radii(run: Run) -> Values:
    """√(x² + y²) after 100, 500 and 2000 steps, from the checkpoints of those steps."""
    radius = {}
    for checkpoint in run.checkpoints():
        tensors = read_tensors(checkpoint / "model.safetensors")
        radius[read_record(checkpoint)["step"]] = math.hypot(float(tensors["x.value"]), float(tensors["y.value"]))
    return {f"radius-{time}": radius[time] for time in _TIMES}


_TIER = Tier(tuple(Row(play, _recipe(play)) for play in _EXACT), minutes=1)

BILINEAR = Study(
    name="bilinear",
    title="min_x max_y x·y by five ways of playing",
    source=(
        "Goodfellow, NIPS 2016 tutorial (2016), section 8.2, https://arxiv.org/abs/1701.00160; "
        "Daskalakis et al., Training GANs with optimism (2018), https://arxiv.org/abs/1711.00141; "
        "Salimans et al., Improved techniques for training GANs (2016), https://arxiv.org/abs/1606.03498"
    ),
    tiers={"quick": _TIER, "full": _TIER},
    measure=radii,
    columns=tuple(Column(f"radius-{time}", f"radius at {time} steps", "equal", digits=5) for time in _TIMES),
    published={
        play: {f"radius-{time}": Published(figure) for time, figure in zip(_TIMES, figures, strict=True)}
        for play, figures in _EXACT.items()
    },
    beside="exact",
    about=(
        "From (1, 1) with learning rate 0.1, the solution being (0, 0). The papers show these as figures; the exact "
        "radii are powers of the linear map that each way of playing is. Playing at once spirals out, playing in turn "
        "stays bounded, and the three remedies spiral in."
    ),
)
