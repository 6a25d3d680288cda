"""Sends log records with splunk-hec-handler. usage: hec.py PORT TOKEN"""

import logging
import sys

from splunk_hec_handler import SplunkHecHandler

handler = SplunkHecHandler("127.0.0.1", sys.argv[2], port=int(sys.argv[1]), proto="http", source="shop", sourcetype="_json", hostname="web-1")
logger = logging.getLogger("audit")
logger.setLevel(logging.INFO)
logger.addHandler(handler)
logger.info({"action": "order.opened", "user": "хедда", "client_ip": "10.4.4.1", "outcome": "success", "time": 1772445600.25, "fields": {"region": "north"}})
logger.warning("a plain \"line\"")
