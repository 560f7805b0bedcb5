"""dkimpy, asked through a pipe: signs or verifies messages, with keys from the question instead of the DNS."""

import base64
import json
import sys

import dkim


def sign(question, one):
    rsa = one["rsa"]
    header, body = one["form"].split("/")
    key = question["rsa"] if rsa else question["ed25519"]
    return dkim.sign(
        base64.b64decode(one["message"]),
        b"rsa" if rsa else b"ed",
        b"alpha.test",
        key.encode(),
        canonicalize=(header.encode(), body.encode()),
        signature_algorithm=b"rsa-sha256" if rsa else b"ed25519-sha256",
        include_headers=[b"from", b"to", b"subject", b"x-odd", b"x-odd"],
    )


def verify(question, message):
    def dns(name, timeout=5):
        return question["keys"].get(name.decode().rstrip("."), "").encode() or None

    return bool(dkim.verify(base64.b64decode(message), dnsfunc=dns))


question = json.load(sys.stdin)
answer = {
    "signed": [base64.b64encode(sign(question, one)).decode() for one in question.get("sign", [])],
    "verified": [verify(question, message) for message in question.get("verify", [])],
}
json.dump(answer, sys.stdout)
