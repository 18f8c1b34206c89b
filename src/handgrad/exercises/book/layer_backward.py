"""The step from layer l + 1 back to layer l.

A deep network repeats it. A layer weighs and bends, z[l+1] = a[l] W[l+1] + b[l+1] with
a[l] = tanh(z[l]). Known is the gradient at the next layer's weighed sum, dz_next = ∂L/∂z[l+1].
Wanted is dz = ∂L/∂z[l]: first back through the weights, then through tanh, whose derivative is
1 - tanh².

Where to read: chapter "L layers".
"""

import numpy as np


def next_layer(z, W_next, b_next):
    return np.tanh(z) @ W_next + b_next


def layer_backward(dz_next, z, W_next):
    """Carry a gradient from one layer's weighed sum to that of the layer before it.

    dz_next : (N, O)        the gradient at z[l+1]
    z : (N, I)              the weighed sum of this layer, z[l]
    W_next : (I, O)         the weights of the next layer, W[l+1]

    Return dz, (N, I).
    """
    return (dz_next @ W_next.T) * (1 - np.tanh(z) ** 2)


CHAPTER = "layers"
RETURNS = "dz"
FORWARD = next_layer
MISTAKES = {
    "the derivative of tanh is missing: this is ∂L/∂a[l]": lambda dz, z, W: dz @ W.T,
    "the way through the weights is right; of tanh' = 1 - tanh² the 1 is missing": (
        lambda dz, z, W: -(dz @ W.T) * np.tanh(z) ** 2
    ),
    "tanh is taken where its derivative belongs": lambda dz, z, W: (dz @ W.T) * np.tanh(z),
    "the square is missing: the derivative of tanh is 1 - tanh²": (
        lambda dz, z, W: (dz @ W.T) * (1 - np.tanh(z))
    ),
    "1 - z² is taken: it is 1 - a², with a = tanh(z)": lambda dz, z, W: (dz @ W.T) * (1 - z**2),
    "W is reshaped where it is to be transposed: W.T, not W.reshape": (
        lambda dz, z, W: (dz @ W.reshape(W.shape[::-1])) * (1 - np.tanh(z) ** 2)
    ),
    "the gradient is divided by N: the mean is in dz_next already, where the loss takes one": (
        lambda dz, z, W: layer_backward(dz, z, W) / len(z)
    ),
    "the result is transposed: it has the shape of z, (N, I)": (
        lambda dz, z, W: layer_backward(dz, z, W).T
    ),
    "the sign is turned": lambda dz, z, W: -layer_backward(dz, z, W),
}


def inputs():
    draw = np.random.default_rng(11).normal
    for n, i, o in [(3, 5, 2), (1, 4, 3), (4, 2, 5), (1, 1, 1)]:
        yield {"z": draw(size=(n, i)), "W_next": draw(size=(i, o)), "b_next": draw(size=o)}
