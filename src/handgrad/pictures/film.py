"""The film of a training: its weights, what they answer, cost and accuracy, frame by frame.

The figure is drawn once, and its background kept: a frame then costs only what moves in it.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from handgrad.errors import HandgradError

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from handgrad.pictures.figure import Picture

__all__ = [
    "Curves",
    "DenseFrames",
    "Film",
    "Matrices",
    "Tiles",
]

Array = NDArray[Any]

WIDTH, HEIGHT = 900, 600
"""Pixels of a frame; both even, as an MP4 asks for."""

_MARGIN, _HEAD = 24, 64
_LEVELS = 63  # of the diverging colours; odd, so that 0 is one of them. Fewer make a smaller GIF.
_GREYS = 52
_LETTERS = 9.0
_KEY = 290  # pixels from the left edge that the scale takes
_BESIDE = 16  # pixels between a tile in colours and its channels
_GRAPHS = 300  # pixels that cost and accuracy take beside images


@dataclass(frozen=True)
class Curves:
    """How the training went, as it was reported.

    Parameters
    ----------
    steps : (R,) the updates before each report
    loss : (R,) float
    accuracies : by name, (R,) float, 0..1, None where it was not measured
    """

    steps: Sequence[int]
    loss: Sequence[float]
    accuracies: Mapping[str, Sequence[float | None]]


@dataclass(frozen=True, eq=False)
class DenseFrames:
    """One dense layer and what comes after it up to the next.

    Parameters
    ----------
    W : (F, O, I) a row a neuron
    b : (F, O), or None
    A : (F, U, N) what it says of each sample; of the last layer the probability of each class
    """

    W: Array
    b: Array | None
    A: Array


@dataclass(frozen=True, eq=False)
class Matrices:
    """A dense network small enough to draw whole.

    Parameters
    ----------
    layers : from the first to the last
    labels : (N,) int, the true class of each sample
    class_names : (K,)
    """

    layers: Sequence[DenseFrames]
    labels: Array
    class_names: Sequence[str]


@dataclass(frozen=True, eq=False)
class Tiles:
    """The first weights as images, a tile a neuron or a filter.

    Parameters
    ----------
    weights : (F, n, H, W, C); with C = 3 drawn as colours around grey, else a tile a channel
    title : what they are, such as "64 of 512 neurons of the first layer"
    """

    weights: Array
    title: str


@dataclass(frozen=True, eq=False)
class Film:
    """What is seen at each step that was kept; see `Film.frame`.

    Parameters
    ----------
    name : of the training
    steps : (F,) in order
    total : steps of the whole training
    curves : cost and accuracy, which grow as the film goes on
    scene : what is drawn of the network

    Raises
    ------
    HandgradError : no step, arrays of another number of frames, no number in them that is finite

    Cost: some 10 ms a frame, once the figure is drawn.
    """

    name: str
    steps: Sequence[int]
    total: int
    curves: Curves
    scene: Matrices | Tiles

    def __post_init__(self) -> None:
        frames = len(self.steps)
        if not frames:
            raise HandgradError("film: found no step; expected at least one")
        if isinstance(self.scene, Tiles):
            shape = self.scene.weights.shape
            if len(shape) != 5 or shape[0] != frames or 0 in shape:
                raise HandgradError(
                    f"film: found weights of shape {shape}; expected ({frames}, n, H, W, C)"
                )
            return
        samples = len(self.scene.labels)
        for i, layer in enumerate(self.scene.layers, 1):
            units = layer.W.shape[1]
            for letter, array, known in (
                ("W", layer.W, (frames, units, layer.W.shape[2])),
                ("b", layer.b, (frames, units)),
                ("A", layer.A, (frames, layer.A.shape[1], samples)),
            ):
                if array is not None and array.shape != known:
                    raise HandgradError(
                        f"film: found {letter}{i} of shape {array.shape}; expected {known}"
                    )

    def __len__(self) -> int:
        return len(self.steps)

    def frame(self, i: int) -> Array:
        """Frame ``i`` as (600, 900, 3) uint8: the same array whichever was drawn before."""
        return self._stage.frame(i)

    def words(self, i: int) -> str:
        """Which step frame ``i`` shows.

        >>> Film("f", [0, 1200], 1200, Curves([], [], {}), Tiles(np.ones((2, 1, 3, 3, 1)), "")
        ...      ).words(1)
        'step 1,200 of 1,200'
        """
        return f"step {self.steps[i]:,} of {self.total:,}"

    @property
    def figure(self) -> Picture:
        """The figure that the frames are drawn with, as the last one left it.

        Its axes are labelled by what is in them: "W1", "A2", "mosaic", "red", "cost".
        """
        return self._stage.figure

    @property
    def alt(self) -> str:
        """What the film shows, in words."""
        first, last = self.steps[0], self.steps[-1]
        if isinstance(self.scene, Tiles):
            seen = self.scene.title[:1].lower() + self.scene.title[1:]
        else:
            n = len(self.scene.layers)
            seen = f"the weights of {n} dense layers and what they say of each sample"
        said = f"The training {self.name!r} in {len(self)} frames, from step {first:,} to "
        said += f"{last:,}: {seen}, beside cost and accuracy."
        accuracy = self.curves.accuracies.get("train")
        known = [a for a in accuracy or () if a is not None]
        if known:
            said += f" Training accuracy goes from {100 * known[0]:.4g} to {100 * known[-1]:.4g} %."
        return said

    @property
    def scales(self) -> Array:
        """(M, 3) uint8, the colours that mean a number: a file with few colours keeps these."""
        from matplotlib.colors import to_rgb

        from handgrad.pictures.figure import BLUE, GREEN, ORANGE

        inks = np.round([[255 * c for c in to_rgb(ink)] for ink in (BLUE, GREEN, ORANGE)])
        scales = [
            scale(np.arange(scale.N), bytes=True)[:, :3] for scale in (_diverging(), _greys())
        ]
        paper = np.array([[0, 0, 0], [255, 255, 255]])
        return np.concatenate([*scales, inks, paper]).astype(np.uint8)

    @functools.cached_property
    def _stage(self) -> _Stage:
        return _Stage(self)


class _Stage:
    """The drawn background, and the artists that move before it."""

    def __init__(self, film: Film) -> None:
        from handgrad.pictures.figure import Picture, house_style
        from handgrad.pictures.lettering import drawable, families

        self.film = film
        self.moving: list[tuple[Artist, Callable[[int], None]]] = []
        self.spines: list[Axes] = []
        with house_style():
            self.figure = Picture(WIDTH / 100, HEIGHT / 100)
            name = drawable(film.name)
            self._text(_MARGIN, 30, name, size=13, fontfamily=families([name]), weight="bold")
            words = self._text(WIDTH - _MARGIN, 30, "", size=13, ha="right")
            self._moves(words, lambda i: words.set_text(film.words(i)))
            if isinstance(film.scene, Tiles):
                bottom = self._tiles(film.scene)
                left, width = WIDTH - _MARGIN - _GRAPHS + 52, _GRAPHS - 52
                height = (bottom - _HEAD - 84) // 2
                self._cost(left, _HEAD + 20, width, height)
                self._accuracy(left, bottom - height, width, height)
            else:
                top = self._matrices(film.scene) + 44
                height = HEIGHT - 52 - top
                width = (WIDTH - 2 * _MARGIN - 2 * 52 - 20) // 2
                self._cost(_MARGIN + 52, top, width, height)
                self._accuracy(WIDTH - _MARGIN - width, top, width, height)
            canvas: Any = self.figure.canvas
            canvas.draw()  # all but what moves
            self.canvas, self.ground = canvas, canvas.copy_from_bbox(self.figure.bbox)

    def frame(self, i: int) -> Array:
        from handgrad.pictures.figure import house_style

        with house_style():
            self.canvas.restore_region(self.ground)
            renderer = self.canvas.get_renderer()
            for artist, show in self.moving:
                show(i)
                artist.draw(renderer)
        return np.array(self.canvas.buffer_rgba())[..., :3]

    def _moves(self, artist: Artist, show: Callable[[int], None]) -> None:
        artist.set_animated(True)
        self.moving.append((artist, show))

    def _axes(self, left: int, top: int, width: int, height: int) -> Axes:
        """Axes at whole pixels, counted from the upper left corner."""
        place = (left / WIDTH, 1 - (top + height) / HEIGHT, width / WIDTH, height / HEIGHT)
        return self.figure.add_axes(place)

    def _text(self, x: float, y: float, text: str, size: float = _LETTERS, **how: Any) -> Any:
        return self.figure.text(x / WIDTH, 1 - y / HEIGHT, text, fontsize=size, va="center", **how)

    def _image(
        self, name: str, box: tuple[int, int, int, int], of: Callable[[int], Array], **how: Any
    ) -> Axes:
        """An image that moves."""
        axes = self._axes(*box)
        axes.set_label(name)
        drawn = axes.imshow(of(0), aspect="auto", interpolation="nearest", **how)
        axes.set(xticks=[], yticks=[])
        axes.grid(False)
        axes.spines[:].set_visible(False)
        self._moves(drawn, lambda i: drawn.set_data(of(i)))
        return axes

    def _framed(self, left: int, top: int, width: int, height: int) -> None:
        from matplotlib.patches import Rectangle

        at = ((left - 1) / WIDTH, 1 - (top + height + 1) / HEIGHT)
        size = ((width + 2) / WIDTH, (height + 2) / HEIGHT)
        self.figure.add_artist(
            Rectangle(at, *size, fill=False, edgecolor="#9A9A9A", linewidth=0.72)
        )

    def _scale(self, left: int, top: int, width: int, largest: float, beyond: bool) -> None:
        """The diverging colours, and which numbers they mean."""
        axes = self._axes(left, top, width, 9)
        axes.imshow(np.linspace(-1, 1, 255)[None], _diverging(), aspect="auto", vmin=-1, vmax=1)
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
        low, high = _scaled(largest, beyond)
        self._text(left - 6, top + 4.5, low, ha="right")
        self._text(left + width + 6, top + 4.5, high, ha="left")
        self._text(left + width / 2, top + 18, "0", ha="center")

    # -- the network, whole --------------------------------------------------------------------

    def _matrices(self, scene: Matrices) -> int:
        """A row a layer, W, b and A side by side; its cells are squares of one size.

        Returns the place under it.
        """
        from handgrad.pictures.lettering import drawable, families, shortened, width

        layers = scene.layers
        names = [
            shortened(drawable(name), lambda text: width(text, _LETTERS) <= 80)
            for name in scene.class_names
        ]
        beside = round(max(width(name, _LETTERS) for name in names) * 100 / 72) + 12
        inputs = max(layer.W.shape[2] for layer in layers)
        samples = len(scene.labels)
        rows = [max(layer.W.shape[1], layer.A.shape[1]) for layer in layers]
        across = (WIDTH - 2 * _MARGIN - 2 * 40 - beside) // (inputs + 1 + samples)
        across = min(across, (WIDTH - _MARGIN - _KEY - beside) // samples)
        down = (HEIGHT // 2 + 30 - _HEAD - 34 * len(layers)) // sum(rows)
        cell = max(1, min(across, down, 30))
        gap = (WIDTH - 2 * _MARGIN - beside - cell * (inputs + 1 + samples)) // 2
        left_b = _MARGIN + cell * inputs + min(gap, 60)
        left_A = max(left_b + cell + min(gap, 60), _KEY)
        signed = [a for layer in layers for a in (layer.W, layer.b) if a is not None]
        signed += [layer.A for layer in layers if not _grey(layer.A)]
        largest = _largest(signed)
        top = _HEAD
        for i, (layer, high) in enumerate(zip(layers, rows, strict=True), 1):
            last = i == len(layers)
            top += 26
            self._matrix(f"W{i}", layer.W, (_MARGIN, top), cell, largest)
            if layer.b is not None:
                self._matrix(f"b{i}", layer.b[..., None], (left_b, top), cell, largest)
            what = f"A{i} · probability of each class" if last else f"A{i} · activations"
            axes = self._matrix(what, layer.A, (left_A, top), cell, largest, last)
            if last:
                self._verdicts(axes, layer.A, scene.labels, cell)
                for k, name in enumerate(names if cell >= 13 else []):
                    x, y = left_A + cell * samples + 8, top + cell * (k + 0.5)
                    self._text(x, y, name, fontfamily=families([name]))
                self._truth(scene, names, left_A, top + cell * layer.A.shape[1], cell)
            top += cell * high + 8
        # What the colours mean, where the last layer leaves room under its W.
        space = max(220, cell * inputs)
        self._scale(_MARGIN + 44, top + 14, min(150, space - 88), largest, beyond=False)
        return top + 18

    def _matrix(
        self,
        name: str,
        values: Array,
        at: tuple[int, int],
        cell: int,
        largest: float,
        share: bool = False,
    ) -> Axes:
        (left, top), (rows, columns) = at, values.shape[1:]
        how = _signed(largest)
        if name[0] == "A" and (share or _grey(values)):
            how = {"cmap": _greys(), "vmin": 0, "vmax": 1 if share else _largest([values])}
            if not share:
                name += f" (0 black, {how['vmax']:.2g} white)"
        box, what = (left, top, cell * columns, cell * rows), name.split()[0]
        self._framed(*box)
        self._text(left, top - 11, name)
        return self._image(what, box, lambda i: values[i], **how)

    def _verdicts(self, axes: Axes, A: Array, labels: Array, cell: int) -> None:
        """A dot at what each sample is called: green and round if right, red and crossed if not."""
        from handgrad.pictures.figure import GREEN, ORANGE

        called = A.argmax(axis=1)
        samples = np.arange(len(labels))
        size = max(3.0, 0.3 * cell)
        for right, mark, colour in ((True, "o", GREEN), (False, "X", ORANGE)):
            (dots,) = axes.plot(
                [],
                [],
                linestyle="",
                marker=mark,
                markersize=size if right else 1.15 * size,
                markerfacecolor=colour,
                markeredgecolor="white",
                markeredgewidth=max(0.6, size / 14),
                clip_on=False,
            )

            def show(i: int, dots: Any = dots, right: bool = right) -> None:
                chosen = (called[i] == labels) == right
                dots.set_data(samples[chosen], called[i][chosen])

            self._moves(dots, show)
        axes.set(xlim=(-0.5, len(labels) - 0.5), ylim=(A.shape[1] - 0.5, -0.5))

    def _truth(self, scene: Matrices, names: list[str], left: int, top: int, cell: int) -> None:
        """Under the samples, which class each run of them is of; and what the dots say."""
        from matplotlib.lines import Line2D

        from handgrad.pictures.figure import GREEN, ORANGE
        from handgrad.pictures.lettering import families, width

        labels = scene.labels
        starts = [0, *(np.flatnonzero(np.diff(labels)) + 1), len(labels)]
        for start, stop in itertools.pairwise(starts):
            first, end = left + cell * start + 2, left + cell * stop - 2
            y = 1 - (top + 7) / HEIGHT
            self.figure.add_artist(
                Line2D([first / WIDTH, end / WIDTH], [y, y], color="#6E6E6E", linewidth=1)
            )
            name = f"truth: {names[labels[start]]}"
            if width(name, _LETTERS) * 100 / 72 > end - first:
                name = names[labels[start]]
            if width(name, _LETTERS) * 100 / 72 <= end - first:
                middle = (first + end) / 2
                self._text(middle, top + 18, name, ha="center", fontfamily=families([name]))
        x = left
        for mark, colour, word in (("o", GREEN, "called right"), ("X", ORANGE, "called wrong")):
            self.figure.add_artist(
                Line2D(
                    [(x + 6) / WIDTH],
                    [1 - (top + 37) / HEIGHT],
                    marker=mark,
                    markersize=7,
                    color=colour,
                    linestyle="",
                )
            )
            self._text(x + 16, top + 37, word)
            x += 120

    # -- the first weights as images -----------------------------------------------------------

    def _tiles(self, scene: Tiles) -> int:
        """A mosaic, or one large tile in colours beside its channels; returns the place under."""
        room = WIDTH - 2 * _MARGIN - _GRAPHS - 24, HEIGHT - _HEAD - 12 - 62
        weights, n, channels = scene.weights, scene.weights.shape[1], scene.weights.shape[4]
        if n == 1 and channels == 3:
            weights = _shrunk(weights, (room[0] - _BESIDE) // 4)
        largest, beyond = _robust(weights)
        self._text(_MARGIN, _HEAD - 4, scene.title)
        top, colours = _HEAD + 12, channels == 3
        if n == 1 and colours:
            bottom = self._one_in_colours(weights[:, 0], largest, top, room)
        else:
            bottom = top + self._mosaic(weights, largest, top, room)
        if colours and n > 1:
            said = f"grey is 0, a channel at its most {_scaled(largest, beyond)[1]}, "
            self._text(_MARGIN, bottom + 22, said + f"at its least {_scaled(largest, beyond)[0]}")
        else:
            self._scale(_MARGIN + 60, bottom + 18, 180, largest, beyond)
            if colours:
                self._text(_MARGIN + 320, bottom + 22, "together: colours around grey for 0")
        return max(bottom, _HEAD + 330)

    def _mosaic(self, weights: Array, largest: float, top: int, room: tuple[int, int]) -> int:
        """Tile beside tile, as large as there is room for; returns how high it is."""
        n, high, wide, channels = weights.shape[1:]
        colours = channels == 3
        columns, size, gap = _mosaic_of(n if colours else n * channels, high, wide, room)
        weights = _shrunk(weights, max(size))
        down, across = map(int, _mosaic(weights[0], columns, size, gap).shape[:2])

        def of(i: int) -> Array:
            if colours:
                return _mosaic(_around_grey(weights[i], largest), columns, size, gap)
            return _mosaic(weights[i].astype(np.float32), columns, size, gap)[..., 0]

        self._image(
            "mosaic", (_MARGIN, top, across, down), of, **({} if colours else _signed(largest))
        )
        return down

    def _one_in_colours(
        self, weights: Array, largest: float, top: int, room: tuple[int, int]
    ) -> int:
        """(F, H, W, 3) weights as colours around grey, and beside them each channel."""
        apart, beside = 26, _BESIDE
        high, wide = weights.shape[1:3]
        small = max(1, min((room[1] - 2 * apart) // (3 * high), (room[0] - beside) // (4 * wide)))
        scale = max(1, min((room[0] - beside - small * wide) // wide, room[1] // high))
        box = _MARGIN, top, scale * wide, scale * high
        self._framed(*box)
        self._image("colours", box, lambda i: _around_grey(weights[i], largest))
        left, y = _MARGIN + scale * wide + beside, top
        for channel, name in enumerate(("red", "green", "blue")):
            box = left, y, small * wide, small * high
            self._framed(*box)
            self._image(name, box, _of_channel(weights, channel), **_signed(largest))
            self._text(left, y + small * high + 11, name)
            y += small * high + apart
        return int(max(y - apart + 14, top + scale * high))

    # -- cost and accuracy ---------------------------------------------------------------------

    def _cost(self, left: int, top: int, width: int, height: int) -> None:
        from handgrad.pictures.figure import BLUE

        curves = self.film.curves
        axes = self._graph("cost", left, top, width, height)
        finite = [v for v in curves.loss if math.isfinite(v)]
        if finite and min(finite) > 0 and max(finite) > 50 * min(finite):
            _logarithmic(axes)
        self._grows(axes, curves.loss, BLUE, "-", "o", _cost_in_words)

    def _accuracy(self, left: int, top: int, width: int, height: int) -> None:
        from matplotlib.ticker import FuncFormatter

        from handgrad.pictures.figure import PALETTE
        from handgrad.pictures.lettering import drawable
        from handgrad.pictures.lettering import width as width_of

        curves = self.film.curves
        axes = self._graph("accuracy", left, top, width, height)
        axes.set_ylim(0, 1.04)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{100 * y:.10g} %"))
        looks = zip(PALETTE, ("-", "--", "-.", ":"), ("o", "s", "^", "D"), strict=False)
        series = {
            name: values
            for name, values in curves.accuracies.items()
            if any(value is not None for value in values)
        }
        x = 0
        for (name, values), (colour, line, mark) in zip(series.items(), looks, strict=False):
            what = "training accuracy" if list(series) == ["train"] else drawable(name)
            self._grows(axes, values, colour, line, mark, _share_in_words(what), x)
            x += round(width_of(f"{what} 99.99 %", _LETTERS) * 100 / 72) + 8

    def _graph(self, name: str, left: int, top: int, width: int, height: int) -> Axes:
        from matplotlib.ticker import MaxNLocator, StrMethodFormatter

        axes = self._axes(left, top, width, height)
        axes.set_label(name)
        axes.tick_params(labelsize=_LETTERS)
        if name == "accuracy" or not isinstance(self.film.scene, Tiles):  # under it is no other
            axes.set_xlabel("step", fontsize=_LETTERS, labelpad=2)
        reported = self.film.curves.steps
        last = max([self.film.steps[-1], *reported])
        axes.set_xlim(-0.02 * last, 1.02 * last if last else 1)
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        return axes

    def _grows(
        self,
        axes: Axes,
        values: Sequence[float | None],
        colour: str,
        line: str,
        mark: str,
        say: Callable[[float | None], str],
        x: int = 0,
    ) -> None:
        """The whole curve, pale; before it what there is of it so far, and its last value."""
        film = self.film
        pairs = zip(film.curves.steps, values, strict=True)
        points = [(s, v) for s, v in pairs if v is not None and math.isfinite(v)]
        if not points:
            return
        steps, heights = np.array(points, float).T
        axes.plot(steps, heights, color="#D0D0D0", linewidth=1.2, zorder=2)
        (drawn,) = axes.plot([], [], color=colour, linestyle=line, linewidth=1.8, zorder=3)
        (dot,) = axes.plot([], [], color=colour, marker=mark, markersize=6, zorder=4, clip_on=False)
        value = axes.annotate(
            "",
            (x, 8),
            xycoords=("axes pixels", "axes fraction"),
            xytext=(x, axes.bbox.height + 9),
            textcoords="axes pixels",
            fontsize=_LETTERS,
            color=colour,
            annotation_clip=False,
        )

        def show(i: int) -> None:
            so_far = int(np.searchsorted(steps, film.steps[i], side="right"))
            drawn.set_data(steps[:so_far], heights[:so_far])
            last = slice(max(0, so_far - 1), so_far)
            dot.set_data(steps[last], heights[last])
            value.set_text(say(float(heights[so_far - 1])) if so_far else say(None))

        self._moves(drawn, show)
        self._moves(dot, lambda i: None)
        self._moves(value, lambda i: None)


def _logarithmic(axes: Axes) -> None:
    """A logarithmic axis, its ticks as plain numbers."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0,)))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _cost_in_words(value: float | None) -> str:
    return "cost" if value is None else f"cost {value:.4g}"


