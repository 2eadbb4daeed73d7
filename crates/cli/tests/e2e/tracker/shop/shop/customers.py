"""Who buys."""

import base64

CUSTOMERS = {
    "ann": {"mail": "ann@example.org", "address": {"city": "Bern", "street": "Lane 1"}},
    "bob": {"mail": "bob@example.org", "address": None},
}


def city(name):
    """Where a customer lives, for the parcel's label."""
    return CUSTOMERS[name]["address"].get("city", "").upper()


def import_names(file):
    """The names in an uploaded file (base64), one a line."""
    text = base64.b64decode(file).decode("utf-8")
    return [line.strip() for line in text.splitlines() if line.strip()]


def login_hint(mail):
    """What of a mail address may be shown to somebody who forgot theirs."""
    user, host = mail.split("@")
    return user[0] + "***@" + host
