"""A film's frames, and the files they are written to."""

import io
import os
import re
import stat
import sys

import numpy as np
import pytest
from PIL import Image, ImageSequence

from handgrad.errors import HandgradError
from handgrad.pictures.film import Curves, DenseFrames, Film, Matrices, Tiles
from handgrad.pictures.film_files import save_gif, save_mp4, spread, stills

GREEN, RED, WHITE = (0, 158, 115), (213, 94, 0), (255, 255, 255)
STEPS = [0, 1, 3, 6]
LABELS = np.array([0, 0, 1])


def _network(name="small"):
    """Two dense layers over four frames; sample 0 is called wrong in frame 0, all right after."""
    W1 = np.zeros((4, 3, 2))
    W1[:, 0, 0], W1[:, 0, 1] = [1, 2, 3, 4], [-1, -2, -3, -4]
    A1 = np.zeros((4, 3, 3))
    A1[:, 2] = np.arange(4)[:, None]
    P = np.tile([[0.9, 0.8, 0.3], [0.1, 0.2, 0.7]], (4, 1, 1))
    P[0, :, 0] = 0.2, 0.8
    layers = [
        DenseFrames(W1, np.zeros((4, 3)), A1),
        DenseFrames(-0.5 * W1[:, :2].repeat(2, axis=2)[:, :, :3], None, P),
    ]
    curves = Curves(STEPS, [4.0, 3.0, 2.0, 1.0], {"train": [2 / 3, 1, 1, 1]})
    return Film(name, STEPS, 6, curves, Matrices(layers, LABELS, ["cat", "dog"]))


def _tiles(weights, name="filters", curves=None):
    curves = curves or Curves([0, 6], [2.0, 1.0], {"train": [0.5, 0.75]})
    return Film(name, STEPS[: len(weights)], 6, curves, Tiles(weights, "Weights of some filters"))


def _axes(film, name):
    return next(axes for axes in film.figure.axes if axes.get_label() == name)


def _pixel(film, frame, name, row, column):
    """The colour in a frame at the middle of a cell of a matrix."""
    box, height = _axes(film, name).get_window_extent(), len(frame)
    rows, columns = _axes(film, name).get_images()[0].get_array().shape[:2]
    x = box.x0 + (column + 0.5) / columns * box.width
    y = height - box.y1 + (row + 0.5) / rows * box.height
    return tuple(int(c) for c in frame[int(y), int(x)])


def _warm(colour):
    return colour[0] - colour[2]


def test_a_small_network_is_drawn_whole(texts_apart):
    film = _network()
    for i in range(4):
        film.frame(i)
        for name, values in (
            ("W1", film.scene.layers[0].W),
            ("b1", film.scene.layers[0].b[..., None]),
            ("A1", film.scene.layers[0].A),
            ("W2", film.scene.layers[1].W),
            ("A2", film.scene.layers[1].A),
        ):
            shown = _axes(film, name).get_images()[0]
            np.testing.assert_array_equal(shown.get_array(), values[i])
            limits = (0, 1) if name == "A2" else (0, 3) if name == "A1" else (-4, 4)
            assert shown.get_clim() == limits, name
    names = {axes.get_label() for axes in film.figure.axes}
    assert "b2" not in names
    texts = {text.get_text() for text in film.figure.texts}
    assert {"small", "step 6 of 6", "cat", "dog", "W1", "A2 · probability of each class"} <= texts
    texts_apart(film.figure)


def test_warm_is_positive_and_cold_negative():
    film = _network()
    first, last = film.frame(0), film.frame(3)
    assert _warm(_pixel(film, last, "W1", 0, 0)) > 60
    assert _warm(_pixel(film, last, "W1", 0, 1)) < -60
    assert _warm(_pixel(film, last, "W2", 0, 0)) < -60
    assert min(_pixel(film, first, "W1", 1, 0)) > 240  # 0 is nearly white
    # One scale for the whole film: 1 of 4 is paler than 4 of 4.
    pale = _pixel(film, first, "W1", 0, 0)
    assert _warm(pale) > 60
    assert sum(pale) > 2 * sum(_pixel(film, last, "W1", 0, 0))


