"""What is about to be bought."""


def expire(carts, now, hours=24):
    """The carts that somebody touched within so many hours; the others are thrown away."""
    for name, touched in carts.items():
        if now - touched > hours * 3600:
            del carts[name]
    return carts
