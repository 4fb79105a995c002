"""One self-contained page for each run, and the figures on it.

    path = write_report(Run("runs/digits"))

The page shows what a person asks first: what do the samples look like beside real ones, how do they score and what
does the score mean, did training go well, has the model memorised, and how is all this made again. The figure
functions take plain arrays and can be used alone; so can `page`, on a `Material` made by hand.

This part of the package is a leaf: nothing else imports it. matplotlib is imported with the first figure.
"""

from adversaria.report.before_after import (
    Course,
    chain_positions,
    density_before_after,
    metric_over_training,
    modes_before_after,
    points_before_after,
    reliability,
    scores_before_after,
)
from adversaria.report.codes import Codes, code_maps, code_margins
from adversaria.report.figures import (
    critic_field,
    curves,
    density,
    histograms,
    learning_rates,
    line_density,
    line_scores,
    mesh,
    mode_histogram,
    p_values,
    radius,
    scatter,
    score_curve,
    score_histogram,
    scores_over_steps,
    trajectory,
    window,
)
from adversaria.report.material import Material
from adversaria.report.memory import Neighbours, nearest, preference
from adversaria.report.page import page, write_report
from adversaria.report.pictures import data_uri, image_grid
from adversaria.report.priors import along_walks, law_and_interpolate, norms, strips
from adversaria.report.series import Series, series
from adversaria.report.tiles import cluster_members, manifold, numbered, reconstructions, styles, tiles

__all__ = [
    "Codes",
    "Course",
    "Material",
    "Neighbours",
    "Series",
    "along_walks",
    "chain_positions",
    "cluster_members",
    "code_maps",
    "code_margins",
    "critic_field",
    "curves",
    "data_uri",
    "density",
    "density_before_after",
    "histograms",
    "image_grid",
    "law_and_interpolate",
    "learning_rates",
    "line_density",
    "line_scores",
    "manifold",
    "mesh",
    "metric_over_training",
    "mode_histogram",
    "modes_before_after",
    "nearest",
    "norms",
    "p_values",
    "numbered",
    "page",
    "points_before_after",
    "preference",
    "radius",
    "reconstructions",
    "reliability",
    "scatter",
    "score_curve",
    "score_histogram",
    "scores_before_after",
    "scores_over_steps",
    "series",
    "strips",
    "styles",
    "tiles",
    "trajectory",
    "window",
    "write_report",
]
