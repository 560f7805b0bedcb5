"""Lints every PEM certificate in a folder with pkilint's plain PKIX rules; exits 1 on any finding of severity ERROR or above.

What is expected is told apart with its reason.
"""

import pathlib
import re
import sys

from pkilint import loader
from pkilint.pkix import certificate, extension, name
from pkilint.validation import ValidationFindingSeverity



def expected(finding):
    """Two kinds of name that pkilint's plain PKIX rules do not know."""
    if finding.finding.code != "pkix.invalid_domain_name_syntax":
        return False
    domain = re.search(r'"(.*)"', finding.message).group(1)
    # RFC 5280 leaves wildcards to others (RFC 6125); what follows the `*.` is held against the same rules by our own lint.
    # A single label is a name on a private network, as `localhost` in tests is; RFC 1034 allows it, pkilint wants a dot.
    return domain.startswith("*.") or domain == "localhost"


container = certificate.create_pkix_certificate_validator_container(
    certificate.create_decoding_validators(name.ATTRIBUTE_TYPE_MAPPINGS, extension.EXTENSION_MAPPINGS),
    [
        certificate.create_issuer_validator_container([]),
        certificate.create_validity_validator_container(),
        certificate.create_subject_validator_container([]),
        certificate.create_extensions_validator_container([]),
        certificate.create_spki_validator_container([]),
    ],
)

SERIOUS = {ValidationFindingSeverity.ERROR, ValidationFindingSeverity.FATAL}

files = sorted(pathlib.Path(sys.argv[1]).glob("*.pem"))
found = 0
for file in files:
    # Some clients keep the whole chain in one file: the first certificate is ours to judge.
    end = "-----END CERTIFICATE-----"
    document = loader.load_pem_certificate(file.read_text().split(end)[0] + end, file.name)
    for result in container.validate(document.root):
        for finding in result.finding_descriptions:
            if finding.finding.severity not in SERIOUS or expected(finding):
                continue
            found += 1
            print(f"{file.name}: {finding.finding.code} ({finding.finding.severity.name}): {finding.message}")
print(f"{len(files)} certificates, {found} findings")
sys.exit(1 if found else 0)
