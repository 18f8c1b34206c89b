"""Every exercise that comes along: solution, mistakes, gap; and the numbers against the package."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.special

import handgrad as hg
from handgrad.exercises import check, exercises, judged
from handgrad.exercises.exercise import CHAPTERS
from handgrad.losses import binary_cross_entropy, softmax_cross_entropy

EXERCISES = exercises()
CASES = [(each, sentence) for each in EXERCISES.values() for sentence in each.mistakes]
HOME = Path(__file__).parents[2]


@pytest.fixture(params=EXERCISES)
def exercise(request):
    return EXERCISES[request.param]


def written(exercise, folder, body=None):
    """The learner's file, with the gap filled by some lines."""
    text = exercise.gap("handgrad check mine.py")
    if body is not None:
        gap = f'    raise NotImplementedError("return {", ".join(exercise.returns)}")\n'
        assert text.endswith(gap)
        text = text.removesuffix(gap) + body
    path = folder / "mine.py"
    path.write_text(text, encoding="utf-8")
    return path


def solution_of(exercise):
    """The body of the solution, and all that stands below it, as a learner might write it."""
    lines = exercise.text.splitlines()
    nodes = ast.parse(exercise.text).body
    at = next(node for node in nodes if getattr(node, "name", "") == exercise.function)
    return "\n".join(lines[at.body[1].lineno - 1 :]) + "\n"


def test_there_are_enough_of_them_along_the_book():
    assert len(EXERCISES) >= 16
    assert {each.chapter for each in EXERCISES.values()} == set(CHAPTERS) - {"fast"}
    chapters = [CHAPTERS.index(each.chapter) for each in EXERCISES.values()]
    assert chapters == sorted(chapters)
    for name, each in EXERCISES.items():
        assert each.about.endswith("."), name
        assert len(each.mistakes) >= 6, name


def test_the_solution_passes_as_a_learner_writes_it(exercise, tmp_path):
    verdict = check(written(exercise, tmp_path, solution_of(exercise)))
    assert verdict.kind == "passed", verdict
    assert verdict.passed
    assert verdict.comparisons >= 15
    assert verdict.worst_error < 1e-9


@pytest.mark.parametrize(
    ("each", "sentence"), CASES, ids=lambda part: getattr(part, "name", str(part)[-40:])
)
def test_a_planted_mistake_is_named(each, sentence):
    verdict = judged(each, each.mistakes[sentence], each.path)
    assert (verdict.kind, verdict.sentence) == ("mistake", sentence)


ATTEMPTS = {
    "sigmoid-backward": (
        "return da * np.exp(-a) / (1 + np.exp(-a)) ** 2",
        "the sigmoid is taken onc",
    ),
    "neuron-gradient": (
        "s = sigmoid = 1 / (1 + np.exp(-(x @ w + b)))\n"
        "    L = -np.sum(t * np.log(s) + (1 - t) * np.log(1 - s)) / len(t)\n"
        "    return L, np.sum((s - t)[:, None] * x, axis=0), np.sum(s - t)",
        "your gradients lack 1/N",
    ),
    "softmax-backward": ("return ds * s * (1 - s)", "only the diagonal of the Jacobian"),
    "softmax-cross-entropy": (
        "p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)\n"
        "    y = np.zeros(z.shape)\n"
        "    y[np.arange(len(t)), t] = 1\n"
        "    return -np.mean(np.log(np.sum(p * y, axis=1))), (p - y) / len(t)",
        "large scores overflow",
    ),
    "network-step": (
        "A1 = np.maximum(0, x @ W1 + b1)\n"
        "    dZ2 = softmax(A1 @ W2 + b2)\n"
        "    dZ2[np.arange(len(t)), t] -= 1\n"
        "    W2 = W2 - learning_rate * A1.T @ dZ2\n"
        "    b2 = b2 - learning_rate * dZ2.sum(axis=0)\n"
        "    dZ1 = dZ2 @ W2.T\n"
        "    dZ1[A1 <= 0] = 0\n"
        "    return W1 - learning_rate * x.T @ dZ1, b1 - learning_rate * dZ1.sum(axis=0), W2, b2",
        "W2 is moved before the gradient went back through it",
    ),
    "relu-backward": ("return np.where(z > 0, 0.0, da)", "the mask is of the wrong side"),
    "affine-backward": ("return dy @ W.T, dy.T @ x, sum(dy)", "dW is transposed"),
    "momentum": (
        "return w - learning_rate * (beta * v + (1 - beta) * g), beta * v + (1 - beta) * g",
        "g is weighed by 1 - β",
    ),
    "adam": (
        "m = beta1 * m + (1 - beta1) * g\n"
        "    s = beta2 * s + (1 - beta2) * g * g\n"
        "    return w - learning_rate * m / (s**0.5 + epsilon), m, s",
        "bias correction forgotten",
    ),
    "layer-backward": (
        "return np.einsum('no,io->ni', dz_next, W_next)",
        "the derivative of tanh is missing",
    ),
    "dropout-backward": ("return np.where(kept, dy, 0.0)", "the scale is missing"),
    "nesterov": (
        "new = beta * v + g\n    return w - learning_rate * new, new",
        "Nesterov's look ahead is missing",
    ),
    "patches-backward": (
        "dx = np.zeros(shape)\n"
        "    for h in range(dp.shape[1]):\n"
        "        for w in range(dp.shape[2]):\n"
        "            dx[:, h : h + dp.shape[3], w : w + dp.shape[4]] += dp[:, h, w, ::-1, ::-1]\n"
        "    return dx",
        "the kernel is turned by half a turn",
    ),
    "max-pool-backward": (
        "dx = np.zeros(x.shape)\n"
        "    for i in (0, 1):\n"
        "        for j in (0, 1):\n"
        "            dx[:, i : dy.shape[1] * 2 : 2, j : dy.shape[2] * 2 : 2] = dy / 4\n"
        "    return dx",
        "the gradient is shared out evenly",
    ),
    "batch-norm-backward": (
        "sigma = np.sqrt(x.var(axis=0) + epsilon)\n"
        "    hat = (x - x.mean(axis=0)) / sigma\n"
        "    return scale * dy / sigma, np.sum(dy * hat, axis=0), np.sum(dy, axis=0)",
        "mean and variance are taken for fixed numbers",
    ),
    "convolution-backward": (
        "dx, dW = np.zeros(x.shape), np.zeros(W.shape)\n"
        "    for h, w in np.ndindex(dy.shape[1:3]):\n"
        "        seen = x[:, h : h + W.shape[0], w : w + W.shape[1]]\n"
        "        dW += np.einsum('nijc,no->ijco', seen, dy[:, h, w])\n"
        "        dx[:, h : h + W.shape[0], w : w + W.shape[1]] += np.einsum(\n"
        "            'no,ijco->nijc', dy[:, h, w], W)\n"
        "    return dx, dW, dy.mean(axis=(0, 1, 2))",
        "db is the mean over samples and positions",
    ),
    "huber": (
        "r = y - t\n"
        "    losses = [e * e / 2 if abs(e) <= delta else delta * (abs(e) - delta / 2) for e in r]\n"
        "    return sum(losses) / len(r), r / len(r)",
        "far off the gradient is that of the squared error",
    ),
}
"""What people write: with a mistake, and how what is said of it begins."""


