"""A cart."""


def total(prices):
    """Adds up.

    >>> total([1, 2])
    3
    >>> total([])
    0

    Nothing else.
    """
    return sum(prices)


def plain(prices):
    """No examples here."""
    return prices
