"""The way back through the logistic function.

    a = σ(z) = 1 / (1 + e⁻ᶻ)          for each element by itself

A later layer says how the loss L changes with a: da = ∂L/∂a. Wanted is dz = ∂L/∂z. By the chain
rule dz = da · σ'(z), and σ' can be written with nothing but a.

Where to read: chapter "One neuron".
"""

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def sigmoid_backward(da, a):
    """Carry a gradient back through `sigmoid`.

    da : any shape       the gradient at the output
    a : same shape       the output, sigmoid(z)

    Return dz, of the same shape.
    """
    return da * a * (1 - a)


CHAPTER = "neuron"
RETURNS = "dz"
FORWARD = sigmoid
MISTAKES = {
    "da is missing: what you return is the derivative of σ alone; the chain rule multiplies it by "
    "the gradient that comes in": lambda da, a: a * (1 - a),
    "σ'(z) is missing: the gradient is handed on as it came": lambda da, a: da,
    "one factor of a (1 - a) is missing: 1 - a": lambda da, a: da * a,
    "one factor of a (1 - a) is missing: a": lambda da, a: da * (1 - a),
    "a sign within: the derivative is a (1 - a), not a (1 + a)": lambda da, a: da * a * (1 + a),
    "the sigmoid is taken once more: a is its output already, not z": lambda da, a: (
        da * sigmoid(a) * (1 - sigmoid(a))
    ),
    "the sign is turned: the derivative of e⁻ᶻ brings one minus, that of 1/(…) another": (
        lambda da, a: -da * a * (1 - a)
    ),
    "this is the derivative of tanh, 1 - a²; σ has another one": lambda da, a: da * (1 - a**2),
}


def inputs():
    draw = np.random.default_rng(1).normal
    for shape in [(4,), (2, 3), (3, 1, 2), (1,)]:
        z = 2 * draw(size=shape)
        yield {"z": z, "a": sigmoid(z)}
