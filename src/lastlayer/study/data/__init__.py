"""From a name or a file to features and classes."""
