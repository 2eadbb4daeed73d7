import unittest
from shop import cart


class CartTest(unittest.TestCase):
    def setUp(self):
        self.cart = cart.Cart()

    def helper(self, price):
        self.cart.add(price)
        return self.cart.total()

    def test_adds(self):
        self.assertEqual(self.helper(3), 3)
        self.assertAlmostEqual(self.cart.tax(), 0.57, places=5)

    def test_empty(self):
        self.assertEqual(self.cart.total(), 0)


if __name__ == "__main__":
    unittest.main()
