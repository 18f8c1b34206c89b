"""A recipe from data to saved run: what the command line, a sweep and Python all call.

`Experiment` trains, `save_run` and `Run` keep and find its results, `evaluate` judges a model.
The command line adds only words and bars.
"""

from handgrad.experiments.conduct import resume, train
from handgrad.experiments.evaluation import Evaluation, evaluate
from handgrad.experiments.experiment import Experiment
from handgrad.experiments.recipe import (
    Recipe,
    parsed,
    read_recipe,
    recipe_names,
    with_settings,
)
from handgrad.experiments.run import Run, save_run
from handgrad.experiments.threads import Threads, answering, cores, limited, threads_for
from handgrad.experiments.verified import model_check, recipe_checks

__all__ = [
    "Evaluation",
    "Experiment",
    "Recipe",
    "Run",
    "Threads",
    "answering",
    "cores",
    "evaluate",
    "limited",
    "model_check",
    "parsed",
    "read_recipe",
    "recipe_checks",
    "recipe_names",
    "resume",
    "save_run",
    "threads_for",
    "train",
    "with_settings",
]
