"""Where configuration becomes objects: one function per kind of thing, one arm per type.

Nothing else in the package knows both the configuration and what it stands for. To add a method is to write its type
in `recipes`, its object where it belongs, and one arm here.
"""

from adversaria.assemble.acquaintance import acquaint
from adversaria.assemble.data import Data, data_of, load_data, space_of
from adversaria.assemble.descents import descent, schedule
from adversaria.assemble.feeds import feed
from adversaria.assemble.networks import critic, gan_networks, generator
from adversaria.assemble.objectives import objective, penalty
from adversaria.assemble.pictures import picture
from adversaria.assemble.priors import prior
from adversaria.assemble.states import state

__all__ = [
    "Data",
    "acquaint",
    "critic",
    "data_of",
    "descent",
    "feed",
    "gan_networks",
    "generator",
    "load_data",
    "objective",
    "penalty",
    "picture",
    "prior",
    "schedule",
    "space_of",
    "state",
]
