#!/usr/bin/env python3
"""A receiver of webhooks that checks signatures with the `standardwebhooks` library.

    webhook_receiver.py [--secret-file FILE] [--answers 500,429,200] [--retry-after N] [--delay S] [--port N]

Each request is a line: {at, path, id, verified, error, body, headers}. `--answers` is worked off one by one, the last one
stays. The secret file is read at each request, so that it may be written after the channel was made; it may hold several
lines, and any of them may verify. A status of 0 closes the connection without an answer, 1 never answers, 302 redirects,
2 sends an answer without end.
"""

import argparse
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from standardwebhooks import Webhook, WebhookVerificationError

import lines


def verify(secret_file, body, headers):
    if not secret_file or not Path(secret_file).exists():
        return None, "no secret"
    error = "no secret"
    for secret in Path(secret_file).read_text().split():
        try:
            Webhook(secret).verify(body, headers)
            return True, None
        except WebhookVerificationError as wrong:
            error = str(wrong)
    return False, error


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    options = None
    answers = []
    lock = threading.Lock()

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        verified, error = verify(self.options.secret_file, body, headers)
        with self.lock:
            status = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        try:
            read = json.loads(body)
        except ValueError:
            read = None
        lines.got(path=self.path, id=headers.get("webhook-id"), verified=verified, error=error, body=read,
                  bytes=len(body), headers=headers, status=status)
        time.sleep(self.options.delay)
        if status == 0:
            self.close_connection = True
            return
        if status == 1:
            time.sleep(3600)
        if status == 2:
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            try:
                while True:
                    self.wfile.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
            except OSError:
                return
        answer = b'{"ok":true}' if status < 300 else b"not today"
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "http://127.0.0.1:1/elsewhere?token=s3cret")
        if status in (429, 503) and self.options.retry_after is not None:
            self.send_header("Retry-After", str(self.options.retry_after))
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--secret-file")
    parser.add_argument("--answers", default="200")
    parser.add_argument("--retry-after", type=int)
    parser.add_argument("--delay", type=float, default=0)
    parser.add_argument("--port", type=int, default=0)
    Receiver.options = parser.parse_args()
    Receiver.answers = [int(status) for status in Receiver.options.answers.split(",")]
    server = ThreadingHTTPServer(("127.0.0.1", Receiver.options.port), Receiver)
    server.daemon_threads = True
    lines.port(server.server_address[1])
    server.serve_forever()


if __name__ == "__main__":
    main()
