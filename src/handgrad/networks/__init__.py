"""A network is an architecture and a vector; a model is a network that can be given a photograph.

Training changes a network's vector; storage saves a model; every face that predicts goes through
`Model`.
"""

from handgrad.networks.memory import check_memory, machine_memory, needed_memory
from handgrad.networks.model import Model, Prediction
from handgrad.networks.network import Draws, Gradient, Network
from handgrad.networks.outputs import ForwardOn, HowForward, InBatches, forward_by_the_book
from handgrad.networks.rows import LayerRow, layer_rows
from handgrad.networks.views import VIEWS, Views, weighted_views

__all__ = [
    "VIEWS",
    "Draws",
    "ForwardOn",
    "Gradient",
    "HowForward",
    "InBatches",
    "LayerRow",
    "Model",
    "Network",
    "Prediction",
    "Views",
    "check_memory",
    "forward_by_the_book",
    "layer_rows",
    "machine_memory",
    "needed_memory",
    "weighted_views",
]
