#!/usr/bin/env python3
"""Logs over rfc5424-logging-handler: rfc5424.py PORT tcp|tls FOLDER TEXT…"""

import logging
import socket
import sys

from rfc5424logging import Rfc5424SysLogHandler

port, transport, folder, texts = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:]
more = {}
if transport == "tls":
    more = {
        "tls_enable": True,
        "tls_ca_bundle": f"{folder}/ca.pem",
        "tls_client_cert": f"{folder}/client.pem",
        "tls_client_key": f"{folder}/client.key",
    }
handler = Rfc5424SysLogHandler(
    address=("localhost", port), socktype=socket.SOCK_STREAM, appname="ledger", enterprise_id=32473, **more
)
logger = logging.getLogger("ledger")
logger.addHandler(handler)
for text in texts:
    logger.warning(text, extra={"structured_data": {"order": {"text": 'say "hi" ] there'}}})
handler.close()