def test_what_is_never_negative_is_grey():
    film = _network()
    frame = film.frame(3)
    assert _pixel(film, frame, "A1", 0, 0) == (0, 0, 0)
    assert _pixel(film, frame, "A1", 2, 0) == WHITE
    assert _pixel(film, film.frame(0), "A1", 2, 0) == (0, 0, 0)
    grey = _pixel(film, frame, "A2", 1, 1)  # no dot lies here
    assert len(set(grey)) == 1
    assert grey[0] == pytest.approx(0.2 * 255, abs=3)


def test_dots_say_right_and_wrong():
    film = _network()
    first, last = film.frame(0), film.frame(3)
    assert _pixel(film, first, "A2", 1, 0) == RED  # called dog, is cat
    assert _pixel(film, first, "A2", 0, 1) == GREEN
    assert _pixel(film, first, "A2", 1, 2) == GREEN
    assert _pixel(film, last, "A2", 0, 0) == GREEN
    assert len(set(_pixel(film, last, "A2", 1, 0))) == 1
    right, wrong = _axes(film, "A2").get_lines()
    assert (right.get_marker(), wrong.get_marker()) == ("o", "X")


def test_activations_with_a_sign_are_coloured():
    film = _network()
    film.scene.layers[0].A[0, 0, 0] = -2.0
    frame = film.frame(0)
    assert _warm(_pixel(film, frame, "A1", 0, 0)) < -60


def test_curves_grow():
    film = _network()
    for i, cost in enumerate(("cost 4", "cost 3", "cost 2", "cost 1")):
        film.frame(i)
        whole, so_far, dot = _axes(film, "cost").get_lines()
        assert whole.get_xdata().tolist() == STEPS
        assert so_far.get_xdata().tolist() == STEPS[: i + 1]
        assert so_far.get_ydata().tolist() == [4, 3, 2, 1][: i + 1]
        assert dot.get_xdata().tolist() == [STEPS[i]]
        assert _axes(film, "cost").texts[0].get_text() == cost
    film.frame(0)
    assert _axes(film, "accuracy").texts[0].get_text() == "training accuracy 66.67 %"


def test_curves_of_epochs_begin_at_their_first_report():
    curves = Curves([3, 6], [200.0, 1.0], {"train": [0.5, 1.0], "test": [None, 0.25]})
    film = _tiles(np.ones((4, 2, 3, 3, 1)), curves=curves)
    said = []
    for i in range(4):
        film.frame(i)
        names = [text.get_text() for text in _axes(film, "accuracy").texts]
        said.append((_axes(film, "cost").texts[0].get_text(), *names))
    assert said[1] == ("cost", "train", "test")
    assert said[2] == ("cost 200", "train 50 %", "test")
    assert said[3] == ("cost 1", "train 100 %", "test 25 %")
    assert _axes(film, "cost").get_yscale() == "log"
    assert _axes(_network(), "cost").get_yscale() == "linear"


def test_costs_that_are_no_number_are_left_out():
    curves = Curves([0, 1, 3], [4.0, np.nan, np.inf], {})
    film = _tiles(np.ones((3, 2, 3, 3, 1)), curves=curves)
    film.frame(2)
    assert _axes(film, "cost").get_lines()[1].get_ydata().tolist() == [4]


def test_frames_are_the_same_whichever_came_before():
    film, other = _network(), _network()
    forward = [film.frame(i).copy() for i in range(4)]
    for i in (3, 0, 2, 1):
        np.testing.assert_array_equal(other.frame(i), forward[i])
    assert forward[0].shape == (600, 900, 3)
    assert forward[0].dtype == np.uint8


