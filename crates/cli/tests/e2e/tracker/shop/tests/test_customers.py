import base64
import unittest

from shop import customers


class Customers(unittest.TestCase):
    def test_a_city_for_the_label(self):
        self.assertEqual(customers.city("ann"), "BERN")

    def test_names_are_read(self):
        file = base64.b64encode("Ann\nZoë\n\n".encode()).decode()
        self.assertEqual(customers.import_names(file), ["Ann", "Zoë"])

    def test_a_hint(self):
        self.assertEqual(customers.login_hint("ann@example.org"), "a***@example.org")
