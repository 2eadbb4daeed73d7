"""What people are sent."""

import json
import re


def gift_message(card):
    """The text of a gift card, which the shop's page sends as JSON."""
    return json.loads(card)["text"]


def subscribe(mail):
    """The domain of a subscriber's address."""
    return re.match(r"[^@ ]+@([^@ ]+)", mail).group(1)
