"""What things cost."""

from fractions import Fraction

COUPONS = {"SPRING": 10, "STAFF": 25}


def order_total(cents, coupon=None):
    """The sum of an order's prices, less the coupon's share."""
    total = sum(cents)
    if coupon is None:
        return total
    return total - total * COUPONS[coupon] // 100


def average_rating(ratings):
    """The mean of all ratings, to one decimal place."""
    return round(float(Fraction(sum(ratings), len(ratings))), 1)


def split_bill(cents, people):
    """The shares of a bill: as even as whole cents allow, together the bill."""
    share = cents // people
    shares = [share] * people
    if sum(shares) != cents:
        raise ValueError(f"{people} shares of {share} are not {cents}")
    return shares
