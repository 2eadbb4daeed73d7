import unittest

from shop import orders


class Orders(unittest.TestCase):
    def test_a_full_page(self):
        page = orders.page(list(range(1, 21)), 2)
        self.assertEqual(page, {"orders": list(range(11, 21)), "last": 20})

    def test_late(self):
        self.assertTrue(orders.is_late("2024-05-01T12:00:00+00:00", "2024-05-02T12:00:00+00:00"))

    def test_lines(self):
        rows = [{"id": "1", "customer": "ann", "note": "soon"}]
        self.assertEqual(orders.export_csv(rows), "1,ann,soon")
