"""Lints every PEM certificate in a folder with pkilint's plain PKIX rules; exits 1 on any finding of severity ERROR or above.

What is expected is listed with its reason.
"""

import pathlib
import sys

from pkilint import loader
from pkilint.pkix import certificate, extension, name
from pkilint.validation import ValidationFindingSeverity

EXPECTED = {
    # A single label is a name on a private network, which is what `localhost` in tests stands for; RFC 1034's preferred
    # syntax has no objection, pkilint wants a dot.
    ("pkix.invalid_domain_name_syntax", 'Invalid domain name syntax: "localhost"'),
}

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

files = sorted(pathlib.Path(sys.argv[1]).glob("*.pem"))
found = 0
for file in files:
    document = loader.load_pem_certificate(file.read_text(), file.name)
    for result in container.validate(document.root):
        for finding in result.finding_descriptions:
            severity = finding.finding.severity
            if severity < ValidationFindingSeverity.ERROR or (finding.finding.code, finding.message) in EXPECTED:
                continue
            found += 1
            print(f"{file.name}: {finding.finding.code} ({severity.name}): {finding.message}")
print(f"{len(files)} certificates, {found} findings")
sys.exit(1 if found else 0)
