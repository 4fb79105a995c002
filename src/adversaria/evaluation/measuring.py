"""`evaluate`: how far generated images are from real ones, with errors, by one protocol for both sides.

    two sides  →  features, by one way  →  metrics  →  Scores

What was done travels with every number.
"""

from collections.abc import Sequence

from adversaria.evaluation.made import Saved
from adversaria.evaluation.measures import Pair, by_space, chosen
from adversaria.evaluation.scores import Scores
from adversaria.evaluation.setting import Source, prepared
from adversaria.evaluation.sides import Watch, unwatched
from adversaria.evaluation.way import Method, Through
from adversaria.metrics import Estimate


def evaluate(
    fake: Source,
    *,
    against: Source,
    metrics: str | Sequence[str] | None = None,
    features: Through | None = None,
    protocol: str | None = None,
    seed: int,
    samples: int | None = None,
    device: str | None = None,
    watch: Watch = unwatched,
) -> Scores:
    """Measure generated images against real ones.

    Arguments:
        fake: generated images; what can be given is listed at `opening.side`: images (n, C, H, W) as uint8 or float in
            [−1, 1], a path, a model or sampler, a callable, features, statistics, …
        against: real ones; held-out ones, or a model that memorised its data looks best.
        metrics: names, see `METRICS`; prdc stands for precision, recall, density and coverage. None: fid and kid; fid
            alone where a side is statistics, of which no more can be measured.
        features: an extractor's name, the path of its weights, or a callable float images → (B, F). There is no
            default: it decides what the numbers mean. None where the protocol says it, or a side that was made already.
        protocol: tf1, clean, adm, dgm or torchmetrics: extractor, resizing, rounding and neighbours as published
            figures have them, see `metrics.presets`.
        seed: of generated samples, of which images are drawn where `samples` asks for fewer than there are, and of what
            metrics draw.
        samples: at most so many on each side, drawn without replacement; None: all, and of a model as many as the other
            side has. FID is biased by sample size, so two models should be measured with equal sizes. Saved statistics
            are taken as they are.
        device: where features are computed; None: where the extractor's weights are.
        watch: told of progress, (side, images done, images in all).

    Images are streamed; features are kept until all is measured. Where fid alone is asked for, and the features of a
    side would take more than `sides.KEPT` bytes, only their moments are kept, in memory that does not grow with the
    number of images; the standard error of fid then leaves that side out.

    Raises:
        MetricError: an unknown metric, extractor or protocol; sides of different shape, or of one that the extractor
            does not take; fewer than 2 images on a side; floats outside [−1, 1]; features that are NaN or infinite;
            sides made by different protocols; a metric that needs features, of statistics; one that needs logits, of
            an extractor that does not classify.
        DataError: a file of images cannot be read.
        ModelError: a generator has diverged: its samples are NaN or infinite.
    """
    asked = None if metrics is None else chosen(metrics)
    method = Method.of(features, protocol, device)
    setting = prepared({"fake": fake, "against": against}, method, seed=seed, samples=samples)
    moments_alone = any(isinstance(one, Saved) for one in setting.sides.values())
    names = asked or (["fid"] if moments_alone else ["fid", "kid"])
    found: dict[str, Estimate] = {}
    for space, measures in by_space(names, method).items():
        way = setting.way(space)
        pair = Pair(setting.sides["fake"], setting.sides["against"], way, seed, watch, method.ks)
        for measure in measures:
            found |= {name: setting.described(one, way) for name, one in measure.estimates(pair).items()}
    return Scores({name: found[name] for name in names})
