"""Makes the request of an event once more: `python3 replay.py < event.json`. It ends with 0 if the request works."""

import json
import sys

from shop.routes import ROUTES

request = json.load(sys.stdin)["request"]
ROUTES[request["url"]].handler(**request["data"])
