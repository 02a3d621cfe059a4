"""JAX: every mapping and loss under jit, vmap and grad, by the records' formulas and their own derivatives."""

from lastlayer.dispatch import register
from lastlayer.jax.implementation import JAX

register(JAX)

__all__: list[str] = []
