"""What PyPI's service-identity says about a certificate (RFC 6125, RFC 4985): identify.py CERTIFICATE IDENTITY…"""

import sys

from cryptography.x509 import load_pem_x509_certificate
from service_identity import VerificationError
from service_identity.cryptography import extract_patterns
from service_identity.hazmat import DNS_ID, SRV_ID, verify_service_identity

with open(sys.argv[1], "rb") as file:
    patterns = extract_patterns(load_pem_x509_certificate(file.read()))
for identity in sys.argv[2:]:
    reference = (SRV_ID if identity.startswith("_") else DNS_ID)(identity)
    try:
        verify_service_identity(patterns, obligatory_ids=[reference], optional_ids=[])
        print(f"accepted {identity}")
    except VerificationError:
        print(f"refused  {identity}")
