"""The PyPI package `acme` on a directory that wants the CSR first. usage: with_pypi_acme.py DIRECTORY NAME HTTP-PORT OUT.pem"""

import sys
from unittest.mock import patch

import josepy as jose
from acme import challenges, client, crypto_util, messages, standalone
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa


# --- all that is new to the package, from here
class CsrFirst(client.ClientV2):
    def new_order(self, csr_pem, *arguments):
        der = x509.load_pem_x509_csr(csr_pem).public_bytes(serialization.Encoding.DER)

        class NewOrder(messages.NewOrder):
            def to_partial_json(self):
                return {**super().to_partial_json(), "csr": jose.encode_b64jose(der)}

        with patch.object(messages, "NewOrder", NewOrder):
            return super().new_order(csr_pem, *arguments)
# --- to here: the package itself sends the same CSR at finalize


directory, name, port, out = sys.argv[1:]
key = jose.JWKRSA(key=rsa.generate_private_key(public_exponent=65537, key_size=2048))
network = client.ClientNetwork(key)
acme = CsrFirst(CsrFirst.get_directory(directory, network), network)
acme.new_account(messages.NewRegistration.from_data(terms_of_service_agreed=True))
private = ec.generate_private_key(ec.SECP256R1()).private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
order = acme.new_order(crypto_util.make_csr(private, [name]))
resources = set()
answers = []
for authorization in order.authorizations:
    for challenge in authorization.body.challenges:
        if isinstance(challenge.chall, challenges.HTTP01):
            response, validation = challenge.response_and_validation(key)
            resources.add(standalone.HTTP01RequestHandler.HTTP01Resource(challenge.chall, response, validation))
            answers.append((challenge, response))
servers = standalone.HTTP01DualNetworkedServers(("127.0.0.1", int(port)), resources)
servers.serve_forever()
try:
    for challenge, response in answers:
        acme.answer_challenge(challenge, response)
    order = acme.poll_and_finalize(order)
finally:
    servers.shutdown_and_server_close()
with open(out, "w") as file:
    file.write(order.fullchain_pem)
