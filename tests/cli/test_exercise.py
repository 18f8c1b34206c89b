"""``handgrad exercise`` and ``handgrad check``, as a learner and a teacher use them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from handgrad.exercises import exercises

GAP = '    raise NotImplementedError("return dx, dW, db")\n'
RIGHT = "    return dy @ W.T, x.T @ dy, dy.sum(axis=0)\n"
TEACHERS = exercises()["huber"].path


def fill(path, body):
    text = Path(path).read_text(encoding="utf-8")
    assert GAP in text
    Path(path).write_text(text.replace(GAP, body), encoding="utf-8")


def test_the_list(handgrad):
    lines = handgrad("exercise").out.splitlines()
    assert lines[0].split() == ["exercise", "chapter", "what", "is", "missing"]
    assert [line.split()[0] for line in lines[1:-2]] == list(exercises())
    assert lines[-1].startswith("handgrad exercise NAME writes one")
    rows = handgrad("exercise", "--json").json
    assert [row["name"] for row in rows] == list(exercises())
    assert rows[0] == {
        "name": "sigmoid-backward",
        "about": "The way back through the logistic function.",
        "chapter": "neuron",
    }


def test_the_way_of_a_learner(handgrad):
    said = handgrad("exercise", "affine-backward")
    assert said.code == 0
    first, following = said.out.splitlines()
    assert first == "affine_backward.py: The way back through a dense layer, the affine map."
    assert following.endswith("and then: handgrad check affine_backward.py")
    said = handgrad("check", "affine_backward.py")
    assert said.code == 1
    assert (
        said.out
        == "affine-backward: line 31 is the gap still: write your lines in place of the raise\n"
    )
    fill("affine_backward.py", RIGHT.replace("x.T @ dy", "dy.T @ x"))
    said = handgrad("check", "affine_backward.py")
    assert said.code == 1
    assert said.out.startswith("affine-backward: dW is transposed: ")
    handgrad("exercise", "affine-backward", "--force")
    fill("affine_backward.py", RIGHT)
    said = handgrad("check", "affine_backward.py")
    assert said.code == 0
    assert said.out.startswith("affine-backward: passes: 78 numbers for 5 inputs")
    listed = [line.split()[0] for line in handgrad("exercise").out.splitlines() if line]
    after = listed[listed.index("affine-backward") + 1]
    assert said.out.splitlines()[1:] == [f"next: handgrad exercise {after}"]
    assert said.err == ""


def test_the_name_of_a_chapter_lists_its_exercises(handgrad):
    _, *rows, _, _ = handgrad("exercise", "neuron").out.splitlines()
    assert [row.split()[:2] for row in rows] == [
        ["sigmoid-backward", "neuron"], ["neuron-gradient", "neuron"],
    ]  # fmt: skip
    assert not list(Path.cwd().iterdir())


def test_json(handgrad):
    said = handgrad("exercise", "affine-backward", "--out", "a b.py", "--json")
    assert said.json == {
        "exercise": "affine-backward",
        "file": "a b.py",
        "check": "handgrad check 'a b.py'",
    }
    fill("a b.py", "    print('mine')\n" + RIGHT)
    said = handgrad("check", "a b.py", "--json")
    assert said.code == 0
    assert said.json["passed"] is True
    assert said.json["kind"] == "passed"
    assert said.json["comparisons"] == 78
    assert 0 <= said.json["worst_error"] < 1e-12
    assert said.err == "mine\n" * 5  # what a learner prints is seen, but is no result


def test_a_file_is_not_overwritten(handgrad, refused):
    handgrad("exercise", "momentum")
    Path("momentum.py").write_text("mine", encoding="utf-8")
    assert "momentum.py: the file is there already; --force" in refused("exercise", "momentum")
    assert Path("momentum.py").read_text(encoding="utf-8") == "mine"
    assert handgrad("exercise", "momentum", "--force").code == 0
    assert "def momentum" in Path("momentum.py").read_text(encoding="utf-8")


def test_what_is_refused_when_writing(handgrad, refused):
    assert "did you mean 'momentum'" in refused("exercise", "momentun")
    assert "found a folder" in refused("exercise", "momentum", "--out", ".")
    assert "cannot be written" in refused("exercise", "momentum", "--out", "none/m.py")
    assert "no such file" in refused("exercise", "--from", "none.py")
    for words in (["momentum", "--from", "x.py"], ["--out", "x.py"]):
        said = handgrad("exercise", *words)
        assert said.code == 2
        assert "expected" in said.err


def test_what_is_refused_when_checking(handgrad, refused):
    assert "none.py: found no such file" in refused("check", "none.py")
    Path("a.py").write_text("EXERCISE = 'adam'\ndef adam(:\n", encoding="utf-8")
    assert "a.py: found a syntax error in line 2, 'def adam(:'" in refused("check", "a.py")
    Path("a.py").write_text("x = 1\n", encoding="utf-8")
    assert 'found no line EXERCISE = "…"' in refused("check", "a.py")
    said = handgrad("check")
    assert said.code == 2
    assert "no file is named" in said.err


def test_a_teachers_own(handgrad, refused):
    text = TEACHERS.read_text(encoding="utf-8").replace("def huber", "def mine")
    Path("mine.py").write_text(text.replace("huber(", "mine("), encoding="utf-8")
    said = handgrad("check", "--from", "mine.py")
    assert said.code == 0
    assert said.out.startswith("mine: the solution passes: ")
    assert said.out.endswith("mistakes is told\n")
    # The learner's would bear the teacher's name: it is not overwritten, not even with --force.
    assert "found the exercise itself there" in refused("exercise", "--from", "mine.py", "--force")
    said = handgrad("exercise", "--from", "mine.py", "--out", "yours.py")
    assert said.out.splitlines()[1].endswith("handgrad check --from mine.py yours.py")
    said = handgrad("check", "--from", "mine.py", "yours.py")
    assert (said.code, said.out[:13]) == (1, "mine: line 27")
    yours = Path("yours.py").read_text(encoding="utf-8")
    gap = 'raise NotImplementedError("return L, dy")'
    wrong = "L = (0.5 * (y - t) ** 2).sum()\n    return L, y - t"
    Path("yours.py").write_text(yours.replace(gap, wrong), encoding="utf-8")
    said = handgrad("check", "--from", "mine.py", "yours.py")
    assert said.code == 1
    assert said.out.startswith("mine: L: found ")
    assert ", but the definition gives " in said.out


@pytest.mark.parametrize("name", ["sigmoid-backward", "adam"])
def test_as_processes_of_their_own(name):
    """The whole way in a folder of one's own, and nothing else is left there."""

    def run(*words):
        command = [sys.executable, "-m", "handgrad.cli", *words]
        return subprocess.run(command, capture_output=True, text=True, encoding="utf-8")

    each = exercises()[name]
    assert run("exercise", name).returncode == 0
    path = Path(f"{each.function}.py")
    done = run("check", str(path))
    assert (done.returncode, done.stderr) == (1, "")
    assert "is the gap still" in done.stdout
    gap = path.read_text(encoding="utf-8").rpartition("    raise")[0]
    body = each.text[each.text.index("Return ") :].partition('"""\n')[2].partition("\n\n\n")[0]
    path.write_text(gap + body + "\n", encoding="utf-8")
    done = run("check", str(path))
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert [entry.name for entry in Path.cwd().iterdir()] == [path.name]
