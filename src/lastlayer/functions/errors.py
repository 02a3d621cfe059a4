"""The errors that callers catch."""


class DomainError(ValueError):
    """Scores outside a mapping's domain, such as a negative score under the ratio."""
