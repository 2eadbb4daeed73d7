"""Tests of the cart."""
import math
from unittest import mock

import pytest

from shop.cart import Cart, total

RATES = {"de": 19}


@pytest.fixture
def cart():
    return Cart(rates=RATES)


def make(items):
    return [{"price": price} for price in items]


@pytest.mark.parametrize("prices,expected", [([1, 2], 3), ([], 0)])
def test_total(prices, expected):
    """Adds up."""
    assert total(make(prices)) == expected


class TestCart:
    def test_empty(self, cart):
        assert cart.total() == 0
        assert cart.items == []

    def test_tax(self, cart):
        cart.add(100)
        assert math.isclose(cart.tax("de"), 19.0, rel_tol=1e-9)


def test_rejects(cart):
    with pytest.raises(ValueError):
        cart.add(-1)
