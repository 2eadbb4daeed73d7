"""What was bought."""

from datetime import datetime, timezone

from shop import db

PAGE = 10


def page(orders, number):
    """One page of orders, from 1, with the number of its last order."""
    first = (number - 1) * PAGE
    last = first + PAGE
    return {"orders": orders[first:last], "last": orders[last - 1]}


def is_late(promised, now=None):
    """Whether an order that was promised for then (ISO 8601) is late."""
    now = datetime.fromisoformat(now) if now else datetime.now(timezone.utc)
    return datetime.fromisoformat(promised) < now


def send_back(order, reason):
    """Notes that an order comes back, and why."""
    connection = db.connect()
    connection.execute("INSERT INTO returns (order_id, reason) VALUES (?, ?)", (order, reason))
    return connection.execute("SELECT count(*) FROM returns").fetchone()[0]


def export_csv(orders):
    """Orders as comma-separated lines."""
    return "\n".join(",".join([order["id"], order["customer"], order["note"]]) for order in orders)
