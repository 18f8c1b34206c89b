"""The way back through softmax, without its Jacobian.

    s_k = e^(z_k) / Σ_j e^(z_j)          in each row of z

Every s_i depends on every z_k of its row: ∂s_i/∂z_k = s_i (δ_ik - s_k), with δ_ik = 1 where
i = k, else 0. A later layer says ds_i = ∂L/∂s_i. Wanted is dz_k = Σ_i ds_i ∂s_i/∂z_k: carry the
sum out on paper first, and no K x K matrix is left.

Where to read: chapter "Lines, 3x3".
"""

import numpy as np


def softmax(z):
    e = np.exp(z - z.max(axis=-1).reshape(-1, 1))
    return e / e.sum(axis=-1, keepdims=True)


def softmax_backward(ds, s):
    """Carry a gradient back through `softmax`.

    ds : (N, K)     the gradient at the output
    s : (N, K)      the output, softmax(z)

    Return dz, (N, K).
    """
    return s * (ds - (ds * s).sum(axis=1, keepdims=True))


CHAPTER = "lines"
RETURNS = "dz"
FORWARD = softmax
MISTAKES = {
    "only the diagonal of the Jacobian is taken, s (1 - s): every s_i depends on every z_k": (
        lambda ds, s: ds * s * (1 - s)
    ),
    "the diagonal of the Jacobian is missing: δ_ik": (
        lambda ds, s: -s * (ds * s).sum(axis=1, keepdims=True)
    ),
    "the sum over the other scores is missing": lambda ds, s: ds * s,
    "the sign is turned": lambda ds, s: -softmax_backward(ds, s),
    "the factor s_k before the bracket is missing": (
        lambda ds, s: ds - (ds * s).sum(axis=1, keepdims=True)
    ),
    "the sum runs over the samples (axis 0): it belongs to the classes of one sample (axis 1)": (
        lambda ds, s: s * (ds - (ds * s).sum(axis=0))
    ),
    "the sum runs over the whole batch: each sample has its own (axis=1, keepdims=True)": (
        lambda ds, s: s * (ds - (ds * s).sum())
    ),
    "the sum lacks its weights s_i: it is Σ_i ds_i s_i, not Σ_i ds_i": (
        lambda ds, s: s * (ds - ds.sum(axis=1, keepdims=True))
    ),
}


def inputs():
    draw = np.random.default_rng(3).normal
    for shape in [(3, 4), (1, 2), (5, 1), (2, 7)]:
        z = draw(size=shape)
        yield {"z": z, "s": softmax(z)}
