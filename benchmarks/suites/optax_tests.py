"""The tests of optax's classification losses, which are in its wheel, on JAX arrays."""

from __future__ import annotations

from typing import Any

from verdict import NotApplicableError, Rule

import lastlayer as ll

NAME = "optax's classification tests"
TESTS = ("optax.losses._classification_test",)
RULES: tuple[Rule, ...] = (Rule("where=", "n.a.", "losses of a part of the classes (where=)"),)


def install(counted: Any) -> None:
    """Put lastlayer's cross entropy and sparsemax loss into optax."""
    import jax
    import jax.numpy as jnp
    from optax.losses import _classification as theirs

    jax.config.update("jax_enable_x64", False)

    def softmax_cross_entropy(logits: Any, labels: Any, axis: Any = -1, where: Any = None) -> Any:
        if where is not None:
            raise NotApplicableError("losses of a part of the classes (where=)")
        if not isinstance(axis, int):
            raise NotApplicableError("several class axes")
        logits, labels = jnp.asarray(logits), jnp.asarray(labels)
        return ll.loss(logits, jnp.broadcast_to(labels, logits.shape), axis=axis, reduction="none")

    def softmax_cross_entropy_with_integer_labels(logits: Any, labels: Any, axis: Any = -1, where: Any = None) -> Any:
        if where is not None:
            raise NotApplicableError("losses of a part of the classes (where=)")
        if not isinstance(axis, int):
            raise NotApplicableError("several class axes")
        return ll.loss(jnp.asarray(logits), jnp.asarray(labels), axis=axis, ignore_index=-(2**31), reduction="none")

    def multiclass_sparsemax_loss(scores: Any, labels: Any) -> Any:
        return ll.loss(jnp.asarray(scores), jnp.asarray(labels), mapping="sparsemax", reduction="none")

    def multiclass_hinge_loss(scores: Any, labels: Any) -> Any:
        raise NotApplicableError("a loss that lastlayer does not have")

    for function in (softmax_cross_entropy, softmax_cross_entropy_with_integer_labels, multiclass_sparsemax_loss):
        if hasattr(theirs, function.__name__):
            setattr(theirs, function.__name__, counted(function))
