"""A layer's shapes, its first values, and its call into calculus.

A layer is frozen and owns no number: it says what is computed, and gets its numbers as named views.
Networks call them, recipes name them; the mathematics itself is one floor below, in `calculus`.
"""

from handgrad.layers.activations import (
    ELU,
    GELU,
    LeakyReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Tanh,
)
from handgrad.layers.convolution import Convolution
from handgrad.layers.dense import Dense
from handgrad.layers.dropout import Dropout
from handgrad.layers.flatten import Flatten
from handgrad.layers.identity import Identity
from handgrad.layers.initial import (
    Dirac,
    Glorot,
    He,
    Initial,
    Normal,
    PyTorch,
    Uniform,
    Whitening,
    Zeros,
)
from handgrad.layers.layer import Layer
from handgrad.layers.normalization import BatchNorm, FrozenNorm, GroupNorm
from handgrad.layers.pooling import AveragePool, GlobalAveragePool, MaxPool
from handgrad.layers.residual import Residual
from handgrad.layers.scale import Scale
from handgrad.layers.sequence import backward_through, forward_through

__all__ = [
    "ELU",
    "GELU",
    "AveragePool",
    "BatchNorm",
    "Convolution",
    "Dense",
    "Dirac",
    "Dropout",
    "Flatten",
    "FrozenNorm",
    "GlobalAveragePool",
    "Glorot",
    "GroupNorm",
    "He",
    "Identity",
    "Initial",
    "Layer",
    "LeakyReLU",
    "MaxPool",
    "Normal",
    "PyTorch",
    "ReLU",
    "Residual",
    "Scale",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Tanh",
    "Uniform",
    "Whitening",
    "Zeros",
    "backward_through",
    "forward_through",
]
