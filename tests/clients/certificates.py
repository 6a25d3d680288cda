#!/usr/bin/env python3
"""Makes an authority, a server's certificate and a client's in a folder: certificates.py FOLDER CLIENT-NAME"""

import pathlib
import sys

import trustme

folder = pathlib.Path(sys.argv[1])
authority = trustme.CA()
authority.cert_pem.write_to_path(str(folder / "ca.pem"))
server = authority.issue_cert("localhost", "127.0.0.1", common_name="localhost")
client = authority.issue_cert(sys.argv[2], common_name=sys.argv[2])
stranger = trustme.CA().issue_cert(sys.argv[2], common_name=sys.argv[2])
for name, made in [("server", server), ("client", client), ("stranger", stranger)]:
    made.private_key_pem.write_to_path(str(folder / f"{name}.key"))
    for index, blob in enumerate(made.cert_chain_pems):
        blob.write_to_path(str(folder / f"{name}.pem"), append=index > 0)
