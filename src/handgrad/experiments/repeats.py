"""The same training with other seeds, which may be cut and resumed like the first."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handgrad.errors import DataError, HandgradError, NotFiniteError
from handgrad.experiments.checkpoints import Checkpoints, restore
from handgrad.experiments.experiment import Experiment
from handgrad.storage import written

if TYPE_CHECKING:
    from handgrad.experiments.conduct import Viewer

__all__ = ["REPEATS", "repeated"]

REPEATS = "repeats.json"


def repeated(
    experiment: Experiment,
    folder: Path,
    every: tuple[float, float],
    viewer: Viewer,
    between: Callable[[], None] = lambda: None,
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Train with each other seed of the recipe: (seed, its figures); less when interrupted.

    Parameters
    ----------
    experiment : has been trained
    folder : for the figures of the repeats that have ended, and a checkpoint of the one that goes
        on; what is there already is not trained again
    every : as for `Checkpoints`
    viewer : watches the batches, and may interrupt
    between : called between the steps
    """
    done = _read(folder / REPEATS)
    for seed in experiment.recipe.repeats.seeds:
        if str(seed) not in done:
            again, path = experiment.repeat(seed), folder / f"repeat-{seed}.safetensors"
            if path.exists():
                restore(again, path)
            checkpoints = Checkpoints(again, path, every, note=viewer.note)

            def stands(checkpoints: Checkpoints = checkpoints) -> None:
                between()
                checkpoints(now=viewer.interrupted)

            try:
                for _ in again.train(viewer.watch, stands):
                    pass
            except NotFiniteError as error:
                error.repeat = seed
                raise
            if viewer.interrupted:
                return
            done[str(seed)] = again.figures()
            # What cannot be written is trained again, should it come to that.
            with contextlib.suppress(HandgradError, OSError):
                with written(folder / REPEATS) as beside:
                    beside.write_text(json.dumps(done), encoding="utf-8")
                path.unlink(missing_ok=True)
        yield seed, done[str(seed)]


def _read(path: Path) -> dict[str, dict[str, Any]]:
    if not path.exists():
        return {}
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        return {seed: dict(figures) for seed, figures in table.items()}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(path, str(error), "the figures of repeats, in JSON") from None
