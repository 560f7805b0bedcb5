#!/usr/bin/env python3
"""The authority's side of docs/protocol/email-tls.md sections 4 to 6, made from that page: looks at a service and judges.

    verifier.py --address 127.0.0.1 --host mail.example.org --service imaps --port 993 [--dial 1993] \
        --key-authorization TOKEN.THUMBPRINT [--method mail-greeting-01]

Exits with 0 and a line "valid …", or with 1 and "invalid: …".
"""

import argparse
import re
import socket
import ssl
import sys
import time

import proof

EHLO_NAME = b"probe.verifier.example"


class Refusal(Exception):
    """Why a service is not proved."""


class Probe:
    STEP, WHOLE, OCTETS, LINES, LINE = 10, 30, 64 * 1024, 200, 1000

    def __init__(self, address, dial, host, service):
        self.host, self.service = host, service
        _, self.implicit, self.protocol, _ = proof.SERVICES[service]
        self.deadline = time.monotonic() + self.WHOLE
        self.octets = self.lines = 0
        self.buffer = b""
        self.greeting, self.capabilities, self.before, self.tls, self.certificate = [], [], [], None, None
        try:
            self.socket = socket.create_connection((address, dial), timeout=self.STEP)
        except OSError as error:
            raise Refusal(f"{address} port {dial}: {error}") from error

    def hold(self):
        """Section 5, step by step."""
        try:
            if self.implicit:
                self.handshake()
            self.read_greeting()
            if not (self.protocol == "sieve"):
                self.ask()
            if not self.implicit:
                self.start_tls()
            self.say({"imap": b"z LOGOUT", "sieve": b"LOGOUT"}.get(self.protocol, b"QUIT"))
        except OSError as error:
            raise Refusal(f"the connection broke: {error}") from error
        finally:
            self.socket.close()
        return self

    def handshake(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # Any certificate: this is how the first one is obtained.
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.socket = context.wrap_socket(self.socket, server_hostname=self.host)
        self.tls, self.certificate = self.socket.version(), self.socket.getpeercert(True)

    def start_tls(self):
        word = b"STLS" if self.protocol == "pop3" else b"STARTTLS"
        names = [re.split(rb"[ =]", c)[0].strip(b'"').upper() for c in self.capabilities]
        if word not in names:
            raise Refusal(f"{word.decode()} is not offered")
        self.say((b"b " if self.protocol == "imap" else b"") + word)
        answer = self.line()
        while self.protocol == "imap" and not answer.startswith(b"b "):
            answer = self.line()
        positive = {"imap": rb"b OK\b", "pop3": rb"\+OK\b", "sieve": rb"OK\b"}.get(self.protocol, rb"220\b")
        if not re.match(positive, answer, re.I):
            raise Refusal(f"{word.decode()} was answered with {answer[:60]!r}")
        if self.buffer:
            raise Refusal("text in the clear came after STARTTLS and before the handshake")
        self.before, self.capabilities = self.capabilities, []
        self.handshake()
        if self.protocol == "sieve":
            self.read_greeting()
        else:
            self.ask()

    def read_greeting(self):
        first = self.line()
        if self.protocol in ("smtp", "lmtp"):
            self.greeting = [text for text in self.reply(first, b"220")]
        elif self.protocol == "imap":
            match = re.match(rb"\* OK ?(.*)", first, re.I | re.S)
            if not match:
                raise Refusal(f"no greeting of IMAP: {first[:60]!r}")
            if re.search(rb"\{\d+\+?\}$", first):
                raise Refusal("a literal in the greeting")
            code = re.match(rb"\[CAPABILITY ([^\]]*)\](.*)", match[1], re.I | re.S)
            if code:
                self.capabilities = code[1].split()
            self.greeting = [code[2] if code else match[1]]
        elif self.protocol == "pop3":
            if not re.match(rb"\+OK\b", first):
                raise Refusal(f"no greeting of POP: {first[:60]!r}")
            self.greeting = [first[3:]]
        else:
            while not re.match(rb"(OK|NO|BYE)\b", first, re.I):
                self.capabilities.append(first)
                first = self.line()
            if not re.match(rb"OK\b", first, re.I):
                raise Refusal(f"ManageSieve said {first[:60]!r}")

    def ask(self):
        if self.protocol in ("smtp", "lmtp"):
            self.say((b"LHLO " if self.protocol == "lmtp" else b"EHLO ") + EHLO_NAME)
            # The first line may repeat what the probe said.
            self.capabilities = self.reply(self.line(), b"250")[1:]
        elif self.protocol == "imap":
            self.say(b"a CAPABILITY")
            while not (line := self.line()).startswith(b"a "):
                if line.upper().startswith(b"* CAPABILITY "):
                    self.capabilities = self.capabilities + line.split()[2:]
            if not re.match(rb"a OK\b", line, re.I):
                raise Refusal(f"CAPABILITY was answered with {line[:60]!r}")
        elif self.protocol == "pop3":
            self.say(b"CAPA")
            if re.match(rb"\+OK\b", self.line()):
                while (line := self.line()) != b".":
                    self.capabilities.append(line[1:] if line.startswith(b"..") else line)

    def reply(self, line, code):
        texts = []
        while True:
            if not re.match(rb"\d{3}([ -]|$)", line) or line[:3] != code:
                raise Refusal(f"{code.decode()} was expected, and came {line[:60]!r}")
            texts.append(line[4:])
            if line[3:4] != b"-":
                return texts
            line = self.line()

    def say(self, command):
        self.socket.sendall(command + b"\r\n")

    def line(self):
        while b"\n" not in self.buffer:
            if len(self.buffer) > self.LINE:
                raise Refusal("a line is longer than 1000 octets")
            left = self.deadline - time.monotonic()
            if left <= 0:
                raise Refusal("the session took longer than 30 s")
            self.socket.settimeout(min(self.STEP, left))
            more = self.socket.recv(4096)
            if not more:
                raise Refusal("the server ended the connection")
            self.octets += len(more)
            self.buffer += more
        line, _, self.buffer = self.buffer.partition(b"\n")
        self.lines += 1
        if self.octets > self.OCTETS or self.lines > self.LINES or len(line) > self.LINE:
            raise Refusal("the server says more than a greeting and capabilities need")
        line = line.removesuffix(b"\r")
        if b"\r" in line or b"\0" in line:
            raise Refusal("NUL or a lone CR in a line")
        return line


def judge(probe, method, key_authorization, service, port):
    """Section 4: is the value for this service and port among those that count?"""
    shown = list(proof.capability_values(probe.protocol, probe.capabilities))
    shown += proof.greeting_values(probe.greeting)
    if method.startswith("capability-"):
        shown = list(proof.capability_values(probe.protocol, probe.capabilities, b"acme"))
        expected = proof.drafted_value(key_authorization)
    else:
        expected = proof.bound_value(key_authorization, method, service, port)
    if expected in shown:
        return expected
    if expected in proof.capability_values(probe.protocol, probe.before):
        raise Refusal("the value is shown in the clear only")
    for other, (usual, *_) in proof.SERVICES.items():
        if usual and proof.bound_value(key_authorization, method, other, usual) in shown:
            raise Refusal(f"the value shown is that of {other}:{usual}, not of {service}:{port}")
    raise Refusal(f"{len(shown)} words of another proof" if shown else "no word")


def verify(address, dial, host, service, port, method, key_authorization):
    usual = proof.SERVICES[service][0]
    if service == "lmtp" and port == 25:
        raise Refusal("LMTP is never spoken on port 25")
    if usual and usual != port:
        raise Refusal(f"{port} is not the port of {service}")
    probe = Probe(address, dial, host, service).hold()
    return probe, judge(probe, method, key_authorization, service, port)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("address", "host", "service", "key-authorization"):
        arguments.add_argument(f"--{name}", required=True)
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--dial", type=int, help="the port that is dialled in its stead, for tests")
    arguments.add_argument("--method", default="mail-greeting-01")
    a = arguments.parse_args()
    try:
        probe, value = verify(
            a.address, a.dial or a.port, a.host, a.service, a.port, a.method, a.key_authorization
        )
    except Refusal as refusal:
        print(f"invalid: {refusal}")
        sys.exit(1)
    print(f"valid {a.service}:{a.port} {value} {probe.tls}")


if __name__ == "__main__":
    main()
