//! Object identifiers this crate gives a meaning to.

use crate::ObjectIdentifier;

const fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

// Attributes of names (RFC 5280 A.1)
pub const COMMON_NAME: ObjectIdentifier = oid("2.5.4.3");
pub const COUNTRY: ObjectIdentifier = oid("2.5.4.6");
pub const LOCALITY: ObjectIdentifier = oid("2.5.4.7");
pub const STATE: ObjectIdentifier = oid("2.5.4.8");
pub const ORGANIZATION: ObjectIdentifier = oid("2.5.4.10");
pub const ORGANIZATIONAL_UNIT: ObjectIdentifier = oid("2.5.4.11");
/// SRVName, an otherName (RFC 4985 §2).
pub const SRV_NAME: ObjectIdentifier = oid("1.3.6.1.5.5.7.8.7");
/// SmtpUTF8Mailbox, an otherName (RFC 9598 §3).
pub const SMTP_UTF8_MAILBOX: ObjectIdentifier = oid("1.3.6.1.5.5.7.8.9");

// Public keys (RFC 3279 §2.3.1, RFC 5480 §2.1.1, RFC 8410 §3)
pub const RSA_ENCRYPTION: ObjectIdentifier = oid("1.2.840.113549.1.1.1");
pub const EC_PUBLIC_KEY: ObjectIdentifier = oid("1.2.840.10045.2.1");
pub const SECP256R1: ObjectIdentifier = oid("1.2.840.10045.3.1.7");
pub const SECP384R1: ObjectIdentifier = oid("1.3.132.0.34");
pub const ED25519: ObjectIdentifier = oid("1.3.101.112");

/// extensionRequest, an attribute of requests (RFC 2985 §5.4.2).
pub const EXTENSION_REQUEST: ObjectIdentifier = oid("1.2.840.113549.1.9.14");

/// Attributes of a request that a hidden service signs (RFC 9799 §3.2).
pub const CA_SIGNING_NONCE: ObjectIdentifier = oid("2.23.140.41");
pub const APPLICANT_SIGNING_NONCE: ObjectIdentifier = oid("2.23.140.42");

// Extensions (RFC 5280 §4.2 unless named otherwise)
pub const SUBJECT_KEY_IDENTIFIER: ObjectIdentifier = oid("2.5.29.14");
pub const KEY_USAGE: ObjectIdentifier = oid("2.5.29.15");
pub const SUBJECT_ALTERNATIVE_NAME: ObjectIdentifier = oid("2.5.29.17");
pub const BASIC_CONSTRAINTS: ObjectIdentifier = oid("2.5.29.19");
/// RFC 5280 §5.2.3, §5.3.1, §5.2.5: extensions of CRLs and of their entries.
pub const CRL_NUMBER: ObjectIdentifier = oid("2.5.29.20");
pub const REASON_CODE: ObjectIdentifier = oid("2.5.29.21");
pub const ISSUING_DISTRIBUTION_POINT: ObjectIdentifier = oid("2.5.29.28");
pub const NAME_CONSTRAINTS: ObjectIdentifier = oid("2.5.29.30");
pub const CRL_DISTRIBUTION_POINTS: ObjectIdentifier = oid("2.5.29.31");
pub const CERTIFICATE_POLICIES: ObjectIdentifier = oid("2.5.29.32");
pub const AUTHORITY_KEY_IDENTIFIER: ObjectIdentifier = oid("2.5.29.35");
pub const EXTENDED_KEY_USAGE: ObjectIdentifier = oid("2.5.29.37");
/// RFC 9608 §2.
pub const NO_REV_AVAIL: ObjectIdentifier = oid("2.5.29.56");
pub const AUTHORITY_INFO_ACCESS: ObjectIdentifier = oid("1.3.6.1.5.5.7.1.1");
/// RFC 8226 §9: telephone numbers instead of names.
pub const TN_AUTH_LIST: ObjectIdentifier = oid("1.3.6.1.5.5.7.1.26");
/// RFC 8737 §3.
pub const ACME_IDENTIFIER: ObjectIdentifier = oid("1.3.6.1.5.5.7.1.31");
/// The poison of a precertificate (RFC 6962 §3.1).
pub const PRECERTIFICATE_POISON: ObjectIdentifier = oid("1.3.6.1.4.1.11129.2.4.3");

// Ways to reach the issuer (RFC 5280 §4.2.2.1)
pub const ACCESS_OCSP: ObjectIdentifier = oid("1.3.6.1.5.5.7.48.1");
pub const ACCESS_CA_ISSUERS: ObjectIdentifier = oid("1.3.6.1.5.5.7.48.2");

// Purposes of a key (RFC 5280 §4.2.1.12)
pub const ANY_EXTENDED_KEY_USAGE: ObjectIdentifier = oid("2.5.29.37.0");
pub const SERVER_AUTH: ObjectIdentifier = oid("1.3.6.1.5.5.7.3.1");
pub const CLIENT_AUTH: ObjectIdentifier = oid("1.3.6.1.5.5.7.3.2");
pub const EMAIL_PROTECTION: ObjectIdentifier = oid("1.3.6.1.5.5.7.3.4");
pub const OCSP_SIGNING: ObjectIdentifier = oid("1.3.6.1.5.5.7.3.9");

// OCSP (RFC 6960 §4.2.1, RFC 9654 §2.1)
pub const OCSP_BASIC: ObjectIdentifier = oid("1.3.6.1.5.5.7.48.1.1");
pub const OCSP_NONCE: ObjectIdentifier = oid("1.3.6.1.5.5.7.48.1.2");
pub const SHA1: ObjectIdentifier = oid("1.3.14.3.2.26");
pub const SHA256: ObjectIdentifier = oid("2.16.840.1.101.3.4.2.1");
