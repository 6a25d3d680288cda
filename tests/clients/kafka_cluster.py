#!/usr/bin/env python3
"""A cluster for tests: the mock cluster inside librdkafka, which speaks the real protocol on real ports, and keeps
everything in memory. It is not Apache Kafka.

Prints its bootstrap servers; then takes lines `TOPIC PARTITION VALUE` on standard input, and answers each with `ok`.
"""

import sys

from confluent_kafka import Producer

producer = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "unused", "linger.ms": 0})
brokers = producer.list_topics(timeout=10).brokers.values()
print(",".join(f"{broker.host}:{broker.port}" for broker in brokers), flush=True)
for line in sys.stdin:
    topic, partition, value = line.rstrip("\n").split(" ", 2)
    failed = []
    producer.produce(topic, value.encode(), partition=int(partition), on_delivery=lambda e, _: e and failed.append(e))
    producer.flush(10)
    print(failed[0] if failed else "ok", flush=True)
