"""Features and statistics of one side, to be measured against many times."""

from adversaria.evaluation.features import Features
from adversaria.evaluation.setting import Source, prepared
from adversaria.evaluation.sides import Side, Watch, unwatched
from adversaria.evaluation.way import Method, Through, Way
from adversaria.metrics import Statistics


def features_of(
    source: Source,
    *,
    features: Through | None = None,
    protocol: str | None = None,
    seed: int,
    samples: int | None = None,
    device: str | None = None,
    watch: Watch = unwatched,
) -> Features:
    """Features of one side, with how they were made. What all metrics need; (n, F) numbers.

    Arguments:
        source: what `evaluate` takes.
        features, protocol, seed, samples, device, watch: as for `evaluate`. Of a model, samples must be said.

    Raises:
        MetricError, DataError: as for `evaluate`.
    """
    side, way = _one(source, Method.of(features, protocol, device), seed, samples)
    record = side.record if way is None else way.record()
    return Features(side.features(way, watch), dict(record), side.name)


def statistics_of(
    source: Source,
    *,
    features: Through | None = None,
    protocol: str | None = None,
    seed: int,
    samples: int | None = None,
    device: str | None = None,
    watch: Watch = unwatched,
) -> Statistics:
    """Mean and covariance of the features of one side, in memory that does not grow with its size. What fid needs.

    Arguments and errors as for `features_of`.
    """
    side, way = _one(source, Method.of(features, protocol, device), seed, samples)
    return side.statistics(way, watch)


def _one(source: Source, method: Method, seed: int, samples: int | None) -> tuple[Side, Way | None]:
    setting = prepared({"against": source}, method, seed=seed, samples=samples)
    return setting.sides["against"], setting.way("features")
