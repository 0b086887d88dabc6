"""Pages that nobody else serves: a tiny relying party, and the page of somebody who wants to be taken for the console."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NOTHING = "<!doctype html><title>Nothing</title>"


class Site:
    """Pages by path, on a free port of this machine."""

    def __init__(self, pages: dict[str, str], policy: str | None = None):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                path = self.path.split("?")[0]
                body = "" if path == "/favicon.ico" else pages.get(path)
                self.send_response(404 if body is None else 200)
                self.send_header("Content-Type", "text/css" if path.endswith(".css") else "text/html; charset=utf-8")
                if policy:
                    self.send_header("Content-Security-Policy", policy)
                self.end_headers()
                self.wfile.write((NOTHING if body is None else body).encode())

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://localhost:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
