"""The way back through the rectified linear unit.

    a = max(0, z)          for each element by itself

A later layer says da = ∂L/∂a. Wanted is dz = ∂L/∂z. Where z > 0 a small change of z is the same
change of a; where z < 0 it changes nothing. (At z = 0 there is no derivative, and 0 is taken.)

Where to read: chapter "Lines, 3x3".
"""

import numpy as np


def relu(z):
    return np.maximum(0, z)


def relu_backward(da, z):
    """Carry a gradient back through `relu`.

    da : any shape       the gradient at the output
    z : same shape       the input

    Return dz, of the same shape.
    """
    return da * (z > 0)


CHAPTER = "lines"
RETURNS = "dz"
FORWARD = relu
MISTAKES = {
    "the mask is of the wrong side: the gradient passes where z > 0, not where z ≤ 0": (
        lambda da, z: da * (z <= 0)
    ),
    "the mask is missing: the gradient passes everywhere": lambda da, z: da,
    "the mask asks where da > 0; it is where z > 0 that the gradient passes": (
        lambda da, z: da * (da > 0)
    ),
    "da is missing: this is the derivative of ReLU alone, 0 or 1": lambda da, z: (z > 0) * 1.0,
    "this is ReLU itself once more, of z: wanted is its derivative, times da": (
        lambda da, z: relu(z)
    ),
    "a factor z stands too many: da · max(0, z); the slope is 1 where z > 0, however large z is": (
        lambda da, z: da * relu(z)
    ),
    "where z < 0 the sign of da is turned: 0 passes there": lambda da, z: da * np.sign(z),
}


def inputs():
    draw = np.random.default_rng(7).normal
    for shape in [(6,), (3, 4), (2, 1, 5), (1,)]:
        z = draw(size=shape)
        yield {"z": z + np.copysign(0.1, z)}  # not too near the kink
    yield {"z": np.array([-2.0, 3.0]), "da": np.array([5.0, -7.0])}