def _share_in_words(what: str) -> Callable[[float | None], str]:
    return lambda value: what if value is None else f"{what} {100 * value:.4g} %"


@functools.cache
def _diverging() -> Any:
    """Warm for positive, cold for negative, white for 0; what is no number is left out."""
    import matplotlib

    colours = matplotlib.colormaps["RdBu_r"].resampled(_LEVELS)
    return colours.with_extremes(bad=(1, 1, 1, 0))


@functools.cache
def _greys() -> Any:
    """Black for 0, white for the most."""
    import matplotlib

    return matplotlib.colormaps["gray"].resampled(_GREYS)


def _around_grey(weights: Array, largest: float) -> Array:
    """(H, W, 3) weights as colours: 0 is grey, and what is no number is white."""
    shown = np.clip(127.5 + 127.5 * weights / largest, 0, 255)
    # In steps, so that the few colours of a GIF do.
    shown = np.round(shown / 15) * 15
    return np.where(np.isfinite(shown), shown, 255).astype(np.uint8)


def _grey(values: Array) -> bool:
    """Whether values are never negative."""
    finite = values[np.isfinite(values)]
    return bool(finite.size == 0 or finite.min() >= 0)


def _largest(arrays: Sequence[Array]) -> float:
    """The largest absolute value, of what is finite; 1 where all are 0."""
    most = max((float(np.abs(a[np.isfinite(a)]).max(initial=0)) for a in arrays), default=0.0)
    return most or 1.0


