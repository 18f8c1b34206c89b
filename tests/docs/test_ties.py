"""The formulas of the book, as written, against the functions that compute them."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import numpy as np
import pytest
from docs.ties.formula import Formula, formulas_of, read
from docs.ties.notation import NotationError

import handgrad.calculus
import handgrad.losses
from handgrad.experiments.gallery import GALLERY

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs" / "book").glob("*.md"))
FORMULAS = [formula for page in PAGES for formula in formulas_of(page)]


@pytest.mark.parametrize("formula", FORMULAS, ids=lambda f: f"{f.page.stem}-{f.label}")
def test_a_formula_is_what_its_function_computes(formula):
    assert formula.fault() == ""


def test_labels_are_unique():
    labels = [formula.label for formula in FORMULAS]
    assert sorted(set(labels)) == sorted(labels)


def test_every_function_of_calculus_and_every_loss_has_a_formula():
    tied = {formula.function.rpartition(".")[2] for formula in FORMULAS}
    functions = set(handgrad.calculus.__all__)
    functions |= {name for name in handgrad.losses.__all__ if name[0].islower()}
    assert functions - tied == set()


@pytest.mark.parametrize("formula", FORMULAS, ids=lambda f: f"{f.page.stem}-{f.label}")
def test_what_proves_and_shows_it_is_there(formula):
    path, _, name = formula.test.partition("::")
    if path:
        text = (ROOT / path).read_text(encoding="utf-8")
        assert not name or f"def {name}(" in text
    if formula.picture:
        pages = "".join(page.read_text(encoding="utf-8") for page in PAGES)
        assert f"({formula.picture})=" in pages or f"name: {formula.picture}\n" in pages


def test_every_numbered_equation_is_tied():
    """A label makes a number, and a number says that code computes it."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert not re.findall(r"^\$\$ *\([\w-]+\)", text, re.MULTILINE), page.name
        assert not re.findall(r"^`{3,}\{math\}[^`]*?^:label:", text, re.MULTILINE), page.name


def test_every_equation_that_is_referred_to_is_there():
    labels = {formula.label for formula in FORMULAS}
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for label in re.findall(r"\{eq\}`(?:[^<`]*<)?([\w-]+)>?`", text):
            assert label in labels, f"{page.name}: {label}"


# The test of the tests: formulas that are wrong


def tied(latex, computes="handgrad.calculus.softmax(z) -> s", where="z: n k", **more):
    return Formula("it", latex, computes, where, **more)


RIGHT = r"s_{nk} = \frac{e^{z_{nk}}}{\sum_j e^{z_{nj}}}"
WRONG = {
    "the sign": RIGHT.replace("e^{z_{nj}}", "e^{-z_{nj}}"),
    "the index": RIGHT.replace("_{nj}", "_{jn}"),
    "a factor": RIGHT.replace(r"\frac", r"2 \frac"),
    "the sum over the samples": RIGHT.replace(r"\sum_j e^{z_{nj}}", r"\sum_m e^{z_{mk}}"),
    "an index that the left has not": RIGHT.replace(r"\sum_j ", "").replace("z_{nj}", "z_{nm}"),
    "a symbol of nobody": RIGHT.replace("z_{nj}", "w_{nj}"),
    "too few indices": RIGHT.replace("z_{nj}", "z_{j}"),
    "nothing said of it": RIGHT.replace("s_{nk}", "y_{nk}"),
    "two sides that differ": RIGHT + " = z_{nk}",
    "no equation": r"\frac{1}{2}",
    "a bracket that stays open": RIGHT[:-1],
}


def test_a_right_formula_agrees():
    assert tied(RIGHT).fault() == ""


@pytest.mark.parametrize("slip", WRONG)
def test_a_slip_is_found(slip):
    assert tied(WRONG[slip]).fault() != ""


@pytest.mark.parametrize(
    "computes", ["", "handgrad.calculus.softmax(z)", "handgrad.calculus.softmax(z) -> s, extra"]
)
def test_a_formula_without_its_function_is_refused(computes):
    assert tied(RIGHT, computes).fault() != ""


def test_the_first_number_that_differs_is_shown():
    """softmax of equal scores over K = 4: the formula says 2/4."""
    fault = tied(r"s_{nk} = \frac{2}{K}", "handgrad.calculus.softmax(0 * z) -> s").fault()
    assert fault == "s[0, 0]: the formula gives 0.5, handgrad.calculus.softmax 0.25"


# The notation, by hand

X = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


def value(latex, **values):
    """The first left side, for x = X over n and k."""
    from docs.ties.evaluation import solved
    from docs.ties.notation import equations

    sizes = {"n": 2, "k": 3, "j": 3}
    lines = equations(latex, list(sizes))
    return solved(lines, {"x": X, **values}, sizes)[lines[0].name]


