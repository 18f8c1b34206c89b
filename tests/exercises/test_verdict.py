"""Each way in which a learner's function can be wrong has its own sentence."""

from __future__ import annotations

import signal
import sys
import textwrap

import pytest

from handgrad.errors import DataError, HandgradError
from handgrad.exercises import check, exercise, read_exercise

EXERCISE = exercise("affine-backward")
GAP = '    raise NotImplementedError("return dx, dW, db")\n'


@pytest.fixture
def said(tmp_path):
    """The kind and the sentence for a body of ``affine_backward``; ``GAP`` begins in line 31."""

    def judge(body, seconds=10.0):
        path = tmp_path / "mine.py"
        text = EXERCISE.gap("handgrad check mine.py").replace(GAP, textwrap.indent(body, "    "))
        path.write_text(text + "\n", encoding="utf-8")
        verdict = check(path, seconds=seconds)
        return verdict.kind, verdict.sentence

    return judge


def test_the_right_one(said):
    kind, sentence = said("return dy @ W.T, x.T @ dy, dy.sum(axis=0)")
    assert kind == "passed"
    # dx, dW and db of (3, 5, 2), (1, 4, 3), (5, 1, 4), (4, 3, 1), (1, 1, 1), counted by hand.
    count = (15 + 10 + 2) + (4 + 12 + 3) + (5 + 4 + 4) + (12 + 3 + 1) + 3
    assert sentence.startswith(f"passes: {count} numbers for 5 inputs, compared with a numerical")


def test_a_list_will_do(said):
    assert said("return [dy @ W.T, x.T @ dy, dy.sum(axis=0)]")[0] == "passed"


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        ("dx = dy @ W.T", "form", "nothing is returned; expected dx, dW, db (is there a return?)"),
        ("return dy @ W.T, x.T @ dy", "form", "found 2 values returned; expected 3: dx, dW, db"),
        ("return dy @ W.T", "form", "found 1 value returned; expected 3"),
        ("return dy @ W.T, None, dy.sum(axis=0)", "form", "dW is None; expected an array of shape"),
        (
            "return dy @ W.T, x.T @ dy, list(dy.sum(axis=0))",
            "form",
            "db is of type list; expected an array",
        ),
        ("return 'dx', x.T @ dy, dy[0]", "form", "dx is of type str; expected an array of shape"),
        (
            "return dy @ W.T, x.T @ dy, dy.sum()",
            "form",
            "db is of shape (); expected (2,); it was given dy (3, 2), x (3, 5), W (5, 2)",
        ),
        (
            "return (dy @ W.T).astype(np.float32), x.T @ dy, dy.sum(axis=0)",
            "form",
            "dx is of float32; expected float64",
        ),
        ("return dy @ W.T > 0, x.T @ dy, dy[0]", "form", "dx is of bool; expected float64"),
        ("return dy @ W.T * 1j, x.T @ dy, dy[0]", "form", "dx is of complex128; expected float64"),
        (
            "return dy @ W.T, x.T @ dy / (x.T @ dy * 0), dy.sum(axis=0)",
            "form",
            "dW is inf in element|dW is -inf in element|dW is nan in element",
        ),
        ("return dy @ W, x.T @ dy, dy.sum(axis=0)", "raises", "line 31 raises ValueError: matmul"),
        ("raise SystemExit", "raises", "line 31 raises SystemExit"),
        ("return affine_backward(dy, x, W)", "raises", "line 31 raises RecursionError"),
        ("x += 1", "raises", "line 31 writes into an array that the function was given"),
        ("a = x[:1]\na[0, 0] = 1", "raises", "line 32 writes into an array"),
        ("while True:\n    pass", "too long", "line 31 is still running after|line 32 is still"),
        ("pass\nraise NotImplementedError", "nothing yet", "line 32 is the gap still: write"),
    ],
)
def test_what_is_no_wrong_number(said, body, kind, words):
    found, sentence = said(body, seconds=2)
    assert found == kind, sentence
    assert any(sentence.startswith(start) for start in words.split("|")), sentence


def test_the_first_element_that_differs(said):
    kind, sentence = said("dx = dy @ W.T\nif len(x) == 3:\n    dx[2, 1] *= 3\n"
                          "return dx, x.T @ dy, dy.sum(axis=0)")  # fmt: skip
    assert kind == "differs"
    assert sentence.startswith("dx (3, 5), element (2, 1): found ")
    assert ", but a numerical derivative (the complex step: " in sentence
    assert sentence.endswith("; it was given dy (3, 2), x (3, 5), W (5, 2)")
    found, right = (
        float(sentence.split(word)[1].split()[0].strip(",;")) for word in ("found ", "gives ")
    )
    assert found == pytest.approx(3 * right)


