"""Sends documents with Elasticsearch's client and its bulk helper. usage: elastic.py URL TOKEN; prints what it was told as JSON."""

import json
import sys

from elasticsearch import AuthenticationException, Elasticsearch, helpers

url, token = sys.argv[1:3]
said = {}
client = Elasticsearch(url, basic_auth=("anybody", token), http_compress=True)
info = client.info()
said["version"] = info["version"]["number"]
said["health"] = client.cluster.health()["status"]


def documents():
    for number in range(2500):
        yield {"_op_type": "create", "_index": "logs-app-default", "@timestamp": "2026-03-02T10:00:00Z", "event": {"action": "bulk.sent", "outcome": "success"}, "user": {"name": f"bulk{number % 3}"}, "message": f"nr {number} \u00e9"}


said["sent"], errors = helpers.bulk(client, documents(), chunk_size=1000)
answer = client.bulk(operations=[
    {"index": {"_index": "x", "_id": "one"}}, {"event.action": "bulk.kept", "user": "ana"},
    {"delete": {"_index": "x", "_id": "one"}},
    {"update": {"_index": "x", "_id": "one"}}, {"doc": {"a": 1}},
    {"create": {"_index": "x"}}, {"event.action": "bulk.kept", "user": "bo"},
])
said["errors"] = answer["errors"]
said["statuses"] = [next(iter(item.values()))["status"] for item in answer["items"]]
said["api_key"] = Elasticsearch(f"{url}/elastic", api_key=("any", token)).bulk(operations=[{"index": {}}, {"event.action": "bulk.prefixed"}], index="y")["errors"]
try:
    Elasticsearch(url, basic_auth=("anybody", "blf_wrong")).bulk(operations=[{"index": {}}, {"a": 1}])
except AuthenticationException as error:
    said["wrong"] = error.status_code
print(json.dumps(said))
