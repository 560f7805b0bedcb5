"""What docs/protocol/email-tls.md says about values and words, sections 2 and 4. Made from that page, not from the Rust code."""

import base64
import hashlib
import json
import re

# Section 2: service -> (registered port, implicit TLS, protocol, has an SRV label).
SERVICES = {
    "smtp": (25, False, "smtp", False),
    "submission": (587, False, "smtp", True),
    "submissions": (465, True, "smtp", True),
    "imap": (143, False, "imap", True),
    "imaps": (993, True, "imap", True),
    "pop3": (110, False, "pop3", True),
    "pop3s": (995, True, "pop3", True),
    "lmtp": (None, False, "lmtp", False),
    "sieve": (4190, False, "sieve", True),
}
BOUND = ("mail-greeting-01", "dns-service-01", "mail-srv-01")
VALUE = re.compile(rb"[A-Za-z0-9_-]{43}")


def b64u(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def thumbprint(jwk):
    """RFC 7638 section 3: the required members in lexicographic order, without blanks."""
    required = {"EC": "crv kty x y", "RSA": "e kty n", "OKP": "crv kty x"}[jwk["kty"]].split()
    text = json.dumps({name: jwk[name] for name in required}, separators=(",", ":"), sort_keys=True)
    return b64u(hashlib.sha256(text.encode()).digest())


def bound_value(key_authorization, method, service, port):
    text = f"{key_authorization}.{method}.{service}:{port}"
    return b64u(hashlib.sha256(text.encode("ascii")).digest())


def drafted_value(key_authorization):
    return b64u(hashlib.sha256(key_authorization.encode("ascii")).digest())


def in_greeting(value):
    return f"acme-mail-01={value}"


def in_capabilities(protocol, value, keyword="ACME-MAIL-01"):
    if protocol == "imap":
        return f"{keyword}={value}"
    if protocol == "sieve":
        return f'"{keyword}" "{value}"'
    return f"{keyword} {value}"


def record_name(service, port, domain):
    return f"_{port}._{service}._acme-challenge.{domain}"


def greeting_values(lines):
    """The values of the words of a greeting's text."""
    for line in lines:
        for word in re.split(rb"[ \t]+", line):
            keyword, equals, value = word.partition(b"=")
            if equals and keyword.lower() == b"acme-mail-01" and VALUE.fullmatch(value):
                yield value.decode()


def capability_values(protocol, capabilities, keyword=b"acme-mail-01"):
    """The values among capabilities; an IMAP capability is one atom, that of another protocol a line."""
    padded = keyword == b"acme"
    for capability in capabilities:
        if protocol == "imap":
            name, _, value = capability.partition(b"=")
            values = [value]
        else:
            words = capability.split()
            if protocol == "sieve":
                words = [w[1:-1] if len(w) > 1 and w[:1] == w[-1:] == b'"' else w for w in words]
            name, values = (words[0], words[1:]) if words else (b"", [])
        if name.lower() != keyword:
            continue
        for value in values:
            if padded and len(value) == 44 and value.endswith(b"="):
                value = value[:-1]
            if VALUE.fullmatch(value):
                yield value.decode()
