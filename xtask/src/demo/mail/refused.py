"""Orders for mail services by the package `acme` of PyPI, and what the authority refuses: refused.py DIRECTORY HOST DOMAIN"""

import json
import sys

import josepy as jose
from acme import client, messages
from cryptography.hazmat.primitives.asymmetric import rsa


class Payload:
    """An object as it is, whatever the package knows of it."""

    def __init__(self, members):
        self.members = members

    def json_dumps(self, **_):
        return json.dumps(self.members)


# Made known to the package by being made.
messages.IdentifierType("srv")
directory, host, domain = sys.argv[1:]
network = client.ClientNetwork(jose.JWKRSA(key=rsa.generate_private_key(public_exponent=65537, key_size=2048)))
acme = client.ClientV2(client.ClientV2.get_directory(directory, network), network)
acme.new_account(messages.NewRegistration.from_data(terms_of_service_agreed=True))


def send(url, members):
    return acme._post(url, Payload(members) if members is not None else None)


def refused(what, url, members):
    try:
        send(url, members)
    except messages.Error as error:
        kind = error.typ.rsplit(":", 1)[1]
        print(f"{what}\n    {kind}: {error.detail}")
    else:
        sys.exit(f"{what} is not refused")


def order(kind, value):
    return {"identifiers": [{"type": kind, "value": value}], "profile": "mail"}


authorization = send(acme.directory["newOrder"], order("dns", host)).json()["authorizations"][0]
challenges = send(authorization, None).json()["challenges"]
(greeting,) = (challenge for challenge in challenges if challenge["type"] == "mail-greeting-01")
places = ", ".join(f"{at['service']}:{at['port']}" for at in greeting["services"])
print(f"this authority looks at {places}")
for service, port in [("smtp", 24), ("lmtp", 25), ("imaps", 5000), ("imaps", 143)]:
    refused(f"{service} at port {port}", greeting["url"], {"services": [{"service": service, "port": port}]})
for service in "lmtp", "smtp", "https":
    refused(f"an order for _{service}.{domain}", acme.directory["newOrder"], order("srv", f"_{service}.{domain}"))
