"""Method "loss": L-BFGS on the mapping's loss and gradient."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

import lastlayer as ll
from lastlayer.sklearn.intercepts import INTERCEPT_CONSTRAINTS
from lastlayer.sklearn.problem import Floats, LinearProblem, Solution

#: The objective returned for weights whose loss is not finite.
NOT_FINITE = 1e100


def descend(
    problem: LinearProblem, mapping: ll.ProbabilityMapping, start: Floats, *, tol: float, max_iter: int
) -> Solution:
    """Minimise until no entry of the gradient exceeds `tol`, over intercepts parametrised to obey their constraint."""
    constraint = INTERCEPT_CONSTRAINTS[mapping.linear.intercept_constraint]

    def constrained(variables: Floats) -> Floats:
        theta = variables.reshape(start.shape).copy()
        if problem.has_intercept:
            theta[-1] = constraint.impose(theta[-1])
        return theta

    def objective(variables: Floats) -> tuple[float, Floats]:
        theta = constrained(variables)
        value, gradient = objective_and_gradient(problem, mapping, theta)
        if problem.has_intercept:
            gradient[-1] = constraint.pull_back(variables.reshape(start.shape)[-1], gradient[-1])
        return value, gradient.ravel()

    # ftol = 0: a small relative decrease must not end the search before the gradient reaches tol.
    options = {"maxiter": max_iter, "maxfun": 20 * max_iter, "maxls": 50, "gtol": tol, "ftol": 0.0, "maxcor": 20}
    result = minimize(objective, start.ravel(), jac=True, method="L-BFGS-B", options=options)
    return stopped(constrained(result.x), float(result.fun), result.jac, int(result.nit), result.status == 2, tol)


def stopped(theta: Floats, objective: float, gradient: Floats, iterations: int, is_stuck: bool, tol: float) -> Solution:
    """The result of a descent, judged by its gradient. `is_stuck` means that no step decreased the objective any more."""
    largest = float(np.max(np.abs(gradient)))
    # Close to the optimum rounding hides any decrease from the line search; the gradient then decides, with a looser bound.
    converged = bool(largest <= tol or (is_stuck and largest <= 100 * tol))
    distance = f"the largest entry of its gradient is {largest:.1e}, tol is {tol:g}"
    return Solution(theta, objective, iterations, converged, distance)


def objective_and_gradient(
    problem: LinearProblem, mapping: ll.ProbabilityMapping, theta: Floats
) -> tuple[float, Floats]:
    """The scaled objective and its gradient in θ.

    It is `NOT_FINITE` if a row is outside the domain or its label has probability 0.
    """
    scores = problem.scores(theta)
    loss, grad_scores = ll.loss_and_grad(
        scores,
        problem.labels,
        mapping=mapping,
        sample_weight=problem.row_weight,
        reduction="sum",
        on_domain="nan",
        out=scores,
    )
    if not np.isfinite(loss + problem.penalised(theta)):
        # A finite value far above any loss makes the line search step back; inf would end it.
        return NOT_FINITE, np.zeros_like(theta)
    gradient = problem.pull_back(grad_scores) + problem.penalty * theta
    return float(loss) + problem.penalised(theta), gradient
