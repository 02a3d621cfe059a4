"""Float32 arithmetic that knows its rounding: pairs of floats, and exponentials and logarithms in IEEE operations."""
