"""JAX arrays: every mapping and loss under jit, vmap and grad, by the records' formulas and their own derivatives."""
