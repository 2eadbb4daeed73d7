"""`python3 -m shop PORT`: serves the shop on this machine."""

import sys

from shop import service

service.run(int(sys.argv[1]))
