//! A TBSCertificate taken apart without judgement: what is wrong in it is kept for the rule that says so.

use crate::certificate::EncodedTbs;
use crate::extension::{self, BasicConstraints, Extension, ExtensionError, KeyUsage, find};
use crate::key::{KeyError, SubjectPublicKey};
use crate::name::{DistinguishedName, GeneralName, NameError};
use crate::{DerError, ObjectIdentifier, encoding, oid};

pub(super) struct Examined<'a> {
    pub tbs: EncodedTbs<'a>,
    pub subject: Result<DistinguishedName, NameError>,
    pub key: Result<SubjectPublicKey, KeyError>,
    pub extensions: Vec<Extension>,
    pub basic_constraints: Option<BasicConstraints>,
    pub key_usage: Option<KeyUsage>,
    pub purposes: Option<Vec<ObjectIdentifier>>,
    /// Empty where the extension is absent or cannot be read, which is the finding of another rule.
    pub names: Vec<GeneralName>,
    pub authority_key_identifier: Option<Vec<u8>>,
    pub subject_key_identifier: Option<Vec<u8>>,
    /// The known extensions whose content could not be read.
    pub illegible: Vec<(ObjectIdentifier, ExtensionError)>,
}

impl<'a> Examined<'a> {
    pub fn read(der: &'a [u8]) -> Result<Self, DerError> {
        let tbs: EncodedTbs<'a> = encoding::decode(der)?;
        let encoded = tbs.extensions.as_deref().unwrap_or_default();
        let extensions: Vec<_> = encoded
            .iter()
            .map(|encoded| Extension {
                oid: encoded.oid,
                critical: encoded.critical,
                value: encoded.value.as_bytes().to_vec(),
            })
            .collect();
        let mut illegible = Vec::new();
        let mut reading = Reading {
            extensions: &extensions,
            illegible: &mut illegible,
        };
        Ok(Self {
            subject: DistinguishedName::from_der(tbs.subject.0),
            key: SubjectPublicKey::from_spki_der(tbs.public_key.0),
            basic_constraints: reading.of(oid::BASIC_CONSTRAINTS, extension::read_basic_constraints),
            key_usage: reading.of(oid::KEY_USAGE, extension::read_key_usage),
            purposes: reading.of(oid::EXTENDED_KEY_USAGE, extension::read_extended_key_usage),
            names: reading
                .of(oid::SUBJECT_ALTERNATIVE_NAME, extension::read_subject_alternative_names)
                .unwrap_or_default(),
            authority_key_identifier: reading
                .of(oid::AUTHORITY_KEY_IDENTIFIER, extension::read_authority_key_identifier)
                .flatten(),
            subject_key_identifier: reading.of(oid::SUBJECT_KEY_IDENTIFIER, extension::read_subject_key_identifier),
            illegible: {
                reading.of(oid::CRL_DISTRIBUTION_POINTS, extension::read_crl_distribution_points);
                reading.of(oid::AUTHORITY_INFO_ACCESS, extension::read_authority_info_access);
                reading.of(oid::CERTIFICATE_POLICIES, extension::read_certificate_policies);
                reading.of(oid::ACME_IDENTIFIER, extension::read_acme_identifier);
                reading.of(oid::NO_REV_AVAIL, extension::read_no_rev_avail);
                illegible
            },
            tbs,
            extensions,
        })
    }

    pub fn extension(&self, oid: &ObjectIdentifier) -> Option<&Extension> {
        find(&self.extensions, oid)
    }

    /// Issuer and subject are the same name: a root, or an authority's certificate for its own next key.
    pub fn is_self_issued(&self) -> bool {
        self.tbs.issuer == self.tbs.subject
    }
}

struct Reading<'e> {
    extensions: &'e [Extension],
    illegible: &'e mut Vec<(ObjectIdentifier, ExtensionError)>,
}

impl Reading<'_> {
    fn of<T>(&mut self, oid: ObjectIdentifier, reader: fn(&[u8]) -> Result<T, ExtensionError>) -> Option<T> {
        match reader(&find(self.extensions, &oid)?.value) {
            Ok(value) => Some(value),
            Err(error) => {
                self.illegible.push((oid, error));
                None
            }
        }
    }
}
