"""What a study keeps on disk: each finished fit at once, and the results."""
