#!/usr/bin/env python3
"""A mail server (aiosmtpd) for tests.

    smtp_receiver.py [--security none|starttls|tls] [--auth USER:PASSWORD] [--ca-out FILE] [--refuse ADDRESS]
                     [--greylist N] [--die-after-data N] [--hang] [--endless] [--port N]

Each mail is a line: {at, from, to, subject, message_id, headers, text, html, attachments, tls, user}. With TLS its
certificate is signed by an authority made for this run, written to `--ca-out`. `--refuse` answers 550 to that recipient,
`--greylist N` answers 451 to the first N mails, `--die-after-data N` takes the first N mails and closes the connection
before it answers, `--hang` takes connections and says nothing, `--endless` greets with a line that has no end.
"""

import argparse
import asyncio
import email
import email.policy
import ssl

import trustme
from aiosmtpd.smtp import SMTP, AuthResult

import lines


class Endless(asyncio.Protocol):
    """Says 220 and then never stops."""

    def connection_made(self, transport):
        self.transport, self.open = transport, True
        transport.write(b"220 ")
        asyncio.ensure_future(self.talk())

    async def talk(self):
        while self.open and not self.transport.is_closing():
            self.transport.write(b"x" * 65536)
            await asyncio.sleep(0)

    def connection_lost(self, _):
        self.open = False


class Mailbox:
    def __init__(self, options):
        self.options = options
        self.greylist = options.greylist
        self.dying = options.die_after_data

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        if address == self.options.refuse:
            return "550 5.1.1 no such user here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if self.greylist > 0:
            self.greylist -= 1
            return "451 4.7.1 greylisted, try again later"
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        text = mail.get_body(("plain",))
        html = mail.get_body(("html",))
        user = getattr(session, "auth_data", None)
        lines.got(**{
            "from": envelope.mail_from, "to": envelope.rcpt_tos, "subject": mail["subject"], "message_id": mail["message-id"],
            "headers": [[name, str(value)] for name, value in mail.items()],
            "text": text.get_content() if text else None, "html": html.get_content() if html else None,
            "attachments": [[part.get_filename(), len(part.get_content())] for part in mail.iter_attachments()],
            "tls": server.transport.get_extra_info("sslcontext") is not None, "user": user.login.decode() if user else None,
        })
        if self.dying > 0:
            self.dying -= 1
            server.transport.abort()
        return "250 OK taken"


async def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--security", choices=["none", "starttls", "tls"], default="none")
    parser.add_argument("--auth")
    parser.add_argument("--ca-out")
    parser.add_argument("--refuse")
    parser.add_argument("--greylist", type=int, default=0)
    parser.add_argument("--die-after-data", type=int, default=0)
    parser.add_argument("--hang", action="store_true")
    parser.add_argument("--endless", action="store_true")
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()

    context = None
    if options.security != "none":
        authority = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
        if options.ca_out:
            authority.cert_pem.write_to_path(options.ca_out)

    def authenticate(server, session, envelope, mechanism, data):
        good = options.auth == f"{data.login.decode()}:{data.password.decode()}"
        return AuthResult(success=good, handled=good, auth_data=data)

    mailbox = Mailbox(options)
    loop = asyncio.get_running_loop()

    def conversation():
        if options.hang:
            return asyncio.Protocol()
        if options.endless:
            return Endless()
        settings = {"hostname": "mail.test", "loop": loop, "enable_SMTPUTF8": True}
        if options.security == "starttls":
            settings |= {"tls_context": context, "require_starttls": True}
        if options.auth:
            settings |= {"authenticator": authenticate, "auth_required": True,
                         "auth_require_tls": options.security == "starttls"}
        return SMTP(mailbox, **settings)

    server = await loop.create_server(conversation, "127.0.0.1", options.port,
                                      ssl=context if options.security == "tls" else None)
    lines.port(server.sockets[0].getsockname()[1])
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
