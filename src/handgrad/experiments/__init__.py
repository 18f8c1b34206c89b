"""A recipe from data to saved run: what the command line, a sweep and Python all call.

`Experiment` trains, `save_run` and `Run` keep and find its results, `evaluate` judges a model.
The command line adds only words and bars. A name is loaded when it is first asked for: who predicts
needs nothing of what trains.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from handgrad.experiments.baselines import Baseline
    from handgrad.experiments.conduct import resume, train
    from handgrad.experiments.evaluation import Evaluation, evaluate
    from handgrad.experiments.experiment import Experiment
    from handgrad.experiments.film import Filming, film_of, save_film
    from handgrad.experiments.gallery import GALLERY
    from handgrad.experiments.inspection import inspect
    from handgrad.experiments.recipe import (
        Recipe,
        parsed,
        read_recipe,
        recipe_names,
        with_settings,
    )
    from handgrad.experiments.report import write_report
    from handgrad.experiments.rerun import Rerun, rerun
    from handgrad.experiments.run import Run, save_run
    from handgrad.experiments.subject import Subject
    from handgrad.experiments.sweeps import Sweep, SweepViewer, resume_sweep, sweep
    from handgrad.experiments.threads import Threads, answering, cores, limited, threads_for
    from handgrad.experiments.verified import model_check, recipe_checks
    from handgrad.experiments.work import Work, work_for

_ROOMS = {
    "baselines": ["Baseline"],
    "conduct": ["resume", "train"],
    "evaluation": ["Evaluation", "evaluate"],
    "experiment": ["Experiment"],
    "film": ["Filming", "film_of", "save_film"],
    "gallery": ["GALLERY"],
    "inspection": ["inspect"],
    "recipe": ["Recipe", "parsed", "read_recipe", "recipe_names", "with_settings"],
    "report": ["write_report"],
    "rerun": ["Rerun", "rerun"],
    "run": ["Run", "save_run"],
    "subject": ["Subject"],
    "sweeps": ["Sweep", "SweepViewer", "resume_sweep", "sweep"],
    "threads": ["Threads", "answering", "cores", "limited", "threads_for"],
    "verified": ["model_check", "recipe_checks"],
    "work": ["Work", "work_for"],
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = [
    "GALLERY",
    "Baseline",
    "Evaluation",
    "Experiment",
    "Filming",
    "Recipe",
    "Rerun",
    "Run",
    "Subject",
    "Sweep",
    "SweepViewer",
    "Threads",
    "Work",
    "answering",
    "cores",
    "evaluate",
    "film_of",
    "inspect",
    "limited",
    "model_check",
    "parsed",
    "read_recipe",
    "recipe_checks",
    "recipe_names",
    "rerun",
    "resume",
    "resume_sweep",
    "save_film",
    "save_run",
    "sweep",
    "threads_for",
    "train",
    "with_settings",
    "work_for",
    "write_report",
]


def __getattr__(name: str) -> Any:
    """Load a module when something in it is first asked for (PEP 562)."""
    if name not in _ROOM_OF:
        raise AttributeError(f"module 'handgrad.experiments' has no attribute {name!r}")
    found = getattr(importlib.import_module(f"handgrad.experiments.{_ROOM_OF[name]}"), name)
    globals()[name] = found
    return found
