#!/usr/bin/env python3
"""Answers as the incoming webhooks of Slack and the workflows of Microsoft Teams do, limits included.

    chat_receiver.py --kind slack|teams [--port N] [--pace SECONDS]

Each request is a line: {at, path, status, answer, body}. Slack: more than one message per `--pace` (1 s) is a 429 with
Retry-After, a body beyond the documented limits a 400 invalid_payload. Teams: 202, above 28 KB a 413, more than four a
second a 429.
"""

import argparse
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import lines

SLACK_LIMITS = {"header": 150, "section": 3000, "field": 2000, "fields": 10, "blocks": 50, "url": 3000}


def slack_fault(body):
    """What Slack would refuse, or None."""
    if not isinstance(body, dict) or not body.get("text") and not body.get("blocks"):
        return "no_text"
    blocks = body.get("blocks", [])
    if len(blocks) > SLACK_LIMITS["blocks"]:
        return "invalid_blocks"
    total = 0
    for block in blocks:
        kind = block.get("type")
        if kind == "header":
            text = block["text"]
            if text["type"] != "plain_text" or not 1 <= len(text["text"]) <= SLACK_LIMITS["header"]:
                return "invalid_blocks"
            total += len(text["text"])
        elif kind == "section":
            fields = block.get("fields", [])
            if "text" not in block and not fields or len(fields) > SLACK_LIMITS["fields"]:
                return "invalid_blocks"
            for field in fields:
                if not 1 <= len(field["text"]) <= SLACK_LIMITS["field"]:
                    return "invalid_blocks"
                total += len(field["text"])
            if "text" in block:
                if not 1 <= len(block["text"]["text"]) <= SLACK_LIMITS["section"]:
                    return "invalid_blocks"
                total += len(block["text"]["text"])
        elif kind == "context":
            if not 1 <= len(block["elements"]) <= 10:
                return "invalid_blocks"
            total += sum(len(element["text"]) for element in block["elements"])
        elif kind == "actions":
            for element in block["elements"]:
                if len(element["url"]) > SLACK_LIMITS["url"] or len(element["text"]["text"]) > 75:
                    return "invalid_blocks"
        else:
            return "invalid_blocks"
    return "msg_blocks_too_long" if total > 13_200 else None


def teams_fault(body):
    """What a workflow would stumble over, or None."""
    try:
        if body["type"] != "message":
            return "type"
        attachment = body["attachments"][0]
        if attachment["contentType"] != "application/vnd.microsoft.card.adaptive":
            return "contentType"
        card = attachment["content"]
        if card["type"] != "AdaptiveCard" or not card["body"] or "version" not in card:
            return "content"
    except (KeyError, IndexError, TypeError) as wrong:
        return repr(wrong)
    return None


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    options = None
    lock = threading.Lock()
    taken = []

    def judge(self, raw):
        with self.lock:
            now = time.monotonic()
            count, per = (1, self.options.pace) if self.options.kind == "slack" else (4, 1.0)
            # A little leave: clocks of two processes and a busy machine.
            self.taken[:] = [at for at in self.taken if now - at < per * 0.9]
            if len(self.taken) >= count:
                return 429, "rate_limited", None
            self.taken.append(now)
        try:
            body = json.loads(raw)
        except ValueError:
            return 400, "invalid_payload", None
        if self.options.kind == "slack":
            fault = slack_fault(body)
            return (400, fault, body) if fault else (200, "ok", body)
        if len(raw) > 28 * 1024:
            return 413, "RequestEntityTooLarge", body
        fault = teams_fault(body)
        return (400, fault, body) if fault else (202, "", body)

    def do_POST(self):
        raw = self.rfile.read(int(self.headers.get("content-length", 0)))
        status, answer, body = self.judge(raw)
        lines.got(path=self.path, status=status, answer=answer, bytes=len(raw), body=body)
        self.send_response(status)
        if status == 429:
            self.send_header("Retry-After", "1")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *_):
        pass


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=["slack", "teams"], required=True)
    parser.add_argument("--pace", type=float, default=1.0)
    parser.add_argument("--port", type=int, default=0)
    Receiver.options = parser.parse_args()
    server = ThreadingHTTPServer(("127.0.0.1", Receiver.options.port), Receiver)
    server.daemon_threads = True
    lines.port(server.server_address[1])
    server.serve_forever()


if __name__ == "__main__":
    main()
