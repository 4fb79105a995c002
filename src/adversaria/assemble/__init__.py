"""Where configuration becomes objects: one function per kind of thing, one arm per type.

Nothing else in the package knows both the configuration and what it stands for. To add a method is to write its type
in `recipes`, its object where it belongs, and one arm here. A family with a file of its own (`autoencoders`) adds its
arms to the functions that all share.
"""

from adversaria.assemble import autoencoders
from adversaria.assemble.acquaintance import acquaint
from adversaria.assemble.coding import Coding, coding, contents, encoder, likelihood, posterior
from adversaria.assemble.data import Data, data_of, load_data, space_of
from adversaria.assemble.descents import descent, schedule
from adversaria.assemble.feeds import feed
from adversaria.assemble.networks import critic, gan_networks, generator
from adversaria.assemble.objectives import objective, penalty
from adversaria.assemble.pictures import picture
from adversaria.assemble.priors import prior
from adversaria.assemble.records import records
from adversaria.assemble.semisupervised import labelled_part, semisupervised_networks
from adversaria.assemble.states import state

__all__ = [
    "Coding",
    "coding",
    "contents",
    "encoder",
    "likelihood",
    "posterior",
    "Data",
    "acquaint",
    "autoencoders",
    "critic",
    "data_of",
    "descent",
    "feed",
    "gan_networks",
    "generator",
    "labelled_part",
    "load_data",
    "objective",
    "penalty",
    "picture",
    "prior",
    "records",
    "schedule",
    "semisupervised_networks",
    "space_of",
    "state",
]
