#!/usr/bin/env python3
"""The host's side of docs/protocol/email-tls.md, made from that page: mail services that publish values, and do nothing else.

    responder.py --address 127.0.0.1 --key-authorization TOKEN.THUMBPRINT --serve imaps:993=1993 --serve smtp:25=2525

Each SERVICE:PORT=LISTEN is served on LISTEN (0: any free port) and shows the values for SERVICE:PORT. Prints one line
"listening SERVICE:PORT LISTEN" for each, then "ready"; ends with its standard input. The values can be changed by lines on it:
"show TOKEN.THUMBPRINT", "show -" for none. Each is answered with "shown".
"""

import argparse
import pathlib
import socket
import ssl
import subprocess
import sys
import tempfile
import threading

import proof

PLACES = ("greeting", "capability", "clear", "nowhere")
FAULTS = ("none", "no-starttls", "inject", "echo", "other-port", "upper-case")


class Site:
    """What all services of a host have in common."""

    def __init__(self, host, place="greeting", method="mail-greeting-01", fault="none", together=False):
        self.host, self.place, self.method, self.fault, self.together = host, place, method, fault, together
        self.key_authorization, self.places = None, []
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.minimum_version = ssl.TLSVersion.TLSv1_2
        with tempfile.TemporaryDirectory() as folder:
            key, certificate = pathlib.Path(folder, "key.pem"), pathlib.Path(folder, "certificate.pem")
            made = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2".split()
            made += ["-subj", f"/CN={host}", "-keyout", str(key), "-out", str(certificate)]
            subprocess.run(made, check=True, stdin=subprocess.DEVNULL, capture_output=True)
            self.tls.load_cert_chain(certificate, key)

    def listen(self, address, service, port, listen):
        server = socket.create_server((address, listen))
        self.places.append((service, port))

        def serve():
            while True:
                connection, _ = server.accept()
                connection.settimeout(20)
                session = Session(self, connection, service, port)
                threading.Thread(target=session.run, daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        return server.getsockname()[1]

    def values(self, service, port):
        if not self.key_authorization:
            return []
        if self.method.startswith("capability-"):
            return [proof.drafted_value(self.key_authorization)]
        places = self.places if self.together else [(service, port)]
        if self.fault == "other-port":
            places = [(service, port + 1)]
        values = [proof.bound_value(self.key_authorization, self.method, *place) for place in places]
        return [value.upper() for value in values] if self.fault == "upper-case" else values


class Session:
    def __init__(self, site, connection, service, port):
        self.site, self.socket, self.service, self.port = site, connection, service, port
        _, self.under_tls, self.protocol, _ = proof.SERVICES[service]
        self.keyword = "ACME" if site.method.startswith("capability-") else "ACME-MAIL-01"

    def run(self):
        try:
            if self.under_tls:
                self.socket = self.site.tls.wrap_socket(self.socket, server_side=True)
            self.reader = self.socket.makefile("rb")
            self.greet()
            while line := self.reader.readline(2000):
                if not self.answer(line.rstrip(b"\r\n").decode("latin-1")):
                    break
        except OSError:
            pass
        finally:
            self.socket.close()

    def send(self, *lines):
        self.socket.sendall("".join(f"{line}\r\n" for line in lines).encode())

    def words(self):
        """What stands in the greeting."""
        shown = self.site.place == "greeting" and not self.site.method.startswith("capability-")
        return "".join(f" {proof.in_greeting(v)}" for v in self.site.values(self.service, self.port)) if shown else ""

    def capabilities(self):
        usual = {"smtp": ["PIPELINING", "8BITMIME"], "lmtp": ["PIPELINING"], "imap": ["IMAP4rev1", "ID"]}
        listed = usual.get(self.protocol, ["UIDL", "TOP"] if self.protocol == "pop3" else ['"SIEVE" "fileinto"'])[:]
        if not self.under_tls and self.site.fault != "no-starttls":
            listed.append({"pop3": "STLS", "sieve": '"STARTTLS"'}.get(self.protocol, "STARTTLS"))
        here = self.under_tls if self.site.place == "capability" else not self.under_tls
        drafted = self.site.method.startswith("capability-")
        if (self.site.place == "greeting" and drafted) or (self.site.place in ("capability", "clear") and here):
            values = self.site.values(self.service, self.port)
            listed += [proof.in_capabilities(self.protocol, value, self.keyword) for value in values]
        return listed

    def greet(self):
        host, words = self.site.host, self.words()
        if self.protocol in ("smtp", "lmtp"):
            self.send(f"220-{host} is being proved", f"220 {host} {self.protocol.upper()} ready{words}")
        elif self.protocol == "imap":
            self.send(f"* OK [CAPABILITY {' '.join(self.capabilities())}] ready{words}")
        elif self.protocol == "pop3":
            self.send(f"+OK ready{words}")
        else:
            self.send(*self.capabilities(), 'OK "ready"')

    def answer(self, line):
        tag, _, rest = line.partition(" ") if self.protocol == "imap" else ("", "", line)
        command = (rest.split() or [""])[0].upper()
        if command in ("STARTTLS", "STLS") and not self.under_tls:
            return self.start_tls(tag)
        if command in ("QUIT", "LOGOUT"):
            self.send({"imap": f"* BYE\r\n{tag} OK bye", "pop3": "+OK bye", "sieve": "OK"}.get(self.protocol, "221 bye"))
            return False
        listed = self.capabilities()
        if self.protocol in ("smtp", "lmtp") and command == {"smtp": "EHLO", "lmtp": "LHLO"}[self.protocol]:
            hello = f"{self.site.host} hello {rest.partition(' ')[2]}"
            if self.site.fault == "echo":
                # What a server says that repeats its client: on the first line it must not count.
                hello = " ".join(proof.in_capabilities("smtp", v) for v in self.site.values(self.service, self.port))
            self.send(*(f"250-{text}" for text in [hello, *listed][:-1]), f"250 {[hello, *listed][-1]}")
        elif self.protocol == "imap" and command == "CAPABILITY":
            self.send(f"* CAPABILITY {' '.join(listed)}", f"{tag} OK done")
        elif self.protocol == "pop3" and command == "CAPA":
            self.send("+OK here they are", *listed, ".")
        else:
            no = {"imap": f"{tag} BAD unknown", "pop3": "-ERR unknown", "sieve": 'NO "unknown"'}
            self.send(no.get(self.protocol, "502 5.5.2 unknown"))
        return True

    def start_tls(self, tag):
        yes = {"imap": f"{tag} OK begin", "pop3": "+OK begin", "sieve": 'OK "begin"'}.get(self.protocol, "220 begin")
        if self.site.fault == "inject":
            self.send(yes, "250 injected")
        else:
            self.send(yes)
        self.socket = self.site.tls.wrap_socket(self.socket, server_side=True)
        self.reader, self.under_tls = self.socket.makefile("rb"), True
        if self.protocol == "sieve":
            self.send(*self.capabilities(), 'OK "under TLS"')
        return True


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--address", default="127.0.0.1")
    arguments.add_argument("--host", default="mail.example.org")
    arguments.add_argument("--key-authorization")
    arguments.add_argument("--method", default="mail-greeting-01")
    arguments.add_argument("--place", choices=PLACES, default="greeting")
    arguments.add_argument("--fault", choices=FAULTS, default="none")
    arguments.add_argument("--together", action="store_true", help="the words of all services in each greeting")
    arguments.add_argument("--serve", action="append", required=True, metavar="SERVICE:PORT=LISTEN")
    a = arguments.parse_args()
    site = Site(a.host, a.place, a.method, a.fault, a.together)
    site.key_authorization = a.key_authorization
    for served in a.serve:
        where, _, listen = served.partition("=")
        service, _, port = where.partition(":")
        print(f"listening {where} {site.listen(a.address, service, int(port), int(listen or port))}", flush=True)
    print("ready", flush=True)
    for line in sys.stdin:
        command, _, value = line.strip().partition(" ")
        if command == "show":
            site.key_authorization = None if value == "-" else value
            print("shown", flush=True)


if __name__ == "__main__":
    main()
