"""A network is an architecture and a vector; a model is a network that can be given a photograph.

Training changes a network's vector; storage saves a model; every face that predicts goes through
`Model`.
"""

from handgrad.networks.model import Model, Prediction
from handgrad.networks.network import Draws, Gradient, Network
from handgrad.networks.rows import LayerRow, layer_rows

__all__ = ["Draws", "Gradient", "LayerRow", "Model", "Network", "Prediction", "layer_rows"]
