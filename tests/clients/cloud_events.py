"""Sends CloudEvents as CNCF's library writes them. usage: cloud_events.py URL TOKEN; prints each answer as JSON."""

import datetime
import json
import sys
import urllib.request

from cloudevents.core.bindings.http import to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent

url, token = sys.argv[1:3]


def event(identity, data, content_type="application/json"):
    attributes = {"id": identity, "source": "https://door.example/lobby", "type": "com.example.door.opened", "specversion": "1.0", "subject": "door-7",
                  "time": datetime.datetime(2026, 3, 2, 10, 0, tzinfo=datetime.timezone.utc), "datacontenttype": content_type}
    return CloudEvent(attributes=attributes, data=data)


def send(message, path):
    headers = {**message.headers, "authorization": f"Bearer {token}"}
    body = message.body.encode() if isinstance(message.body, str) else message.body
    answer = urllib.request.urlopen(urllib.request.Request(f"{url}{path}", data=body, headers=headers))
    print(json.dumps(json.load(answer)))


send(to_structured_event(event("s-1", {"user": "ines", "ip": "192.0.2.77", "result": "ok"})), "/api/v1/events")
send(to_binary_event(event("b-1", {"user": "jörg", "ip": "192.0.2.78", "result": "ok"})), "/api/v1/cloudevents")
send(to_structured_event(event("s-1", {"user": "ines", "ip": "192.0.2.77", "result": "ok"})), "/api/v1/events")
