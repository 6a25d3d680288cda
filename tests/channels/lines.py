"""What the receivers share: the port on the first line of standard output, then one JSON object per line."""

import json
import sys
import threading
import time

_lock = threading.Lock()


def port(number):
    """Says where the receiver listens. Whoever started it waits for this line."""
    say({"port": number})


def say(what):
    """Writes one line, at once."""
    with _lock:
        sys.stdout.write(json.dumps(what, ensure_ascii=False) + "\n")
        sys.stdout.flush()


def got(**what):
    """Writes down what was received, and when."""
    say({"at": time.time(), **what})
