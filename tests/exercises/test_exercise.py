"""A teacher's own exercise: read, proved, and each fault of the file said."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import sklearn.metrics

from handgrad.errors import DataError, HandgradError
from handgrad.exercises import check, exercise, proved, read_exercise

CUBE = '''"""The way back through a cube.

    y = x³
"""

import numpy as np

HALF = 0.5


def cube(x):
    return x**3


def cube_backward(dy, x):
    """Carry a gradient back: dy, x of any shape. Return dx."""
    return 3 * dy * x**2


RETURNS = "dx"
FORWARD = cube
MISTAKES = {
    "the 3 is missing": lambda dy, x: dy * x**2,
    "dy is missing": lambda dy, x: 3 * x**2,
}


def inputs():
    for shape in [(2,), (3, 1)]:
        yield {"x": np.random.default_rng(1).normal(size=shape)}
'''


@pytest.fixture
def teachers(tmp_path):
    def write(*changes):
        text = CUBE
        for old, new in changes:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        path = tmp_path / "cube_backward.py"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_it_is_read_and_proved(teachers):
    each = read_exercise(teachers())
    assert (each.name, each.function, each.chapter) == ("cube-backward", "cube_backward", "")
    assert each.about == "The way back through a cube."
    assert each.returns == ("dx",)
    verdict = proved(each)
    assert verdict.passed
    assert verdict.sentence.endswith("each of 2 mistakes is told")
    assert verdict.comparisons == 5


def test_what_stands_above_the_solution_goes_to_the_learner(teachers, tmp_path):
    each = read_exercise(teachers())
    assert each.gap("handgrad check mine.py") == (
        '"""The way back through a cube.\n\n    y = x³\n"""\n\nimport numpy as np\n\n'
        "# Write the body of cube_backward, below, and then: handgrad check mine.py\n"
        'EXERCISE = "cube-backward"\n\nHALF = 0.5\n\n\ndef cube(x):\n    return x**3\n\n\n'
        "def cube_backward(dy, x):\n"
        '    """Carry a gradient back: dy, x of any shape. Return dx."""\n'
        '    raise NotImplementedError("return dx")\n'
    )
    path = tmp_path / "mine.py"
    path.write_text(each.gap("").replace("raise", "return dy * x**2\n    raise"), encoding="utf-8")
    assert check(path, each).sentence == "the 3 is missing"
    with pytest.raises(HandgradError, match=f"{path.name}: cube-backward: no such exercise"):
        check(path)


def test_without_imports_the_mark_stands_under_the_docstring(teachers):
    each = read_exercise(
        teachers(("import numpy as np\n\n", ""), ("np.random", "__import__('numpy').random"))
    )
    assert each.gap("c").startswith('"""The way back through a cube.\n\n    y = x³\n"""\n\n# Write')


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("def cube_backward(", "def cube_back(", "no function cube_backward; expected"),
        ('RETURNS = "dx"', "", 'expected RETURNS = "dx, dW", what is returned by name'),
        ('RETURNS = "dx"', 'RETURNS = ("dx",)', "expected RETURNS"),
        ("MISTAKES = {", "OTHERS = {", "expected MISTAKES, a wrong function for each sentence"),
        ("def inputs", "def given", "expected a function inputs() that yields dictionaries"),
        ("FORWARD = cube", "FORWARD = 3", "expected FORWARD, a function"),
        ('    """Carry a gradient back: dy, x of any shape. Return dx."""\n', "", "a docstring in"),
        ("import numpy as np", "import numpy as np\n1 / 0", "ZeroDivisionError in line 7"),
        ("return x**3", "return x**3)", "SyntaxError in line 12: unmatched ')'"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_exercise(teachers, old, new, words):
    path = teachers((old, new))
    with pytest.raises(DataError) as error:
        read_exercise(path)
    assert str(error.value).startswith(f"{path}: found ")
    assert words in str(error.value)


def test_no_docstring(teachers):
    with pytest.raises(DataError, match="a docstring at its top"):
        read_exercise(teachers(('"""The way back through a cube.\n\n    y = x³\n"""', "")))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("return 3 * dy * x**2", "return 2 * dy * x**2", "the solution: dx (2,), element (0,)"),
        ("return 3 * dy * x**2", "return None", "the solution: nothing is returned; expected dx"),
        ("dy, x: dy * x**2", "dy, x: dy * x**2 * 3",
         "the mistake 'the 3 is missing' cannot be told: passes"),
        ("dy, x: 3 * x**2", "dy, x: dy * x**2",
         "the mistake 'dy is missing' cannot be told: the 3 is missing"),
    ],
)  # fmt: skip
def test_a_teachers_own_mistake(teachers, old, new, words):
    verdict = proved(read_exercise(teachers((old, new))))
    assert not verdict.passed
    assert verdict.sentence.startswith(words)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("return x**3", "return x**y", "NameError in line 12"),
        ('yield {"x"', 'yield {"z"', "KeyError in line None: 'x'"),
        ("return 3 * dy * x**2", "return 3 * dy * z**2", "NameError in line 17"),
        ("lambda dy, x: 3 * x**2", "lambda dy, x: 1 / 0", "ZeroDivisionError in line"),
    ],
)  # fmt: skip
def test_a_teachers_fault_is_no_fault_of_the_learner(teachers, tmp_path, old, new, words):
    each = read_exercise(teachers((old, new)))
    path = tmp_path / "mine.py"
    path.write_text(each.gap("").replace("raise", "return x\n    raise"), encoding="utf-8")
    with pytest.raises(DataError) as error:
        check(path, each)
    assert str(error.value).startswith(f"{each.path}: found ")
    assert words in str(error.value)


def test_the_example_of_the_page_holds(tmp_path):
    """The file that docs/book/exercises.md shows, and what it says of it."""
    page = Path(__file__).parents[2] / "docs" / "book" / "exercises.md"
    text = re.search(r"%%writefile hinge\.py\n(.*?)```", page.read_text("utf-8"), re.DOTALL)[1]
    path = tmp_path / "hinge.py"
    path.write_text(text, encoding="utf-8")
    assert len(text.splitlines()) <= 45
    each = read_exercise(path)
    assert proved(each).passed
    for given in each.inputs():
        expected = sklearn.metrics.hinge_loss(given["t"], given["z"], labels=[-1.0, 1.0])
        assert each.solution(**given)[0] == pytest.approx(expected)


def test_a_name_with_underscores_or_its_beginning_is_meant_too():
    assert exercise("affine_backward").name == "affine-backward"
    assert exercise("affine").name == "affine-backward"
    with pytest.raises(HandgradError, match="did you mean 'momentum'"):
        exercise("momentun")
    with pytest.raises(HandgradError, match="softmax: no such exercise"):
        exercise("softmax")  # two begin so
