"""Measure one thing against another: inputs of any kind, one way to features, metrics by name, and comparisons.

evaluate(model, against=held_out, metrics=("fid", "kid"), features="lenet-mnist", seed=0)  →  Scores
compare(one, other, against=held_out, features="lenet-mnist", seed=0)                     →  Comparison
"""

from adversaria.evaluation.comparing import Comparison, compare
from adversaria.evaluation.features import Features
from adversaria.evaluation.keeping import features_of, statistics_of
from adversaria.evaluation.measures import METRICS
from adversaria.evaluation.measuring import evaluate
from adversaria.evaluation.scores import Scores

__all__ = ["METRICS", "Comparison", "Features", "Scores", "compare", "evaluate", "features_of", "statistics_of"]
