"""A recipe from data to saved run: what the command line, a sweep and Python all call.

`Experiment` trains, `save_run` and `Run` keep and find its results, `evaluate` judges a model.
The command line adds only words and bars.
"""

from handgrad.experiments.conduct import train
from handgrad.experiments.evaluation import Evaluation, evaluate
from handgrad.experiments.experiment import Experiment
from handgrad.experiments.recipe import (
    Recipe,
    parsed,
    read_recipe,
    recipe_names,
    with_settings,
)
from handgrad.experiments.run import Run, run_folder, save_run
from handgrad.experiments.threads import blas_threads, cores, limited
from handgrad.experiments.verified import model_check, recipe_checks

__all__ = [
    "Evaluation",
    "Experiment",
    "Recipe",
    "Run",
    "blas_threads",
    "cores",
    "evaluate",
    "limited",
    "model_check",
    "parsed",
    "read_recipe",
    "recipe_checks",
    "recipe_names",
    "run_folder",
    "save_run",
    "train",
    "with_settings",
]
