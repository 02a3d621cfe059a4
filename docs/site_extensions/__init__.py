"""What the documentation site adds to Sphinx, one extension per file."""
