"""Sends events with Keeper Commander's own exporters. usage: keeper.py hec URL TOKEN | keeper.py syslog PORT counting|lines"""

import sys

from keepercommander.commands import aram

# Commander loads the texts of messages from its own servers; one of them stands for all.
aram.syslog_templates = {"login": "User ${username} logged in from ${ip_address}"}

EVENTS = [
    {"id": 9001, "created": 1794000001, "audit_event_type": "login", "username": "ada@example.com", "ip_address": "10.1.1.1",
     "keeper_version": "16.11.8", "geo_location": "Lyon, FR"},
    {"id": 9002, "created": 1794000002, "audit_event_type": "open_record", "username": "ada@example.com", "ip_address": "10.1.1.1",
     "record_uid": "Xq3rT9mLk2PzVb8sWc1Dfg"},
    {"id": 9003, "created": 1794000003, "audit_event_type": "app_client_added", "username": "бола@example.com", "ip_address": "10.1.1.2",
     "app_uid": "appUid00000000000000001", "name": 'quote " bracket ] back \\ slash'},
]


def send(exporter, properties):
    exporter.export_events(properties, [exporter.convert_event(properties, event) for event in EVENTS])
    if exporter.should_cancel:
        sys.exit("the exporter says that it failed")


if sys.argv[1] == "hec":
    send(aram.AuditLogSplunkExport(), {"hec_url": sys.argv[2], "token": sys.argv[3], "host": "node-1", "enterprise_name": "Example Ltd"})
else:
    properties = {"is_udp": False, "is_ssl": False, "host": "127.0.0.1", "port": int(sys.argv[2]), "is_octet_counting": sys.argv[3] == "counting"}
    send(aram.AuditLogSyslogPortExport(), properties)