@pytest.mark.parametrize("name", EXERCISES)
def test_an_attempt_in_a_learners_own_words(name, tmp_path):
    body, said = ATTEMPTS[name]
    verdict = check(written(EXERCISES[name], tmp_path, f"    {body}\n"))
    assert verdict.kind == "mistake", verdict
    assert verdict.sentence.startswith(said)


def test_the_gap_says_that_there_is_nothing_yet(exercise, tmp_path):
    path = written(exercise, tmp_path)
    verdict = check(path)
    assert verdict.kind == "nothing yet"
    line = int(re.match(r"line (\d+) is the gap", verdict.sentence)[1])
    assert "raise NotImplementedError" in path.read_text(encoding="utf-8").splitlines()[line - 1]


def test_an_unknown_mistake_is_located(exercise):
    """One element, of the last value, of the second trial, is off by a little."""
    calls = []

    def nearly(*given):
        calls.append(given)
        answer = exercise.solution(*given)
        values = list(answer) if isinstance(answer, tuple) else [answer]
        if len(calls) == 2:
            values[-1] = np.array(values[-1], float)
            values[-1][(-1,) * values[-1].ndim] += 1e-3
        return tuple(values) if len(values) > 1 else values[0]

    verdict = judged(exercise, nearly, "mine.py")
    assert verdict.kind == "differs"
    match = re.fullmatch(
        r"(\w+)( \(.*\), element (\(.*\)))?: found (\S+), but (.+) gives (\S+); "
        r"it was given (.*)",
        verdict.sentence,
    )
    assert match, verdict.sentence
    assert match[1] == exercise.returns[-1]
    assert float(match[4]) - float(match[6]) == pytest.approx(1e-3, rel=1e-3)
    if match[3] is not None:
        value = exercise.solution(*calls[1])
        value = value[-1] if isinstance(value, tuple) else value
        assert ast.literal_eval(match[3]) == tuple(side - 1 for side in value.shape)
    first = next(value for value in calls[1] if isinstance(value, np.ndarray))
    assert str(first.shape) in match[7]


def test_the_learners_file_holds_nothing_of_the_answer_and_needs_numpy_alone(exercise, tmp_path):
    path = written(exercise, tmp_path)
    text = path.read_text(encoding="utf-8")
    assert not [word for word in ("MISTAKES", "RETURNS", "inputs", "handgrad.") if word in text]
    assert not [sentence for sentence in exercise.mistakes if sentence[:30] in text]
    assert f'EXERCISE = "{exercise.name}"' in text
    assert "chapter" in ast.get_docstring(ast.parse(text))
    imported = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Import | ast.ImportFrom)]
    assert [ast.unparse(node) for node in imported] == ["import numpy as np"]
    for name in exercise.returns:  # what is to be returned is said
        assert re.search(rf"Return .*\b{name}\b", text, re.DOTALL)
    assert max(map(len, text.splitlines())) <= 100


