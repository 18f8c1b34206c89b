"""Mistakes that people make, planted one at a time: the test of the tests.

Each `Fault` is a few characters of a function exchanged for others. `planted` puts it in, in place,
for the length of a block; a check that does not fail then is a hole in the checks.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from handgrad.errors import HandgradError
from handgrad.verification.certificate import checks, verify
from handgrad.verification.finding import Finding

__all__ = ["FAULTS", "Fault", "caught", "planted"]


@dataclass(frozen=True)
class Fault:
    """One mistake.

    Parameters
    ----------
    name : what was done wrong, in words
    where : module and function or method, below ``handgrad``: "calculus.affine:affine_backward"
    right, wrong : what is exchanged, once
    check : which check is expected to catch it
    """

    name: str
    where: str
    right: str
    wrong: str
    check: str


@contextlib.contextmanager
def planted(fault: Fault) -> Iterator[None]:
    """Within the block, the function is the wrong one, for all who have it already.

    Its code object is exchanged, so that no reference to the function has to be found.
    """
    module_name, _, path = fault.where.partition(":")
    module = importlib.import_module(f"handgrad.{module_name}")
    function: Any = module
    for name in path.split("."):
        function = getattr(function, name)
    source = textwrap.dedent(inspect.getsource(function))
    if source.count(fault.right) != 1:
        raise HandgradError(
            f"{fault.name}: found {fault.right!r} {source.count(fault.right)} times in "
            f"{fault.where}; expected it once"
        )
    place: dict[str, Any] = {}
    code = compile(source.replace(fault.right, fault.wrong), f"<{fault.name}>", "exec")
    exec(code, vars(module), place)
    before = function.__code__
    function.__code__ = place[path.rpartition(".")[2]].__code__
    try:
        yield
    finally:
        function.__code__ = before


def caught(fault: Fault) -> Finding | None:
    """The finding that fails while a fault is planted: of the check expected, else of any."""
    found = checks()
    expected = [(fault.check, found.pop(fault.check))]
    with planted(fault):
        for finding in verify([*expected, *found.items()]):
            if not finding.passed:
                return finding
    return None


_A, _E = "calculus.activations", "losses.cross_entropy"
_C, _N, _P = "calculus.convolution", "calculus.normalization", "calculus.pooling"

FAULTS = (
    # The affine map
    Fault(
        "W not transposed for dx",
        "calculus.affine:affine_backward",
        "dy @ W.T",
        "dy @ W.reshape(W.shape[::-1])",
        "function affine",
    ),
    Fault("offset forgotten", "calculus.affine:affine", "y += b", "y += 0 * b", "layer dense"),
    Fault(
        "offset's gradient summed over the wrong axis",
        "calculus.affine:affine_backward_parameters",
        "dy.sum(axis=0, out=db)",
        "db[...] = np.resize(np.sum(dy, axis=1), db.shape)",
        "function affine",
    ),
    Fault(
        "offset's gradient a mean where the loss has its own 1/m",
        "calculus.affine:affine_backward_parameters",
        "dy.sum(axis=0, out=db)",
        "np.mean(dy, axis=0, out=db)",
        "function affine",
    ),
    Fault(
        "weights' gradient divided by the batch once more",
        "calculus.affine:affine_backward_parameters",
        "np.matmul(x.T, dy, out=dW)",
        "np.matmul(x.T / len(x), dy, out=dW)",
        "function affine",
    ),
    Fault(
        "weights' gradient added to what was there",
        "calculus.affine:affine_backward_parameters",
        "np.matmul(x.T, dy, out=dW)",
        "dW += x.T @ dy",
        "function affine",
    ),
    Fault(
        "offset's gradient of the first sample only",
        "calculus.affine:affine_backward_parameters",
        "dy.sum(axis=0, out=db)",
        "db[...] = dy[0]",
        "function affine",
    ),
    # Activations
    Fault(
        "mask of ReLU from the wrong side",
        f"{_A}:relu_backward",
        "da * (a > 0)",
        "da * (a < 0)",
        "function relu",
    ),
    Fault(
        "ReLU's derivative left out",
        f"{_A}:relu_backward",
        "da * (a > 0)",
        "da * 1.0",
        "function relu",
    ),
    Fault(
        "sigmoid's derivative a(1 + a)",
        f"{_A}:sigmoid_backward",
        "Array = 1 - a",
        "Array = 1 + a",
        "function sigmoid",
    ),
    Fault(
        "sigmoid's derivative without a",
        f"{_A}:sigmoid_backward",
        "dz *= a",
        "dz *= 1",
        "function sigmoid",
    ),
    Fault(
        "sigmoid turned around for negative scores",
        f"{_A}:sigmoid",
        "a: Array = -z",
        "a = -np.abs(z)",
        "function sigmoid",
    ),
    Fault("tanh's derivative 1 - a", f"{_A}:tanh_backward", "a * a", "a * 1", "function tanh"),
    Fault(
        "tanh's derivative a factor 2.001 for 2",
        f"{_A}:tanh_backward",
        "a * a",
        "a * a * 2.001 / 2",
        "function tanh",
    ),
    Fault(
        "ELU's slip of precedence: α eᶻ - 1",
        f"{_A}:elu",
        "alpha * np.expm1(np.minimum(z, 0))",
        "alpha * np.exp(np.minimum(z, 0)) - 1",
        "function elu",
    ),
    Fault(
        "ELU's derivative without α",
        f"{_A}:elu_backward",
        "alpha * np.exp(np.minimum(z, 0))",
        "np.exp(np.minimum(z, 0))",
        "function elu",
    ),
    Fault(
        "ELU's derivative f(z) in place of f(z) + α",
        f"{_A}:elu_backward",
        "alpha * np.exp(np.minimum(z, 0))",
        "alpha * np.expm1(np.minimum(z, 0))",
        "function elu",
    ),
    Fault(
        "leak forgotten on the way back",
        f"{_A}:leaky_relu_backward",
        "da * slope",
        "da * 0",
        "function leaky_relu",
    ),
    Fault(
        "leak on the positive side",
        f"{_A}:leaky_relu_backward",
        "np.where(z > 0",
        "np.where(z < 0",
        "function leaky_relu",
    ),
    Fault(
        "GELU's derivative without its second term",
        f"{_A}:gelu_backward",
        "+ z * density",
        "+ 0 * density",
        "function gelu",
    ),
    Fault(
        "GELU's density with a factor 1/√π",
        f"{_A}:gelu_backward",
        "density *= 1 / math.sqrt(2 * math.pi)",
        "density *= 1 / math.sqrt(math.pi)",
        "function gelu",
    ),
    Fault(
        "dropout not rescaled", "calculus.dropout:dropout", "1 / (1 - rate)", "1.0", "layer dropout"
    ),
    Fault(
        "dropout rescaled by the rate",
        "calculus.dropout:dropout",
        "1 / (1 - rate)",
        "1 / rate",
        "layer dropout",
    ),
    Fault(
        "dropout's way back without the mask",
        "calculus.dropout:dropout_backward",
        "dropout(dy, kept, rate)",
        "dy / (1 - rate)",
        "function dropout",
    ),
    Fault(
        "dropout keeps with the rate",
        "layers.dropout:Dropout.draw",
        ">= self.rate",
        "< self.rate",
        "layer dropout",
    ),
    Fault(
        "ReLU's derivative 1 at the kink",
        f"{_A}:relu_backward",
        "da * (a > 0)",
        "da * (a >= 0)",
        "function relu",
    ),
    Fault(
        "SiLU's derivative that of the sigmoid alone",
        f"{_A}:silu_backward",
        "dz *= z",
        "dz *= 1",
        "function silu",
    ),
    # Convolution
    Fault(
        "kernel turned around on the way there",
        f"{_C}:convolve",
        "W.reshape(-1, O)",
        "W[::-1, ::-1].reshape(-1, O)",
        "function convolve",
    ),
    Fault(
        "kernel not turned around for dx",
        f"{_C}:convolve_backward",
        "W[::-1, ::-1].swapaxes(2, 3)",
        "W.swapaxes(2, 3)",
        "function convolve",
    ),
    Fault(
        "channels in and out reshaped, not exchanged",
        f"{_C}:convolve_backward",
        ".swapaxes(2, 3)",
        ".reshape(KH, KW, O, C)",
        "function convolve",
    ),
    Fault(
        "padding off by one on the way back",
        f"{_C}:convolve_backward",
        "(rows - above, rows - below)",
        "(rows - above + 1, rows - below - 1)",
        "function convolve",
    ),
    Fault(
        "padding above and below exchanged",
        f"{_C}:_zeros_around",
        "(above, below), (left, right) = padding",
        "(below, above), (left, right) = padding",
        "function patches",
    ),
    Fault(
        "border left on and the image's end cut off",
        f"{_C}:patches_backward",
        "return inside",
        "return padded[:, : shape[1], : shape[2]]",
        "function patches",
    ),
    Fault(
        "stride forgotten on the way back",
        f"{_C}:convolve_backward",
        "stride == 1 and min",
        "min",
        "function convolve",
    ),
    Fault(
        "dilation ignored",
        f"{_C}:patches",
        "::dilation, ::dilation]",
        ": kernel[0], : kernel[1]]",
        "function patches",
    ),
    Fault(
        "dilation ignored on the way back",
        "calculus.windows:places",
        "range(0, window[0] * dilation, dilation)",
        "range(window[0])",
        "function patches",
    ),
    Fault(
        "overlapping patches overwrite each other",
        f"{_C}:patches_backward",
        "pixels += ",
        "pixels[...] = ",
        "function patches",
    ),
    Fault(
        "kernel's height and width exchanged on the way back",
        f"{_C}:convolve_backward",
        "KH, KW, C)\n",
        "KW, KH, C)\n",
        "function convolve",
    ),
    Fault(
        "offset's gradient of one pixel only",
        f"{_C}:convolve_backward_parameters",
        "np.sum(dy.sum(axis=0), axis=(0, 1), out=db)",
        "db[...] = dy.sum(axis=0)[0, 0]",
        "function convolve",
    ),
    Fault(
        "kernel's gradient of the last few samples only",
        f"{_C}:convolve_backward_parameters",
        "dW += ",
        "dW[...] = ",
        "function convolve",
    ),
    Fault(
        "the last few samples left out",
        f"{_C}:_few_samples",
        "range(0, len(p), few)",
        "range(0, max(1, len(p) - few + 1), few)",
        "function convolve",
    ),
    # Pooling
    Fault(
        "pooling gives the gradient to all that are equally large",
        f"{_P}:max_pool_backward",
        "largest &= searching",
        "largest &= True",
        "function max_pool",
    ),
    Fault(
        "pooling gives the gradient to the last that is equally large",
        f"{_P}:max_pool_backward",
        "zip(places(x, window, stride), places(dx, window, stride), strict=True)",
        "zip(places(x, window, stride)[::-1], places(dx, window, stride)[::-1])",
        "function max_pool",
    ),
    Fault(
        "pooling gives the gradient to the first pixel, whatever it is",
        f"{_P}:max_pool_backward",
        "pixels == y",
        "pixels <= y",
        "function max_pool",
    ),
    Fault(
        "overlapping windows overwrite each other",
        f"{_P}:max_pool_backward",
        "dpixels += ",
        "dpixels[...] = ",
        "function max_pool",
    ),
    Fault(
        "largest without its sign",
        f"{_P}:max_pool",
        "np.maximum(y, pixels, out=y)",
        "np.copyto(y, pixels, where=abs(pixels) > abs(y))",
        "function max_pool",
    ),
    Fault(
        "sum for mean in pooling",
        f"{_P}:average_pool",
        "y /= size * size",
        "y /= 1",
        "function average_pool",
    ),
    Fault(
        "average pooling's way back not divided",
        f"{_P}:average_pool_backward",
        "dy / (size * size)",
        "dy / 1",
        "function average_pool",
    ),
    Fault(
        "global pooling's way back divided by one side only",
        f"{_P}:global_average_pool_backward",
        "shape[1] * shape[2]",
        "shape[1]",
        "function global_average_pool",
    ),
    # Normalization
    Fault(
        "batch normalization without the term through the variance",
        f"{_N}:batch_norm_backward",
        "dx *= -along / M",
        "dx *= 0",
        "function batch_norm",
    ),
    Fault(
        "batch normalization without the term through the mean",
        f"{_N}:batch_norm_backward",
        "dx -= straight / M",
        "dx -= 0",
        "function batch_norm",
    ),
    Fault(
        "unbiased variance",
        f"{_N}:batch_norm",
        "total(_channel_sum(squares)) / M",
        "total(_channel_sum(squares)) / max(1, M - 1)",
        "function batch_norm",
    ),
    Fault(
        "statistics divided by the samples, not by all places",
        f"{_N}:places_of_channel",
        "x.size // x.shape[-1]",
        "x.shape[0]",
        "function batch_norm",
    ),
    Fault(
        "epsilon outside the root",
        f"{_N}:frozen_norm",
        "np.sqrt(variance + epsilon)",
        "(np.sqrt(variance) + epsilon)",
        "function frozen_norm",
    ),
    Fault(
        "divided by the variance, not by its root",
        f"{_N}:frozen_norm",
        "np.sqrt(variance + epsilon)",
        "(variance + epsilon)",
        "function frozen_norm",
    ),
    Fault(
        "epsilon forgotten on the way back",
        f"{_N}:frozen_norm_backward",
        "np.sqrt(variance + epsilon)",
        "np.sqrt(variance)",
        "function frozen_norm",
    ),
    Fault(
        "frozen statistics derived as if they were the batch's",
        f"{_N}:frozen_norm_backward",
        "dx: Array = dy * (_one(scale) / deviation)",
        "dx = batch_norm_backward(dy, x, mean, variance, scale, None, None, epsilon)",
        "function frozen_norm",
    ),
    Fault(
        "scale forgotten in dx",
        f"{_N}:batch_norm_backward",
        "dx *= _one(scale) / deviation",
        "dx /= deviation",
        "function batch_norm",
    ),
    Fault(
        "offset's gradient over the batch axis only",
        f"{_N}:_parameters",
        "doffset[...] = straight",
        "doffset[...] = dy.sum(axis=0).reshape(-1, dy.shape[-1])[0]",
        "function batch_norm",
    ),
    Fault(
        "channels dealt to the groups in turn",
        f"{_N}:_grouped",
        "-1, groups, x.shape[-1] // groups)",
        "-1, x.shape[-1] // groups, groups).swapaxes(2, 3)",
        "function group_norm",
    ),
    Fault(
        "group normalization's statistics per pixel",
        f"{_N}:group_norm",
        "_group_mean(grouped)",
        "grouped.mean(axis=3, keepdims=True)[:, :1]",
        "function group_norm",
    ),
    Fault(
        "scale taken out of the sums over a group",
        f"{_N}:group_norm_backward",
        "along, average = _group_mean(dx * normalized), _group_mean(dx)",
        "plain = _grouped(dy, groups)\n    "
        "along, average = _group_mean(plain * normalized), _group_mean(plain)",
        "function group_norm",
    ),
    # Softmax and the losses
    Fault(
        "softmax over the batch",
        "calculus.softmax:softmax",
        "s.sum(axis=-1, keepdims=True)",
        "s.sum(axis=0, keepdims=True)",
        "function softmax",
    ),
    Fault(
        "softmax's Jacobian taken as its diagonal",
        "calculus.softmax:softmax_backward",
        "(ds - (ds * s).sum(axis=-1, keepdims=True))",
        "(ds - ds * s)",
        "function softmax",
    ),
    Fault(
        "softmax's Jacobian with a plus",
        "calculus.softmax:softmax_jacobian",
        " - s[:, None, :]",
        " + s[:, None, :]",
        "function softmax",
    ),
    Fault(
        "the largest score subtracted once only in log-softmax",
        "calculus.softmax:log_softmax",
        "np.log(np.exp(shifted)",
        "np.log(np.exp(z.T)",
        "function log_softmax",
    ),
    Fault(
        "softmax applied twice",
        "losses.loss:SoftmaxCrossEntropy.each",
        "softmax_cross_entropy(outputs, labels, self.smoothing)",
        "softmax_cross_entropy(softmax(outputs), labels, self.smoothing)",
        "loss softmax cross-entropy",
    ),
    Fault(
        "cross-entropy printed, squared error descended",
        f"{_E}:softmax_cross_entropy",
        "np.exp(log_s, out=log_s)",
        "np.exp(log_s) ** 2",
        "loss softmax cross-entropy",
    ),
    Fault(
        "binary cross-entropy printed, softmax descended",
        "losses.loss:SigmoidCrossEntropy.each",
        "sigmoid_cross_entropy(outputs, labels)",
        "(sigmoid_cross_entropy(outputs, labels)[0], "
        "softmax_cross_entropy(_both(outputs), labels)[1][:, 1:])",
        "loss sigmoid cross-entropy",
    ),
    Fault(
        "y - s for s - y",
        f"{_E}:softmax_cross_entropy",
        "return losses, dz",
        "return losses, -dz",
        "loss softmax cross-entropy",
    ),
    Fault(
        "the loss counted for the gradient's label only",
        f"{_E}:softmax_cross_entropy",
        "dz[rows, labels] -= 1",
        "dz[:, labels[0]] -= 1",
        "loss softmax cross-entropy",
    ),
    Fault(
        "the first tutorial's printed sign",
        f"{_E}:binary_cross_entropy",
        "np.where(y, -1 / true, 1 / true)",
        "np.where(y, -1 / true, -1 / true)",
        "loss binary cross-entropy",
    ),
    Fault(
        "-1/ŷ for every class",
        f"{_E}:cross_entropy",
        "ds[rows, labels] = -1 / true",
        "ds[...] = (-1 / true)[:, None]",
        "loss cross-entropy",
    ),
    Fault(
        "logarithm to base 2 reported",
        f"{_E}:cross_entropy",
        "-np.log(true)",
        "-np.log2(true)",
        "loss cross-entropy",
    ),
    Fault(
        "labels exchanged for two classes",
        f"{_E}:sigmoid_cross_entropy",
        "labels.astype(z.dtype)",
        "(1 - labels).astype(z.dtype)",
        "loss sigmoid cross-entropy",
    ),
    Fault(
        "the half forgotten in the squared error",
        "losses.squared_error:squared_error",
        "0.5 * np",
        "np",
        "loss squared error",
    ),
    Fault(
        "missing 1/m in the gradient",
        "losses.loss:Loss.__call__",
        "gradient /= len(labels)",
        "gradient /= 1",
        "loss softmax cross-entropy",
    ),
    Fault(
        "sum for mean in the reported loss",
        "losses.loss:Loss.__call__",
        "return total / len(labels), gradient",
        "return total, gradient",
        "loss softmax cross-entropy",
    ),
    Fault(
        "mean over classes as well",
        "losses.loss:Loss.__call__",
        "gradient /= len(labels)",
        "gradient /= gradient.size",
        "loss softmax cross-entropy",
    ),
    Fault(
        "the least likely class called",
        "losses.loss:Loss.decide",
        "outputs.argmax(axis=1)",
        "outputs.argmin(axis=1)",
        "loss softmax cross-entropy",
    ),
    # The network and the loop
    Fault(
        "penalty descended but not reported",
        "training.gradient:penalty",
        "total += 0.5 * loss.penalty * float(np.dot(W, W))",
        "pass",
        "network small",
    ),
    Fault(
        "penalty reported but not descended",
        "training.gradient:penalty",
        "gradient.vector[place] += loss.penalty * W",
        "pass",
        "network small",
    ),
    Fault(
        "penalty without its half",
        "training.gradient:penalty",
        "0.5 * loss.penalty * float",
        "loss.penalty * float",
        "network small",
    ),
    Fault(
        "a layer left out on the way back",
        "networks.network:Network.backward",
        "after = slice(i + 1, None)",
        "after = slice(i + 1, -1)",
        "network small",
    ),
    Fault(
        "the gradient ascended",
        "training.loop:_Descent.update",
        "learned -= self.g.vector",
        "learned += self.g.vector",
        "training fit",
    ),
    Fault(
        "epoch's loss not weighted by the samples",
        "training.state:Seen.add",
        "value * samples",
        "value * 3",
        "training fit",
    ),
    Fault(
        "another draw every time it is asked",
        "training.loop:_generator",
        "spawn_key=(DRAWS, t)",
        "spawn_key=(DRAWS, 0)",
        "training fit",
    ),
    # Optimizers and schedules
    Fault(
        "momentum with the sign turned",
        "optimizers.rules:MomentumRule.apply",
        "v *= self.beta",
        "v *= -self.beta",
        "optimizer momentum",
    ),
    Fault(
        "momentum's gradient damped as well",
        "optimizers.rules:MomentumRule.apply",
        "v += g",
        "v += (1 - self.beta) * g",
        "optimizer momentum",
    ),
    Fault(
        "Nesterov's look ahead forgotten",
        "optimizers.rules:MomentumRule.apply",
        "g += self.beta * v",
        "g[...] = v",
        "optimizer nesterov",
    ),
    Fault(
        "Muon with the momentum of the other numbers",
        "optimizers.muon:MuonRule.apply",
        "v[slot.start : slot.stop], self.beta)",
        "v[slot.start : slot.stop], self.beta_others)",
        "optimizer muon",
    ),
    Fault(
        "a matrix of filters cut the wrong way",
        "optimizers.muon:as_matrix",
        "reshape(-1, slot.shape[-1] if len(slot.shape) > 1 else 1)",
        "reshape(slot.shape[0], -1)",
        "optimizer muon",
    ),
    Fault(
        "the fifth power forgotten",
        "optimizers.muon:orthogonalized",
        "(b * A + c * (A @ A))",
        "(b * A)",
        "optimizer muon",
    ),
    Fault(
        "a tall matrix handed back lying",
        "optimizers.muon:orthogonalized",
        "X.T if tall else X",
        "X.reshape(M.shape)",
        "optimizer muon",
    ),
    Fault(
        "the norm of the inputs, not of the neurons",
        "optimizers.muon:FixedNorm.apply",
        "shape[1]",
        "shape[0]",
        "optimizer muon",
    ),
    Fault(
        "RMSProp's root forgotten",
        "optimizers.rules:RMSPropRule.apply",
        "np.sqrt(s)",
        "s.copy()",
        "optimizer rmsprop",
    ),
    Fault(
        "RMSProp's ε inside the root",
        "optimizers.rules:RMSPropRule.apply",
        "np.sqrt(s)",
        "np.sqrt(s + self.epsilon)",
        "optimizer rmsprop",
    ),
    Fault(
        "Adam without bias correction",
        "optimizers.rules:AdamRule.apply",
        "(1 - self.beta1) / (1 - self.beta1 ** (t + 1))",
        "1 - self.beta1",
        "optimizer adam",
    ),
    Fault(
        "Adam's second bias correction forgotten",
        "optimizers.rules:AdamRule.apply",
        "math.sqrt((1 - self.beta2) / (1 - self.beta2 ** (t + 1)))",
        "math.sqrt(1 - self.beta2)",
        "optimizer adam",
    ),
    Fault(
        "Adam's steps counted from 0",
        "optimizers.rules:AdamRule.apply",
        "1 - self.beta1 ** (t + 1)",
        "1 - self.beta1 ** (t or 1)",
        "optimizer adam",
    ),
    Fault(
        "Adam's betas exchanged",
        "optimizers.rules:AdamRule.apply",
        "M *= self.beta1",
        "M *= self.beta2",
        "optimizer adam",
    ),
    Fault(
        "weight decay inside Adam where AdamW is meant",
        "optimizers.optimizer:Optimizer.chain",
        "self.rule(layout),\n        None if self.coupled else decay,",
        "decay,\n        self.rule(layout),",
        "optimizer adamw",
    ),
    Fault(
        "the offsets' own rate forgotten",
        "optimizers.chain:Rates.apply",
        "g[place] *= factor",
        "pass",
        "optimizer sgd",
    ),
    Fault(
        "label smoothing reported, not descended",
        "losses.cross_entropy:softmax_cross_entropy",
        "dz -= smoothing / z.shape[1]",
        "pass",
        "loss softmax cross-entropy",
    ),
    Fault(
        "class weights reported, not descended",
        "losses.loss:Loss.__call__",
        "gradient *= weights[:, None]",
        "pass",
        "loss squared error",
    ),
    Fault(
        "triangle that ends at 0",
        "optimizers.schedules:Triangular.__call__",
        "(self.end - 1)",
        "(0 - 1)",
        "schedule triangular",
    ),
    Fault(
        "offsets decay too",
        "optimizers.chain:Decay.apply",
        "for place, decay in self.parts",
        "for place, decay in [(slice(None), self.parts[0][1])]",
        "optimizer adamw",
    ),
    Fault(
        "coupled decay after the momentum all the same",
        "optimizers.optimizer:Optimizer.chain",
        "decay if self.coupled else None,\n        self.rule(layout),",
        "self.rule(layout),\n        decay if self.coupled else None,",
        "optimizer nesterov",
    ),
    Fault(
        "offsets decay as much as weights, whatever their own factor",
        "optimizers.optimizer:Optimizer.chain",
        'named("decays", self.weight_decay)',
        'tuple((p, self.weight_decay) for p, _ in named("decays"))',
        "optimizer sgd",
    ),
    Fault(
        "frozen numbers that move at half their rate",
        "optimizers.chain:Frozen.apply",
        "g[place] = 0",
        "g[place] *= 0.5",
        "optimizer sgd",
    ),
    Fault(
        "frozen one step late",
        "optimizers.chain:Frozen.apply",
        "t >= after",
        "t - 1 >= after",
        "optimizer sgd",
    ),
    Fault(
        "a scale that the way back forgets",
        "layers.scale:Scale.backward",
        "dy * self.factor",
        "dy * 1.0",
        "layer scale",
    ),
    Fault(
        "clipped by each number, not by the norm",
        "optimizers.chain:ClipNorm.apply",
        "g *= self.norm / found",
        "g.clip(-self.norm, self.norm, out=g)",
        "optimizer sgd",
    ),
    Fault(
        "scaled up to the norm as well",
        "optimizers.chain:ClipNorm.apply",
        "found > self.norm",
        "found",
        "optimizer sgd",
    ),
    Fault(
        "schedule one step late",
        "optimizers.chain:Scale.apply",
        "self.schedule(t, total)",
        "self.schedule(max(t - 1, 0), total)",
        "optimizer sgd",
    ),
    Fault(
        "a whole cosine for half of one",
        "optimizers.schedules:_half_cosine",
        "math.pi * progress",
        "2 * math.pi * progress",
        "schedule cosine",
    ),
    Fault(
        "warm-up from 0 at step 0",
        "optimizers.schedules:WarmUp.__call__",
        "(t + 1) / steps",
        "t / steps",
        "schedule warm-up",
    ),
    Fault(
        "moving average that keeps its start",
        "optimizers.averaging:MovingAverage.after",
        "min(self.decay, (1 + t) / (10 + t))",
        "self.decay",
        "averaging moving average",
    ),
    Fault(
        "moving average of the last weights alone",
        "optimizers.averaging:MovingAverage.after",
        "average *= decay",
        "average *= 0",
        "averaging moving average",
    ),
    Fault(
        "lookahead that never goes back",
        "optimizers.averaging:Lookahead.after",
        "vector[...] = slow\n    if",
        "pass\n    if",
        "averaging lookahead",
    ),
)
