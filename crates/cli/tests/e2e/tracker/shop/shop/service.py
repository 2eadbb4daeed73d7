"""The HTTP side: a request in, an answer out, every error to the tracker."""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from shop.routes import ROUTES


class Handler(BaseHTTPRequestHandler):
    """Calls the function that a path names with the fields of the body."""

    def do_POST(self):
        name = self.path.strip("/").replace("/", ".")
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        try:
            status, answer = 200, ROUTES[name].handler(**body)
        except Exception as error:  # whatever it is, the tracker hears of it
            report(name, body, error)
            status, answer = 500, {"error": type(error).__name__}
        data = json.dumps(answer, default=str).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format, *args):
        """Says nothing: the tracker knows what matters."""


def report(name, body, error):
    """Tells the tracker of an error, under the name of the endpoint."""
    if not os.environ.get("SENTRY_DSN"):
        return
    import sentry_sdk

    with sentry_sdk.new_scope() as scope:
        scope.set_transaction_name(name)
        scope.set_tag("priority", ROUTES[name].priority)
        scope.fingerprint = [name, "{{ default }}"]
        # Where the tracker's clients look for the request that failed, and where replay.py finds it again.
        scope.add_event_processor(lambda event, hint: {**event, "request": {"method": "POST", "url": name, "data": body}})
        scope.add_breadcrumb(category="http", message="POST /" + name.replace(".", "/"))
        sentry_sdk.capture_exception(error)
    sentry_sdk.flush(timeout=20)


def run(port):
    """Serves until the process is ended."""
    if os.environ.get("SENTRY_DSN"):
        import sentry_sdk

        sentry_sdk.init(dsn=os.environ["SENTRY_DSN"], release="shop@1.0", environment="production", in_app_include=["shop"])
    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
