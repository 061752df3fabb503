"""`python -m batuta.server.worker SOCKET`: started by the server only."""

import sys

from batuta.server.worker.child import main

main(sys.argv[1:])
