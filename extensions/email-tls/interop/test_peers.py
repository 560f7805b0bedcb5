#!/usr/bin/env python3
"""Both peers against the vectors of docs/protocol/email-tls-vectors.json, and against each other.

    python3 test_peers.py            checks
    python3 test_peers.py --write    writes the vectors anew
"""

import json
import pathlib
import sys
import unittest

import proof
from responder import Site
from verifier import Refusal, verify

VECTORS = pathlib.Path(__file__).resolve().parents[3] / "docs/protocol/email-tls-vectors.json"
PAGE = VECTORS.with_name("email-tls.md")
HOST = "mail.example.org"


def made():
    """The vectors, from a key (RFC 7515 appendix A.3) and a token (RFC 8555 section 8.3)."""
    jwk = {
        "kty": "EC",
        "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    }
    token = "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0"
    key_authorization = f"{token}.{proof.thumbprint(jwk)}"
    places = [(service, port) for service, (port, *_) in proof.SERVICES.items() if port] + [("lmtp", 24)]
    values = []
    for method in proof.BOUND:
        for service, port in places:
            if method == "mail-srv-01" and not proof.SERVICES[service][3]:
                continue
            value = proof.bound_value(key_authorization, method, service, port)
            made = {"method": method, "service": service, "port": port, "value": value}
            if method == "dns-service-01":
                made["name"] = proof.record_name(service, port, "example.org")
            else:
                made["greeting"] = proof.in_greeting(value)
                made["capability"] = proof.in_capabilities(proof.SERVICES[service][2], value)
            values.append(made)
    return {
        "jwk": jwk,
        "thumbprint": proof.thumbprint(jwk),
        "token": token,
        "keyAuthorization": key_authorization,
        "drafted": proof.drafted_value(key_authorization),
        "values": values,
    }


class Peers(unittest.TestCase):
    def setUp(self):
        self.vectors = json.loads(VECTORS.read_text())
        self.key = self.vectors["keyAuthorization"]

    def test_the_file_of_vectors_is_what_is_computed(self):
        self.assertEqual(self.vectors, made())

    def test_the_page_has_the_vectors(self):
        page = PAGE.read_text()
        for name in ("thumbprint", "token", "keyAuthorization", "drafted"):
            self.assertIn(self.vectors[name], page)
        shown = [vector for vector in self.vectors["values"] if vector["value"] in page]
        self.assertEqual(len(shown), len(self.vectors["values"]))

    def look(self, service, method="mail-greeting-01", key=None, **site):
        port = proof.SERVICES[service][0] or 24
        site = Site(HOST, method=method, **site)
        site.key_authorization = self.key
        listen = site.listen("127.0.0.1", service, port, 0)
        if site.together:
            site.places += [(other, at[0]) for other, at in proof.SERVICES.items() if at[0] and other != service][:4]
        return verify("127.0.0.1", listen, HOST, service, port, method, key or self.key)

    def refused(self, why, service, **site):
        with self.assertRaisesRegex(Refusal, why):
            self.look(service, **site)

    def test_each_service_is_proved_by_its_greeting_and_by_its_capabilities(self):
        for service in proof.SERVICES:
            for place in ("greeting", "capability"):
                if (service, place) != ("sieve", "greeting"):
                    with self.subTest(service=service, place=place):
                        probe, _ = self.look(service, place=place)
                        self.assertIn(probe.tls, ("TLSv1.2", "TLSv1.3"))

    def test_words_of_several_services_stand_side_by_side(self):
        self.look("imap", together=True)

    def test_a_hosted_domain_is_proved_by_a_word_of_its_own_method(self):
        self.look("imaps", method="mail-srv-01")
        with self.assertRaises(Refusal):
            self.look("imaps", method="mail-srv-01", key=self.key + "x")

    def test_the_drafted_capabilities_have_the_plain_digest(self):
        for service, method in (("smtp", "smtp"), ("lmtp", "smtp"), ("imap", "imap"), ("imaps", "imap"), ("pop3", "pop")):
            self.look(service, method=f"capability-{method}-00", place="capability")

    def test_what_must_not_count_does_not(self):
        self.refused("in the clear only", "submission", place="clear")
        self.refused("STARTTLS is not offered", "smtp", fault="no-starttls")
        self.refused("STLS is not offered", "pop3", fault="no-starttls")
        for service in ("smtp", "imap", "pop3", "lmtp", "sieve"):
            self.refused("text in the clear", service, fault="inject", place="capability")
        self.refused("no word", "smtp", fault="echo", place="nowhere")
        self.refused("another proof", "imaps", fault="other-port")
        self.refused("another proof", "imaps", fault="upper-case")
        self.refused("another proof", "imaps", key="x." + self.vectors["thumbprint"])

    def test_only_whole_words_and_the_exact_value_count(self):
        value = self.vectors["values"][0]["value"]
        for line, counts in (
            (f"mail ACME-mail-01={value} x", True),
            (f"mail acme-mail-01={value}.", False),
            (f"mail xacme-mail-01={value}", False),
            (f"mail (acme-mail-01={value})", False),
            (f"mail acme-mail-01={value[:-1]}", False),
            (f"mail acme-mail-01 {value}", False),
        ):
            self.assertEqual(list(proof.greeting_values([line.encode()])) == [value], counts, line)


if __name__ == "__main__":
    if "--write" in sys.argv:
        VECTORS.write_text(json.dumps(made(), indent=1) + "\n")
    else:
        unittest.main()
