import unittest

from shop import carts, catalog, rates, stock


class Catalog(unittest.TestCase):
    def test_products_are_found(self):
        self.assertEqual(catalog.find("tea"), ["tea-1", "tea-2"])

    def test_how_deep_a_category_lies(self):
        self.assertEqual(catalog.depth("green tea"), 1)

    def test_a_weight(self):
        self.assertEqual(catalog.parse_weight("1.5kg"), 1.5)

    def test_another_currency(self):
        self.assertEqual(rates.convert("2.00", "USD"), "2.20")

    def test_fresh_carts_stay(self):
        self.assertEqual(carts.expire({"a": 100}, now=200), {"a": 100})

    def test_one_buyer_is_served(self):
        self.assertEqual(stock.reserve_at_once("tea-1", 2, 1), 1)


if __name__ == "__main__":
    unittest.main()
