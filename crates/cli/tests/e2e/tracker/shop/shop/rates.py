"""Other currencies."""

from decimal import Decimal

RATES = {"EUR": Decimal("0.95"), "USD": Decimal("1.10")}


def parse_amount(text):
    """An amount as people write it."""
    return Decimal(text)


def convert(amount, currency):
    """An amount of francs in another currency."""
    return str((parse_amount(amount) * RATES[currency]).quantize(Decimal("0.01")))
