"""From plain arrays to a figure: every number of a training, to be looked at.

Functions that take arrays and return a matplotlib figure (or, for `labelled`, an image); `save`
writes one. Experiments and the command line call them; matplotlib is loaded when one is drawn.
"""

from handgrad.pictures.architecture import layer_drawing, network_drawing, neuron_drawing
from handgrad.pictures.augmented import augmented
from handgrad.pictures.contact import contact_sheet, thumbnail
from handgrad.pictures.contributions import contributions, occlusion, saliency
from handgrad.pictures.curves import accuracy_curve, cost_curve
from handgrad.pictures.descent import himmelblau_descent
from handgrad.pictures.film import Film
from handgrad.pictures.film_files import save_gif, save_mp4, stills
from handgrad.pictures.gallery import gallery
from handgrad.pictures.inputs import batch_matrix, class_balance, images, mean_images
from handgrad.pictures.labelled import labelled
from handgrad.pictures.norms import dead_units, learning_rate_curve, norm_curves, update_ratio
from handgrad.pictures.page import Panel, Rows, Section, Slider, Strip, Strips, page
from handgrad.pictures.predictions import confusion, predictions
from handgrad.pictures.reliability import reliability
from handgrad.pictures.saving import check_ending, save
from handgrad.pictures.scoreboard import scoreboard
from handgrad.pictures.sizes import image_sizes
from handgrad.pictures.sweep import sweep_picture
from handgrad.pictures.weights import activations, first_weights, weight_matrices

__all__ = [
    "Film",
    "Panel",
    "Rows",
    "Section",
    "Slider",
    "Strip",
    "Strips",
    "accuracy_curve",
    "activations",
    "augmented",
    "batch_matrix",
    "check_ending",
    "class_balance",
    "confusion",
    "contact_sheet",
    "contributions",
    "cost_curve",
    "dead_units",
    "first_weights",
    "gallery",
    "himmelblau_descent",
    "image_sizes",
    "images",
    "labelled",
    "layer_drawing",
    "learning_rate_curve",
    "mean_images",
    "network_drawing",
    "neuron_drawing",
    "norm_curves",
    "occlusion",
    "page",
    "predictions",
    "reliability",
    "saliency",
    "save",
    "save_gif",
    "save_mp4",
    "scoreboard",
    "stills",
    "sweep_picture",
    "thumbnail",
    "update_ratio",
    "weight_matrices",
]
