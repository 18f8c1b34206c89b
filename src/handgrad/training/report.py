"""What `fit` says now and then."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Report"]


@dataclass(frozen=True)
class Report:
    """The state of a training after ``step`` updates.

    Parameters
    ----------
    step : the updates made before it
    epoch : the passes through the data completed before it
    loss : of the full batch, measured with these very weights; for mini-batches the sample-weighted
        mean over the epoch, each batch measured before its own update. With the penalty.
    train_accuracy : likewise
    learning_rate : of the last step that was computed
    validation_loss, validation_accuracy, test_accuracy : with these very weights, where watched
    weight_norms, gradient_norms, update_norms : Euclidean, one a layer that learns, of the last
        step that was computed; None where not measured
    """

    step: int
    epoch: int
    loss: float
    train_accuracy: float
    learning_rate: float
    validation_loss: float | None = None
    validation_accuracy: float | None = None
    test_accuracy: float | None = None
    weight_norms: tuple[float, ...] | None = None
    gradient_norms: tuple[float, ...] | None = None
    update_norms: tuple[float, ...] | None = None

    def known(self) -> dict[str, Any]:
        """What was measured, as a table."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def __repr__(self) -> str:
        """
        >>> Report(step=40, epoch=2, loss=0.25, train_accuracy=0.875, learning_rate=0.1)
        Report(step 40, epoch 2: loss 0.25, train 87.50 %, learning rate 0.1)
        """
        words = [f"loss {self.loss:.6g}", f"train {100 * self.train_accuracy:.2f} %"]
        for name in ("validation", "test"):
            if (found := getattr(self, f"{name}_accuracy")) is not None:
                words.append(f"{name} {100 * found:.2f} %")
        words.append(f"learning rate {self.learning_rate:.3g}")
        return f"Report(step {self.step}, epoch {self.epoch}: {', '.join(words)})"
