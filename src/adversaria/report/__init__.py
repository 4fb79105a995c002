"""One self-contained page for each run, and the figures on it.

    path = write_report(Run("runs/digits"))

The page shows what a person asks first: what do the samples look like beside real ones, how do they score and what
does the score mean, did training go well, has the model memorised, and how is all this made again. The figure
functions take plain arrays and can be used alone; so can `page`, on a `Material` made by hand.

This part of the package is a leaf: nothing else imports it. matplotlib is imported with the first figure.
"""

from adversaria.report.figures import (
    critic_field,
    curves,
    density,
    histograms,
    line_density,
    line_scores,
    mesh,
    mode_histogram,
    radius,
    scatter,
    score_histogram,
    scores_over_steps,
    trajectory,
    window,
)
from adversaria.report.material import Material
from adversaria.report.memory import Neighbours, nearest, preference
from adversaria.report.page import page, write_report
from adversaria.report.pictures import data_uri, image_grid
from adversaria.report.series import Series, series

__all__ = [
    "Material",
    "Neighbours",
    "Series",
    "critic_field",
    "curves",
    "data_uri",
    "density",
    "histograms",
    "image_grid",
    "line_density",
    "line_scores",
    "mesh",
    "mode_histogram",
    "nearest",
    "page",
    "preference",
    "radius",
    "scatter",
    "score_histogram",
    "scores_over_steps",
    "series",
    "trajectory",
    "window",
    "write_report",
]