CASES = {
    r"y_n = \sum_k x_{nk}": [6, 15],
    r"y_n = \sum_{k \ne 1} x_{nk}": [4, 10],
    r"y_n = \sum_{k=1}^{K} x_{nk}": [6, 15],
    r"y = \max_{nk} x_{nk} - 1": 5,
    r"y_n = \max_k x_{nk} x_{nk}": [9, 36],
    r"y_n = \max(x_{n0}, 2)": [2, 4],
    r"y_n = x_{n,2} - x_{n0}": [2, 2],
    r"y_{nk} = x_{n,k+1}": [[2, 3, 0], [5, 6, 0]],
    r"y_{nk} = x_{n,2k}": [[1, 3, 0], [4, 6, 0]],
    r"y_{kn} = x_{nk}": X.T,
    r"y_{nk} = [x_{nk} > 2, k < 2]": [[0, 0, 0], [1, 1, 0]],
    r"y_n = \sum_k [k = t_n] x_{nk}": [3, 4],
    r"y_n = x_{n t_n}": [3, 4],
    r"y_n = x_{n,t_n}^2 / 3 \cdot 2": [6, 32 / 3],
    r"y_n = -x_{n0} + 2 (x_{n1} - 1)": [1, 4],
    r"y_n = \sqrt{x_{n0}}": [1, 2],
    r"y = \frac{1}{N K} \sum_{n,k} x_{nk}": 3.5,
    r"m_n &= \frac{1}{K} \sum_k x_{nk} \\ y_n &= x_{n0} - m_n": [2, 5],
    r"y_n = \begin{cases} x_{n0} & x_{n0} < 2 \\ -1 & \text{otherwise} \end{cases}": [1, -1],
    r"y_n = \lvert x_{n0} - 3 \rvert": [2, 1],
    r"y_n = \hat x_n \mu'": [8, 10],
    r"y = \tfrac{1}{2} e^{0} \pi": np.pi / 2,
    r"y_n = \sum_k x_{nk} + 1": [7, 16],
    r"y_n = \prod_k x_{nk}": [6, 120],
    r"y_n &= x_{n0} \\ &\quad - 2 x_{n1} \\ &\quad + 10": [7, 4],
    r"y_n &= 2 \bigl( x_{n0} \\ &\qquad + x_{n1} \bigr) \\ &= 2 x_{n0} + 2 x_{n1}": [6, 18],
    r"y_n = \sum_j \sum_k [j = k] x_{nk}": [6, 15],
    r"y_n = W^{[1]}_n + W^{[l-1]}_n": [11, 22],
    r"y_n = \frac{\partial L}{\partial W^{[1]}_n}": [7, 8],
}


@pytest.mark.parametrize("latex", CASES)
def test_by_hand(latex):
    given = {
        "t": np.array([2, 0]), "xhat": np.array([4.0, 5.0]), "muprime": np.float64(2),
        "W1": np.array([1.0, 2.0]), "Wlm1": np.array([10.0, 20.0]), "dW1": np.array([7.0, 8.0]),
    }  # fmt: skip
    np.testing.assert_allclose(value(latex, **given), CASES[latex], rtol=1e-14)


def test_matrices_by_hand():
    """XᵀX, its row sums by a column of ones, and the product of numbers in their places."""
    formula = read(
        "it",
        ":computes: numpy.matmul(X.T, X) -> G\n:where: X: n i\n:form: matrix\nG = X^\\top X",
        Path(),
    )
    assert formula.fault() == ""
    from docs.ties.evaluation import solved
    from docs.ties.notation import equations

    lines = equations(r"y = X \mathbf 1_K \\ q = X \odot X", ["n", "k"])
    found = solved(lines, {"X": X}, {"n": 2, "k": 3}, matrices=True)
    np.testing.assert_array_equal(found["y"], [[6], [15]])
    np.testing.assert_array_equal(found["q"], X * X)


def test_unknown_options_are_refused():
    with pytest.raises(NotationError, match="unknown compute"):
        read("it", ":compute: f(x) -> y\ny = x", Path("page.md"))


def test_every_page_names_modules_that_import():
    for formula in FORMULAS:
        parts = formula.function.split(".")
        importlib.import_module(".".join(parts[:2]))


IMAGE = re.compile(r"!\[[^\]]*\]\((pictures/[^)]+)\)|\{figure\} (pictures/\S+)")
DRAWN = sorted(
    {
        (page.name, "".join(groups))
        for page in (ROOT / "docs").glob("*.md")
        for groups in IMAGE.findall(page.read_text(encoding="utf-8"))
    }
)


@pytest.mark.parametrize(("page", "picture"), DRAWN, ids=lambda value: value)
def test_a_picture_is_made_by_the_command_beside_it(page, picture):
    """No picture is pasted: `handgrad picture` draws it, or the script that the page names."""
    assert (ROOT / "docs" / picture).is_file()
    stem = Path(picture).stem
    if picture.startswith("pictures/gallery/"):
        command = "handgrad film" if stem == "film" else f"handgrad picture {stem}\n"
        assert command in (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8") + "\n"
        assert stem == "film" or stem in set(GALLERY)
        return
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    script = re.search(rf"python (benchmarks/\w+\.py)[^`]*--picture\s+docs/{picture}", text)
    assert script, f"{page} does not say what makes {picture}"
    assert '"--picture"' in (ROOT / script[1]).read_text(encoding="utf-8")