def test_it_reads_alone(tmp_path):
    """With NumPy, without this package."""
    path = written(EXERCISES["affine-backward"], tmp_path)
    code = "import runpy, sys; runpy.run_path(sys.argv[1]); print('handgrad' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("False", "")


def test_every_name_in_the_pages_is_an_exercise():
    pages = [HOME / "README.md", *(HOME / "docs").glob("*.md"), *(HOME / "docs/book").glob("*.md")]
    for page in pages:
        for name in re.findall(r"handgrad exercise ([a-z][\w-]*)", page.read_text("utf-8")):
            begun = [each for each in EXERCISES if each.startswith(name)]
            assert name in EXERCISES or len(begun) == 1, f"{page.name}: {name}"


# Values are compared with the solution: here the solutions are held to the package's own functions.


def trials(name):
    each = EXERCISES[name]
    for given in each.inputs():
        yield given, each.solution(*(given[key] for key in _names(each)))


def _names(each):
    code = each.solution.__code__
    return code.co_varnames[: code.co_argcount]


def test_the_loss_of_a_neuron():
    for given, (L, dw, db) in trials("neuron-gradient"):
        y = 1 / (1 + np.exp(-(given["x"] @ given["w"] + given["b"])))
        losses, dy = binary_cross_entropy(y[:, None], given["t"])
        dz = hg.calculus.sigmoid_backward(dy, y[:, None]) / len(y)
        assert pytest.approx(losses.mean()) == L
        np.testing.assert_allclose(dw, (given["x"].T @ dz)[:, 0])
        assert db == pytest.approx(dz.sum())


def test_softmax_cross_entropy():
    for given, (L, dz) in trials("softmax-cross-entropy"):
        losses, gradient = softmax_cross_entropy(given["z"], given["t"])
        assert pytest.approx(losses.mean()) == L
        np.testing.assert_allclose(dz, gradient / len(losses), atol=1e-15)


def test_hubers_loss_by_hand():
    """δ = 1: r = 0.5, -3, 1 give 1/8, 2.5, 1/2 and slopes 0.5, -1, 1, over N = 3."""
    L, dy = EXERCISES["huber"].solution(np.array([0.5, -3.0, 1.0]), np.zeros(3), 1.0)
    assert pytest.approx(0.125 + 2.5 + 0.5) == L * 3
    np.testing.assert_allclose(dy, np.array([0.5, -1.0, 1.0]) / 3)


def test_hubers_loss_is_scipys():
    for given, (L, _) in trials("huber"):
        expected = scipy.special.huber(given["delta"], given["y"] - given["t"])
        assert L * len(given["y"]) == pytest.approx(expected.sum())


@pytest.mark.parametrize(
    ("name", "kind", "settings"),
    [
        ("momentum", hg.Momentum, ["beta"]),
        ("nesterov", hg.Nesterov, ["beta"]),
        ("adam", hg.Adam, ["beta1", "beta2", "epsilon"]),
    ],
)
def test_the_optimizers_step_as_the_packages_do(name, kind, settings):
    """Trials follow on each other from rest: the same steps, by the package's chain."""
    from handgrad.arrays import Layout

    begun = 0
    for given, (w, *_) in trials(name):
        memory = given["v" if "v" in given else "m"]
        if not memory.any():
            begun, vector = begun + 1, given["w"].ravel().copy()
            chosen = {key: given[key] for key in settings}
            optimizer = kind(learning_rate=given["learning_rate"], **chosen)
            chain = optimizer.chain(Layout({"W": vector.shape}))
            state, t = chain.start(vector), 0
        g = given["g"].ravel().copy()
        chain.apply(g, state, vector, t, 3)
        vector -= g
        t += 1
        np.testing.assert_allclose(w.ravel(), vector, rtol=1e-12)
    assert begun >= 2


def test_a_step_of_the_network_is_the_packages():
    for given, after in trials("network-step"):
        network = hg.Network((hg.Dense(6), hg.ReLU(), hg.Dense(2)), (9,), dtype=np.float64)
        for at, name in ((0, "1"), (2, "2")):
            network.params[at].W[...] = given[f"W{name}"]
            network.params[at].b[...] = given[f"b{name}"]
        outputs, memories = network.forward(given["x"])
        _, dz = softmax_cross_entropy(outputs, given["t"])
        gradient = network.gradient()
        network.backward(dz, memories, gradient.views)
        for i, (at, name) in enumerate([(0, "W"), (0, "b"), (2, "W"), (2, "b")]):
            moved = getattr(network.params[at], name) - 0.1 * getattr(gradient.views[at], name)
            np.testing.assert_allclose(after[i], moved, rtol=1e-10, atol=1e-12)
