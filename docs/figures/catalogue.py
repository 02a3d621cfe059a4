"""Every figure of the documents: its name in docs/images/ → the function that draws it."""

from __future__ import annotations

from collections.abc import Callable

from answer import answer
from data import real_data, reliability, three_predictions
from family import alphas, max_argmax_softmax, temperature, triangle
from losses import log_loss, slopes, steps
from scores import before_the_division, scale, shift
from style import Drawn

FIGURES: dict[str, Callable[[], Drawn]] = {
    "answer": answer,
    "scale": scale,
    "shift": shift,
    "before-the-division": before_the_division,
    "log-loss": log_loss,
    "slopes": slopes,
    "steps": steps,
    "max-argmax-softmax": max_argmax_softmax,
    "temperature": temperature,
    "triangle": triangle,
    "alphas": alphas,
    "three-predictions": three_predictions,
    "real-data": real_data,
    "reliability": reliability,
}
