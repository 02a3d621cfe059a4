"""Every figure of the documents: its name in docs/images/ → the function that draws it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from answer import answer
from data import real_data, reliability, three_predictions
from family import alphas, max_argmax_softmax, temperature, triangle
from losses import log_loss, slopes, steps
from scores import before_the_division, scale, shift
from style import Drawn

#: Figures too wide for a phone, where the same is drawn in one column.
_WIDE: dict[str, Callable[..., Drawn]] = {
    "answer": answer,
    "before-the-division": before_the_division,
    "max-argmax-softmax": max_argmax_softmax,
    "temperature": temperature,
    "three-predictions": three_predictions,
    "real-data": real_data,
}
FIGURES: dict[str, Callable[[], Drawn]] = {
    **_WIDE,
    **{f"{name}-narrow": partial(draw, is_narrow=True) for name, draw in _WIDE.items()},
    "scale": scale,
    "shift": shift,
    "log-loss": log_loss,
    "slopes": slopes,
    "steps": steps,
    "triangle": triangle,
    "alphas": alphas,
    "reliability": reliability,
}
