//! Certificates, certificate requests, revocation and names: build and read.
//!
//! Documents: RFC 5280 (certificates, their extensions, CRLs), RFC 6960 and RFC 9654 (OCSP), RFC 2986 with the
//! extensionRequest attribute of RFC 2985 (PKCS#10), RFC 5480, RFC 8410 and RFC 4055 (keys and signatures), RFC 7468
//! (PEM), RFC 4985 and RFC 9598 (SRV and mailbox names), RFC 9799 §2 (addresses of hidden services), RFC 8737 (acmeIdentifier), RFC 9608 (noRevAvail).
//!
//! In scope is what a document says about bytes. Out of scope, and decided by the callers: which names somebody may
//! have, how long a certificate lives, where keys are kept, who may revoke. Path validation belongs to the TLS stack.
//!
//! Two rules hold throughout. A signed part is kept as the bytes that were signed and is never encoded anew to be
//! verified. Whatever is parsed must be the one DER encoding of its content, because two readers that repair an
//! encoding differently see different certificates.

pub mod certificate;
pub mod crl;
pub mod csr;
mod encoding;
pub mod extension;
pub mod hex;
pub mod key;
pub mod lint;
pub mod name;
pub mod ocsp;
pub mod oid;
pub mod pem;
pub mod pkcs7;

pub use encoding::DerError;

pub type ObjectIdentifier = const_oid::ObjectIdentifier;