def test_filters_are_a_mosaic(texts_apart):
    weights = np.arange(2 * 3 * 4, dtype=float).reshape(1, 2, 3, 4, 1) - 12
    film = _tiles(weights)
    frame = film.frame(0)
    shown = np.asarray(_axes(film, "mosaic").get_images()[0].get_array())
    height, width = shown.shape
    tile = np.asarray(weights[0, 0, ..., 0])
    np.testing.assert_array_equal(np.unique(shown[np.isfinite(shown)]), np.arange(-12, 12))
    assert shown[0, 0] == tile[0, 0]
    assert np.isnan(shown).any(axis=None) == (height * width > 24 * (height // 6) * (width // 4))
    box = _axes(film, "mosaic").get_window_extent()
    assert (round(box.width), round(box.height)) == (width, height)  # a pixel is a pixel
    colour = tuple(int(c) for c in frame[int(600 - box.y1) + 2, int(box.x0) + 2])
    assert _warm(colour) < -60
    texts_apart(film.figure)


def test_empty_pixels_lie_between_tiles():
    film = _tiles(np.ones((1, 4, 3, 3, 1)))
    shown = np.asarray(_axes(film, "mosaic").get_images()[0].get_array())
    empty = np.isnan(shown)
    assert (empty.all(axis=0).sum(), empty.all(axis=1).sum()) == (8, 8)  # two by two
    assert np.all(shown[~empty] == 1)


def test_filters_of_three_channels_are_coloured_around_grey():
    weights = np.zeros((1, 2, 2, 2, 3))
    weights[0, 1, ..., 0], weights[0, 1, ..., 1] = 1, -1
    film = _tiles(weights)
    shown = np.asarray(_axes(film, "mosaic").get_images()[0].get_array())
    colours = {tuple(map(int, colour)) for colour in np.unique(shown.reshape(-1, 3), axis=0)}
    assert colours == {WHITE, (120, 120, 120), (255, 0, 120)}
    assert any("grey is 0" in text.get_text() for text in film.figure.texts)


def test_one_neuron_is_shown_in_colours_and_by_channel(texts_apart):
    weights = np.zeros((2, 1, 4, 5, 3))
    weights[1, 0, 0, 0] = 2, -2, 0
    film = _tiles(weights)
    film.frame(1)
    for channel, name in enumerate(("red", "green", "blue")):
        image = _axes(film, name).get_images()[0]
        np.testing.assert_array_equal(image.get_array(), weights[1, 0, ..., channel])
        assert image.get_clim() == (-2, 2)
    shown = _axes(film, "colours").get_images()[0].get_array()
    assert shown[0, 0].tolist() == [255, 0, 120]
    assert shown[1, 1].tolist() == [120, 120, 120]
    texts_apart(film.figure)


@pytest.mark.parametrize("shape", [(1, 1, 700, 300, 3), (1, 30, 128, 100, 1), (1, 9, 3, 3, 16)])
def test_large_weights_fit_in(shape, texts_apart):
    film = _tiles(np.random.default_rng(0).normal(size=shape))
    film.frame(0)
    for axes in film.figure.axes:
        box = axes.get_window_extent()
        assert box.x0 >= 0
        assert box.y0 >= 30
        assert box.x1 <= 900
        assert box.y1 <= 600
    texts_apart(film.figure)


def test_the_words():
    film = _network()
    assert [film.words(i) for i in (0, 3)] == ["step 0 of 6", "step 6 of 6"]
    assert film.alt == (
        "The training 'small' in 4 frames, from step 0 to 6: the weights of 2 dense layers and "
        "what they say of each sample, beside cost and accuracy. Training accuracy goes from "
        "66.67 to 100 %."
    )


def test_what_it_refuses():
    curves = Curves([], [], {})
    with pytest.raises(HandgradError, match="film: found no step"):
        Film("", [], 0, curves, Tiles(np.ones((0, 1, 3, 3, 1)), ""))
    with pytest.raises(HandgradError, match=r"weights of shape \(2, 1, 3, 3, 1\); expected \(1, n"):
        Film("", [0], 0, curves, Tiles(np.ones((2, 1, 3, 3, 1)), ""))
    layer = DenseFrames(np.ones((1, 2, 3)), np.ones((1, 3)), np.ones((1, 2, 4)))
    with pytest.raises(HandgradError, match=r"film: found b1 of shape \(1, 3\); expected \(1, 2\)"):
        Film("", [0], 0, curves, Matrices([layer], np.zeros(4, int), ["a", "b"]))
    with pytest.raises(HandgradError, match="no frame to write"):
        save_gif(_network(), "never.gif", frames=[])


# -- files -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def gif(tmp_path_factory):
    film, path = _network(), tmp_path_factory.mktemp("film") / "film.gif"
    told = []
    frames = save_gif(film, path, seconds=0.1, hold=2, progress=lambda *now: told.append(now))
    assert frames == 4
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    return film, path


def test_the_gif_has_all_frames_in_order(gif):
    film, path = gif
    with Image.open(path) as image:
        assert (image.size, image.n_frames, image.info["loop"]) == ((900, 600), 4, 0)
        shown = [
            (frame.info["duration"], np.asarray(frame.convert("RGB")).astype(int))
            for frame in ImageSequence.Iterator(image)
        ]
    assert [duration for duration, _ in shown] == [100, 100, 100, 2000]
    for i, (_, frame) in enumerate(shown):
        assert np.abs(frame - film.frame(i)).max() <= 48, i  # letters' edges share colours
        assert np.mean(frame != film.frame(i)) < 0.02
    first, last = shown[0][1], shown[3][1]
    assert tuple(first[0, 0]) == WHITE
    assert _pixel(film, first, "A2", 1, 0) == RED
    assert _pixel(film, last, "A2", 0, 0) == GREEN
    assert _pixel(film, last, "W1", 0, 0) == _pixel(film, film.frame(3), "W1", 0, 0)
    assert path.stat().st_size < 100_000


def test_the_gif_has_one_palette(gif):
    """By the format: blocks 21 (extension) and 2c (image), each followed by its sub-blocks."""
    data = gif[1].read_bytes()
    assert data[10] == 0xF7  # 256 colours for all frames
    at, images = 13 + 768, 0
    while data[at] != 0x3B:
        if data[at] == 0x2C:
            assert not data[at + 9] & 0x80, "colours of its own"
            images += 1
            at += 11  # the descriptor, and the size of the codes
        else:
            at += 2
        while data[at]:
            at += 1 + data[at]
        at += 1
    assert images == 4


def test_the_gif_is_the_same_each_time(gif, tmp_path):
    path = gif[1]
    save_gif(_network(), tmp_path / "again.gif", seconds=0.1, hold=2)
    assert (tmp_path / "again.gif").read_bytes() == path.read_bytes()


def test_a_gif_takes_the_frames_asked_for(tmp_path):
    film = _network()
    assert save_gif(film, tmp_path / "a.gif", frames=[1, 3]) == 2
    with Image.open(tmp_path / "a.gif") as image:
        image.seek(1)
        frame = np.asarray(image.convert("RGB")).astype(int)
    assert np.mean(frame != film.frame(3)) < 0.02


def test_a_gif_stays_within_its_limit(tmp_path, monkeypatch):
    monkeypatch.setattr("handgrad.pictures.film_files.LEAST", 3)
    weights = np.random.default_rng(0).normal(size=(8, 1, 28, 28, 1))
    film = Film("noise", range(8), 7, Curves([], [], {}), Tiles(weights, "noise"))
    assert save_gif(film, tmp_path / "a.gif", limit_bytes=None) == 8
    size = (tmp_path / "a.gif").stat().st_size
    some = save_gif(film, tmp_path / "b.gif", limit_bytes=int(0.8 * size))
    assert 4 <= some < 8
    assert (tmp_path / "b.gif").stat().st_size <= 0.8 * size
    with Image.open(tmp_path / "b.gif") as image:
        assert image.n_frames == some
        image.seek(some - 1)
        last = np.asarray(image.convert("RGB")).astype(int)
    assert np.mean(last != film.frame(7)) < 0.02  # the last is among them
    assert save_gif(film, tmp_path / "c.gif", limit_bytes=1) == 3


def test_a_gif_keeps_the_colours_of_the_scales_exactly(tmp_path):
    film = _tiles(np.random.default_rng(0).normal(size=(2, 1, 30, 30, 3)))
    save_gif(film, tmp_path / "a.gif")
    with Image.open(tmp_path / "a.gif") as image:
        image.seek(1)
        shown = np.asarray(image.convert("RGB"))
    frame = film.frame(1)
    assert len(np.unique(frame.reshape(-1, 3), axis=0)) > 500  # more than there is room for
    for name in ("red", "blue"):
        for place in ((0, 0), (3, 17), (29, 29)):
            assert _pixel(film, shown, name, *place) == _pixel(film, frame, name, *place)
    assert tuple(shown[0, 0]) == WHITE


def test_places_are_spread():
    assert spread(10, 4) == [0, 3, 6, 9]
    assert spread(10, 1) == [9]
    assert spread(3, 40) == [0, 1, 2]


def test_stills_are_small_and_say_their_step():
    film = _network()
    found = stills(film)
    assert [words for _, words in found] == [film.words(i) for i in range(4)]
    for i, (data, _) in enumerate(found):
        with Image.open(io.BytesIO(data)) as image:
            assert (image.format, image.size) == ("PNG", (900, 600))
            assert np.mean(np.asarray(image.convert("RGB")) != film.frame(i)) < 0.02
    size = sum(len(data) for data, _ in found)
    fewer = stills(film, limit_bytes=size - 1)
    assert [words for _, words in fewer] in (
        ["step 0 of 6", "step 1 of 6", "step 6 of 6"],
        ["step 0 of 6", "step 3 of 6", "step 6 of 6"],
    )
    assert [words for _, words in stills(film, most=2)] == ["step 0 of 6", "step 6 of 6"]


def _ffmpeg(folder, body, monkeypatch):
    """A program of that name which leaves its arguments and what it was fed."""
    if os.name == "nt":
        pytest.skip("a script that stands for ffmpeg needs a Unix")
    program = folder / "ffmpeg"
    program.write_text(f"#!{sys.executable}\nimport sys\n{body}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(folder))


def test_an_mp4_is_what_ffmpeg_makes_of_the_frames(tmp_path, monkeypatch):
    body = "said = ' '.join(sys.argv[1:]).encode() + b'|' + sys.stdin.buffer.read()\n"
    body += "open(sys.argv[-1], 'wb').write(said)"
    _ffmpeg(tmp_path, body, monkeypatch)
    film, told = _network(), []
    assert save_mp4(
        film,
        tmp_path / "film.mp4",
        seconds=0.5,
        hold=1.5,
        progress=lambda *now: told.append(now),
    )
    arguments, fed = (tmp_path / "film.mp4").read_bytes().split(b"|", 1)
    assert re.search(rb"rgb24 -s 900x600 -r 2 -i - .*yuv420p .*-f mp4 ", arguments)
    frames = np.frombuffer(fed, np.uint8).reshape(-1, 600, 900, 3)
    order = [0, 1, 2, 3, 3, 3]  # the last one is held
    assert len(frames) == len(order)
    for frame, i in zip(frames, order, strict=True):
        np.testing.assert_array_equal(frame, film.frame(i))
    assert told[-1] == (4, 4)


def test_without_ffmpeg_there_is_no_mp4(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert save_mp4(_network(), tmp_path / "film.mp4") is False
    assert list(tmp_path.iterdir()) == []


def test_a_failing_ffmpeg_is_a_sentence(tmp_path, monkeypatch):
    _ffmpeg(tmp_path, "sys.stderr.write('so\\nno encoder\\n'); sys.exit(1)", monkeypatch)
    with pytest.raises(HandgradError, match=r"film\.mp4: ffmpeg failed: no encoder$"):
        save_mp4(_network(), tmp_path / "film.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["ffmpeg"]
