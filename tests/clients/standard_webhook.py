"""Checks webhooks with the library of Standard Webhooks. Reads JSON lines {secret, headers, body}; says ok or why not, line by line."""

import json
import sys

from standardwebhooks.webhooks import Webhook

for line in sys.stdin:
    case = json.loads(line)
    try:
        Webhook(case["secret"]).verify(case["body"], case["headers"])
        print("ok", flush=True)
    except Exception as error:  # noqa: BLE001: whatever is wrong is told to the test
        print(f"refused: {type(error).__name__} {error}", flush=True)