def _robust(weights: Array) -> tuple[float, bool]:
    """Where the colours end: beyond the last frame's all but largest, and whether any are beyond.

    A few large weights would make all others pale.
    """
    last = np.abs(weights[[0, -1]])
    finite = last[np.isfinite(last)]
    all_but = float(np.quantile(finite, 0.995)) if finite.size else 0.0
    largest = _largest([weights])
    return (all_but, True) if 0 < all_but < 0.8 * largest else (largest, False)


def _shrunk(weights: Array, most: int) -> Array:
    """(F, n, H, W, C) weights of at most so many rows and columns, each the mean of a block."""
    high, wide = weights.shape[2:4]
    block = math.ceil(max(high, wide) / most)
    if block == 1:
        return weights
    rows, columns = max(1, high // block), max(1, wide // block)
    cut = weights[:, :, : rows * block, : columns * block]
    F, n, h, w, C = cut.shape
    blocks = cut.reshape(F, n, rows, h // rows, columns, w // columns, C)
    return np.asarray(blocks.mean(axis=(3, 5)))


def _mosaic_of(
    n: int, high: int, wide: int, room: tuple[int, int]
) -> tuple[int, tuple[int, int], int]:
    """Columns, pixels of a tile, and pixels between two tiles, so that the tiles are largest.

    >>> _mosaic_of(64, 28, 28, (528, 470)), _mosaic_of(16, 3, 3, (528, 470))
    ((8, (56, 56), 2), (4, (111, 111), 8))
    """
    for gap in (8, 2):

        def scale(columns: int, gap: int = gap) -> float:
            across = (room[0] + gap) // columns - gap
            down = (room[1] + gap) // math.ceil(n / columns) - gap
            found = min(across / wide, down / high)
            return math.floor(found) if found >= 2 else found  # whole, so that all pixels are equal

        columns = max(range(1, n + 1), key=scale)
        pixels = max(1, int(scale(columns) * high)), max(1, int(scale(columns) * wide))
        if min(pixels) >= 60:
            break
    return columns, pixels, gap


def _mosaic(tiles: Array, columns: int, size: tuple[int, int], gap: int) -> Array:
    """(n, H, W, C) tiles as one image, each ``size`` pixels, with empty pixels between tiles.

    Empty is NaN, or the white of uint8. Tiles of other than three channels are taken apart, a
    channel after another.
    """
    if tiles.shape[3] != 3:
        tiles = np.moveaxis(tiles, 3, 1).reshape(-1, *tiles.shape[1:3], 1)
    n, rows, C = len(tiles), math.ceil(len(tiles) / columns), tiles.shape[3]
    down, across = (
        np.arange(pixels) * weights // pixels
        for pixels, weights in zip(size, tiles.shape[1:3], strict=True)
    )
    high, wide = size[0] + gap, size[1] + gap
    empty = np.nan if tiles.dtype.kind == "f" else 255
    apart = np.full((rows * columns, high, wide, C), empty, tiles.dtype)
    apart[:n, :-gap, :-gap] = tiles[:, down][:, :, across]
    grid = apart.reshape(rows, columns, high, wide, C).swapaxes(1, 2)
    return grid.reshape(rows * high, columns * wide, C)[:-gap, :-gap]


def _of_channel(weights: Array, channel: int) -> Callable[[int], Array]:
    return lambda i: weights[i, ..., channel]


def _signed(largest: float) -> dict[str, Any]:
    """How values with a sign are drawn."""
    return {"cmap": _diverging(), "vmin": -largest, "vmax": largest}


def _scaled(largest: float, beyond: bool) -> tuple[str, str]:
    """The two ends of a scale.

    >>> _scaled(0.25, beyond=False), _scaled(0.25, beyond=True)
    (('-0.25', '+0.25'), ('≤ -0.25', '≥ +0.25'))
    """
    low, high = ("≤ ", "≥ ") if beyond else ("", "")
    return f"{low}{-largest:+.2g}", f"{high}{largest:+.2g}"