def test_a_mistake_that_raises_nowhere_but_for_some_inputs_is_still_named(said):
    sentence = "db is the mean over the samples; it is their sum"
    assert said("return dy @ W.T, x.T @ dy, dy.mean(axis=0)") == ("mistake", sentence)
    # with another mistake beside it, it is not: nothing is guessed
    assert said("return -dy @ W.T, x.T @ dy, dy.mean(axis=0)")[0] == "differs"
    # nor if it is made for one sample only
    body = "return dy @ W.T, x.T @ dy, dy.mean(axis=0) if len(x) == 3 else dy.sum(axis=0)"
    assert said(body)[0] == "differs"


def test_a_function_that_takes_something_else(tmp_path):
    path = tmp_path / "mine.py"
    text = EXERCISE.gap("").replace("def affine_backward(dy, x, W):", "def affine_backward(dy, x):")
    path.write_text(text, encoding="utf-8")
    verdict = check(path)
    assert verdict.kind == "form"
    assert verdict.sentence == "the function takes (dy, x); expected (dy, x, W)"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", 'found no line EXERCISE = "…"; expected a file that `handgrad exercise` wrote'),
        ("EXERCISE = 3", 'no line EXERCISE = "…"'),
        ("EXERCISE = 'affine'", 'found EXERCISE = "affine"; expected "affine-backward"'),
        ("EXERCISE = 'affine-backwards'", "no such exercise; did you mean 'affine-backward'"),
        ("EXERCISE = 'relu-backward'\nx = (1,\n", "a syntax error in line 2, 'x = (1,' "),
        ("x = '\0'", "expected Python"),
        ("EXERCISE = 'relu-backward'\n1 / 0", "ZeroDivisionError in line 2: division by zero"),
        ("EXERCISE = 'relu-backward'\nimport nowhere_there", "ModuleNotFoundError in line 2"),
        ("EXERCISE = 'relu-backward'\nraise SystemExit(0)", "SystemExit in line 2"),
        ("EXERCISE = 'relu-backward'\n", "no function relu_backward"),
        ("EXERCISE = 'relu-backward'\nrelu_backward = 3\n", "no function relu_backward"),
        ("EXERCISE = 'relu-backward'\nwhile True: pass", "a line that runs for more than 1 s"),
    ],
)
def test_what_cannot_be_checked(tmp_path, text, words):
    path = tmp_path / "mine.py"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(HandgradError) as error:
        check(path, seconds=1)
    assert str(error.value).startswith(str(path))
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_no_such_file_a_folder_and_no_text(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        check(tmp_path / "none.py")
    with pytest.raises(DataError, match="a folder"):
        check(tmp_path)
    (tmp_path / "mine.py").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="no text in UTF-8"):
        check(tmp_path / "mine.py")


def test_a_file_without_the_line_is_not_run(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n", encoding="utf-8")
    with pytest.raises(DataError):
        check(path)
    assert not (tmp_path / "ran").exists()


def test_a_quick_correction_is_seen_and_no_copy_is_left(said, tmp_path, monkeypatch):
    """Two files of the same size within one second: Python's own import would take the first."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    assert said("return dy @ W.T, x.T @ dy, -dy.sum(axis=0)")[0] == "differs"
    assert said("return dy @ W.T, x.T @ dy, +dy.sum(axis=0)")[0] == "passed"
    assert [path.name for path in tmp_path.iterdir()] == ["mine.py"]
    assert not [name for name in sys.modules if name == "mine"]


def test_ctrl_c_is_no_verdict(said):
    with pytest.raises(KeyboardInterrupt):
        said("raise KeyboardInterrupt")


def test_a_file_of_another_exercise_than_the_teachers(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("EXERCISE = 'momentum'\n", encoding="utf-8")
    with pytest.raises(DataError, match='found EXERCISE = "momentum"; expected "affine-backward"'):
        check(path, read_exercise(EXERCISE.path))


def test_a_loop_that_never_ends_is_ended_where_ctrl_c_is_ignored(said):
    """As in a process that a shell has put into the background."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        kind, sentence = said("while True:\n    pass")
        assert kind == "too long"
        assert "does a loop never end?" in sentence
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
