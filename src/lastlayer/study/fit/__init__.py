"""One fit: splits, encoding, the strength of the penalty, the model, and what is measured on the test rows."""
