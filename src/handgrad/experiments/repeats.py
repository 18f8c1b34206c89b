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
from handgrad.experiments.ranked import stand_together, steps
from handgrad.parallel import all_or_none
from handgrad.storage import written

if TYPE_CHECKING:
    from handgrad.experiments.viewer import Viewer

__all__ = ["REPEATS", "repeated"]

REPEATS = "repeats.json"


def repeated(
    experiment: Experiment,
    folder: Path | None,
    every: tuple[float, float],
    viewer: Viewer,
    between: Callable[[], None] = lambda: None,
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Train with each other seed of the recipe: (seed, its figures); less when interrupted.

    Parameters
    ----------
    experiment : has been trained
    folder : for the figures of the repeats that have ended, and a checkpoint of the one that goes
        on; what is there already is not trained again. None on a rank that helps
    every : as for `Checkpoints`
    viewer : watches the batches, and may interrupt
    between : called between the steps
    """
    ranks = experiment.ranks
    done = _read(folder / REPEATS) if folder else {}
    if ranks is not None:
        done = ranks.from_first(done)
    for seed in experiment.recipe.repeats.seeds:
        if str(seed) not in done:
            again = experiment.repeat(seed)
            path = folder / f"repeat-{seed}.safetensors" if folder else None
            with all_or_none(ranks):
                if path and path.exists():
                    restore(again, path)
            stand_together(again)
            checkpoints = Checkpoints(again, path, every, note=viewer.note) if path else None

            def stands(checkpoints: Checkpoints | None = checkpoints) -> None:
                between()
                if checkpoints:
                    checkpoints(now=viewer.interrupted)

            try:
                for _ in steps(again, again.train(viewer.watch, stands)):
                    pass
            except NotFiniteError as error:
                error.repeat = seed
                raise
            if viewer.interrupted:
                return
            with again.among_ranks():
                done[str(seed)] = again.figures()
            if folder and path:
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
