import os
import subprocess
import sys
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from PIL import Image

from handgrad.errors import HandgradError
from handgrad.pictures import confusion, cost_curve, predictions, save

KINDS = ("png", "svg", "pdf")

DRAW = """
import sys
from handgrad.pictures import confusion, save
for kind in ("png", "svg", "pdf"):
    save(confusion([[3, 1], [0, 9]], ["a_$b$", "\\u732b"]), f"{sys.argv[1]}.{kind}")
"""


@pytest.fixture(scope="module")
def figure():
    return cost_curve([0, 1, 2], [3.0, 2.0, 1.0], [3.0, None, 1.5])


def test_each_kind_is_that_kind(figure, tmp_path):
    for name in ("a.png", "a.svg", "a.pdf", "b.PNG"):
        save(figure, tmp_path / name)
    with Image.open(tmp_path / "a.png") as image:
        assert image.format == "PNG"
        assert image.size == (700, 420)  # 7 by 4.2 inches, 100 dots each
        assert np.ptp(np.asarray(image)) == 255
    assert ElementTree.parse(tmp_path / "a.svg").getroot().tag == "{http://www.w3.org/2000/svg}svg"
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF-")
    assert (tmp_path / "b.PNG").read_bytes() == (tmp_path / "a.png").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pdf", "a.png", "a.svg", "b.PNG"]


def test_the_same_bytes_in_every_process(tmp_path):
    started = []
    # Another hash seed and another clock: sets are in another order, and a date would differ.
    for name, seed, clock in (("a", "1", "1000000000"), ("b", "2", "1700000000")):
        changed = {"PYTHONHASHSEED": seed, "SOURCE_DATE_EPOCH": clock}
        environment = os.environ | changed | {"PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-W", "error", "-c", DRAW, str(tmp_path / name)]
        started.append(subprocess.Popen(command, env=environment))
    assert [process.wait() for process in started] == [0, 0]
    for kind in KINDS:
        first, second = ((tmp_path / f"{name}.{kind}").read_bytes() for name in "ab")
        assert first == second, kind
        for told in (b"Matplotlib", b"CreationDate", b"dc:date", matplotlib.__version__.encode()):
            assert told not in first, (kind, told)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("drawing", ["curve", "confusion", "predictions"])
def test_the_same_bytes_when_saved_again(drawing, kind, tmp_path, figure):
    if drawing == "confusion":
        figure = confusion([[3, 1], [0, 9]], ["a_$b$", "猫 with a long name"])
    if drawing == "predictions":
        figure = predictions(np.zeros((2, 8, 8, 1)), [0, 1], [[1, 0], [1, 0]], ["a", "b"])
    for name in "ab":
        save(figure, tmp_path / f"{name}.{kind}")
    assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()


def test_the_users_settings_change_nothing_and_are_not_changed(tmp_path, figure):
    save(figure, tmp_path / "a.png")
    own = {"text.usetex": True, "savefig.dpi": 30, "axes.grid": False, "lines.linewidth": 9}
    with matplotlib.rc_context(own):
        same = cost_curve([0, 1, 2], [3.0, 2.0, 1.0], [3.0, None, 1.5])
        save(same, tmp_path / "b.png")
        assert {key: matplotlib.rcParams[key] for key in own} == own
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_a_notebook_shows_what_is_saved(tmp_path, figure):
    save(figure, tmp_path / "a.png")
    assert figure._repr_png_() == (tmp_path / "a.png").read_bytes()


@pytest.mark.parametrize("name", ["a.jpg", "a", "a.png.gz", ".png"])
def test_another_ending_is_a_sentence(name, figure, tmp_path):
    with pytest.raises(HandgradError, match=r"expected \.png, \.svg or \.pdf"):
        save(figure, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_place_that_is_not_there_is_a_sentence(figure, tmp_path):
    with pytest.raises(HandgradError, match="cannot be written"):
        save(figure, tmp_path / "nowhere" / "a.png")


def test_an_older_file_stays_when_drawing_fails(tmp_path, figure, monkeypatch):
    (tmp_path / "a.png").write_bytes(b"older")
    monkeypatch.setattr(figure, "savefig", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        save(figure, tmp_path / "a.png")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"older"]


def test_importing_the_room_does_not_import_matplotlib():
    code = "import sys, handgrad.pictures; sys.exit('matplotlib' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == 0


@pytest.mark.parametrize(
    ("name", "words"),
    [("a.png", b"Description"), ("a.svg", b"<dc:description>"), ("a.pdf", b"/Subject")],
)
def test_a_file_says_what_is_seen(name, words, figure, tmp_path):
    figure.alt = "Two lines that cross."
    save(figure, tmp_path / name)
    found = (tmp_path / name).read_bytes()
    assert words in found
    assert b"Two lines that cross." in found
    figure.alt = ""
    save(figure, tmp_path / name)
    assert words not in (tmp_path / name).read_bytes()
