"""Sends log records with OpenTelemetry's exporters. usage: otlp.py http|grpc URL TOKEN [gzip]"""

import sys

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource

protocol, url, token, packed = sys.argv[1], sys.argv[2], sys.argv[3], "gzip" in sys.argv[4:]
headers = {"authorization": f"Bearer {token}"}
if protocol == "http":
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter

    exporter = OTLPLogExporter(endpoint=f"{url}/v1/logs", headers=headers, timeout=20, compression=Compression.Gzip if packed else Compression.NoCompression)
else:
    import grpc
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter

    exporter = OTLPLogExporter(endpoint=url, insecure=True, headers=headers, timeout=20, compression=grpc.Compression.Gzip if packed else grpc.Compression.NoCompression)

results = []
export = exporter.export
exporter.export = lambda batch: results.append(export(batch)) or results[-1]
provider = LoggerProvider(resource=Resource.create({"service.name": "payroll", "host.name": "app-3"}))
provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
logger = provider.get_logger("payroll.audit", "2.1")


def emit(**fields):
    logger.emit(LogRecord(timestamp=1772445600123456789, severity_text="INFO", severity_number=SeverityNumber.INFO, **fields))


emit(body="lena signed in", event_name="user.login", attributes={"user.name": f"lena-{protocol}", "client.address": "192.0.2.14", "event.outcome": "success"})
emit(body={"message": "export refused", "action": "export", "user": "tomás"}, attributes={"sizes": [1, 2], "ratio": 0.5})
emit(body='{"time":"2026-11-20T10:00:00Z","type":"response","auth":{"display_name":"ldap-ada"},"request":{"id":"r1","operation":"read","path":"secret/data/db","remote_address":"10.0.0.9","mount_type":"kv"}}')
for number in range(1500):
    emit(body=f"line {number}")
provider.shutdown()
failed = [result for result in results if result.name != "SUCCESS"]
sys.exit(f"the exporter says that it failed: {failed}" if failed or not results else 0)
