"""What is sold."""

from shop import db

CATEGORIES = {"tea": None, "green tea": "tea", "gifts": "seasonal", "seasonal": "gifts"}


def find(text):
    """The products whose names contain a text."""
    rows = db.connect().execute(f"SELECT sku FROM products WHERE name LIKE '%{text}%' ORDER BY sku")
    return [sku for (sku,) in rows]


def depth(category):
    """How deep a category lies in the tree."""
    parent = CATEGORIES[category]
    return 0 if parent is None else 1 + depth(parent)


def parse_weight(text):
    """Kilograms, as suppliers write them."""
    return float(text.removesuffix("kg"))
