"""The equations of the built-in mappings in LaTeX, as a page of the site shows them.

A record has its equation as plain text for the terminal. A mapping that is not in EQUATIONS is shown with that text.
"""

from __future__ import annotations

from lastlayer.mappings import ProbabilityMapping

EQUATIONS = {
    "softmax": r"p_i = \frac{e^{x_i}}{\sum_j e^{x_j}}",
    "ratio": r"p_i = \frac{x_i}{\sum_j x_j}",
    "spherical": r"p_i = \frac{x_i^2}{\sum_j x_j^2}",
    "taylor": r"p_i = \frac{g(x_i)}{\sum_j g(x_j)}, \qquad g(x) = 1 + x + \frac{x^2}{2} + \ldots + \frac{x^n}{n!}",
    "softplus_ratio": r"p_i = \frac{g(x_i)}{\sum_j g(x_j)}, \qquad g(x) = \log(1 + e^x)",
    "sigmoid_ratio": r"p_i = \frac{\sigma(x_i)}{\sum_j \sigma(x_j)}, \qquad \sigma(x) = \frac{1}{1 + e^{-x}}",
    "stablemax": (
        r"p_i = \frac{g(x_i)}{\sum_j g(x_j)}, \qquad "
        r"g(x) = \begin{cases} x + 1 & \text{for } x \ge 0 \\ \frac{1}{1 - x} & \text{for } x < 0 \end{cases}"
    ),
    "softmax_plus_one": r"p_i = \frac{e^{x_i}}{1 + \sum_j e^{x_j}}",
    "hardmax": r"p = \operatorname{argmax}_{q \in \Delta} \langle q, x \rangle",
    "sparsemax": (
        r"p_i = \max(0, x_i - \tau), \qquad \tau \text{ such that } \sum_i p_i = 1 \qquad "
        r"\left( p = \operatorname{argmin}_{q \in \Delta} \lVert q - x \rVert^2 \right)"
    ),
    "entmax": (
        r"p_i = \left[ (\alpha - 1) x_i - \tau \right]_+^{1 / (\alpha - 1)}, \qquad \tau \text{ such that } \sum_i p_i = 1"
    ),
}

#: Family → its general form, its loss of targets y, and that loss's gradient, with Σ y = 1.
FAMILIES = {
    "normalized": (
        r"p_i = \frac{g(x_i)}{S}, \qquad S = \sum_j g(x_j)",
        r"L = -\sum_i y_i \, \log p_i",
        r"\frac{\partial L}{\partial x_i} = \frac{g'(x_i)}{S} - y_i \, \frac{g'(x_i)}{g(x_i)}",
    ),
    "regularized": (
        r"p = \operatorname{argmax}_{q \in \Delta} \; \langle q, x \rangle - \Omega(q)",
        r"L = \Omega^*(x) + \Omega(y) - \langle x, y \rangle",
        r"\frac{\partial L}{\partial x_i} = p_i - y_i",
    ),
}
#: Where the gradient becomes simpler than its family's.
GRADIENTS = {
    "softmax": r"\frac{\partial L}{\partial x_i} = p_i - y_i",
    "ratio": r"\frac{\partial L}{\partial x_i} = \frac{1}{S} - \frac{y_i}{x_i}",
}


def equation(mapping: ProbabilityMapping) -> str:
    """The mapping's equation as Markdown: LaTeX between dollars, or the record's text as code."""
    known = EQUATIONS.get(mapping.name)
    return f"$${known}$$" if known else f"`{mapping.equation}`"


def loss_and_gradient(mapping: ProbabilityMapping) -> tuple[str, str]:
    """The loss of a row with targets y, and its gradient in the scores, in LaTeX."""
    _, loss, gradient = FAMILIES[mapping.family]
    return loss, GRADIENTS.get(mapping.name, gradient)
