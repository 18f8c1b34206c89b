"""The mathematics: pure functions on arrays; each f and, right under it, its f_backward.

A backward function takes the gradient at f's output, what f left in memory, and gives the gradient
at f's input. Layers call them; nothing here knows of layers, files or training.

Legend: N samples in a batch; H, W, C height, width, channels; K classes; I, O widths in and out;
x, y input and output; z before an activation, a after it; W, b weights and offset; dz is ∂L/∂z;
KH, KW height and width of a kernel. Images are (N, H, W, C).
"""

from handgrad.calculus.activations import (
    elu,
    elu_backward,
    gelu,
    gelu_backward,
    leaky_relu,
    leaky_relu_backward,
    relu,
    relu_backward,
    sigmoid,
    sigmoid_backward,
    silu,
    silu_backward,
    tanh,
    tanh_backward,
)
from handgrad.calculus.affine import affine, affine_backward, affine_backward_parameters
from handgrad.calculus.convolution import (
    convolve,
    convolve_backward,
    convolve_backward_parameters,
    patches,
    patches_backward,
)
from handgrad.calculus.dropout import dropout, dropout_backward
from handgrad.calculus.normalization import (
    batch_norm,
    batch_norm_backward,
    frozen_norm,
    frozen_norm_backward,
    group_norm,
    group_norm_backward,
)
from handgrad.calculus.pooling import (
    average_pool,
    average_pool_backward,
    global_average_pool,
    global_average_pool_backward,
    max_pool,
    max_pool_backward,
)
from handgrad.calculus.softmax import log_softmax, softmax, softmax_backward, softmax_jacobian

__all__ = [
    "affine",
    "affine_backward",
    "affine_backward_parameters",
    "average_pool",
    "average_pool_backward",
    "batch_norm",
    "batch_norm_backward",
    "convolve",
    "convolve_backward",
    "convolve_backward_parameters",
    "dropout",
    "dropout_backward",
    "elu",
    "elu_backward",
    "frozen_norm",
    "frozen_norm_backward",
    "gelu",
    "gelu_backward",
    "global_average_pool",
    "global_average_pool_backward",
    "group_norm",
    "group_norm_backward",
    "leaky_relu",
    "leaky_relu_backward",
    "log_softmax",
    "max_pool",
    "max_pool_backward",
    "patches",
    "patches_backward",
    "relu",
    "relu_backward",
    "sigmoid",
    "sigmoid_backward",
    "silu",
    "silu_backward",
    "softmax",
    "softmax_backward",
    "softmax_jacobian",
    "tanh",
    "tanh_backward",
]
