"""The loss and its gradient, in one function, and the loss as a recipe names it.

The functions give one number a sample; `Loss` adds them up or averages them over the batch.
Training calls a loss; a model asks it for the probabilities that belong to a network's outputs.
"""

from handgrad.losses.cross_entropy import (
    binary_cross_entropy,
    cross_entropy,
    sigmoid_cross_entropy,
    softmax_cross_entropy,
)
from handgrad.losses.loss import (
    BinaryCrossEntropy,
    CrossEntropy,
    Loss,
    SigmoidCrossEntropy,
    SoftmaxCrossEntropy,
    SquaredError,
)
from handgrad.losses.squared_error import squared_error

__all__ = [
    "BinaryCrossEntropy",
    "CrossEntropy",
    "Loss",
    "SigmoidCrossEntropy",
    "SoftmaxCrossEntropy",
    "SquaredError",
    "binary_cross_entropy",
    "cross_entropy",
    "sigmoid_cross_entropy",
    "softmax_cross_entropy",
    "squared_error",
]
