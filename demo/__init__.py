"""The demonstration: a real Envoy with the filter, a real authorization server, a real MCP server.

`make run` starts it (`demo.run`), `make token` asks it for an access token
(`demo.token`). The end-to-end tests start the same parts on ports of their own
(`demo.stack`). Nothing in here needs more than Python's standard library.
"""

import sys

if sys.version_info < (3, 10):
    sys.exit(f"Python 3.10 or newer is needed; this is {sys.version.split()[0]}.")
