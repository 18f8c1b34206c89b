"""The scikit-learn face: classifiers that fit, predict, clone and search as others do there.

Whoever has a `Pipeline` or a `GridSearchCV` calls these. They own no mathematics: network, loss,
optimizer, training and preparation are the library's own. scikit-learn is loaded with this room,
and with nothing below it.
"""

from handgrad.estimators.image_classifier import ImageClassifier
from handgrad.estimators.logistic import LogisticImageClassifier

__all__ = ["ImageClassifier", "LogisticImageClassifier"]
