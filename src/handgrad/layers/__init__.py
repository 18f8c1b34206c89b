"""A layer's shapes, its first values, and its call into calculus.

A layer is frozen and owns no number: it says what is computed, and gets its numbers as named views.
Networks call them, recipes name them; the mathematics itself is one floor below, in `calculus`.
"""

from handgrad.layers.activations import ELU, GELU, LeakyReLU, ReLU, Sigmoid, Softmax, Tanh
from handgrad.layers.dense import Dense
from handgrad.layers.dropout import Dropout
from handgrad.layers.flatten import Flatten
from handgrad.layers.initial import Glorot, He, Initial, Normal, Uniform, Zeros
from handgrad.layers.layer import Layer

__all__ = [
    "ELU",
    "GELU",
    "Dense",
    "Dropout",
    "Flatten",
    "Glorot",
    "He",
    "Initial",
    "Layer",
    "LeakyReLU",
    "Normal",
    "ReLU",
    "Sigmoid",
    "Softmax",
    "Tanh",
    "Uniform",
    "Zeros",
]
