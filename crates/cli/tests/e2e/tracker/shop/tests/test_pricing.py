import unittest

from shop import pricing


class Pricing(unittest.TestCase):
    def test_a_coupon_takes_its_share(self):
        self.assertEqual(pricing.order_total([450, 550], "SPRING"), 900)

    def test_without_a_coupon_it_is_the_sum(self):
        self.assertEqual(pricing.order_total([450, 550]), 1000)

    def test_the_mean_of_ratings(self):
        self.assertEqual(pricing.average_rating([5, 4, 4]), 4.3)

    def test_a_bill_is_split_evenly(self):
        self.assertEqual(pricing.split_bill(900, 3), [300, 300, 300])

    def test_nobody_pays_part_of_a_cent(self):
        shares = pricing.split_bill(1000, 4)
        self.assertTrue(all(isinstance(share, int) for share in shares), shares)
