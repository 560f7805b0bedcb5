//! subjectAltName (RFC 5280 §4.2.1.6).

use der::asn1::AnyRef;

use super::{Extension, ExtensionError, read_list};
use crate::encoding::{self, Raw};
use crate::name::{GeneralName, NameError};
use crate::oid;

/// Critical exactly when the subject is empty, and then nobody may overlook who the certificate is for.
pub fn subject_alternative_names(names: &[GeneralName], subject_is_empty: bool) -> Result<Extension, NameError> {
    if names.is_empty() {
        return Err(NameError::NoNames);
    }
    let names: Result<Vec<_>, _> = names.iter().map(GeneralName::to_der).collect();
    let names = names?;
    let elements: Vec<Raw<'_>> = names.iter().map(|name| Raw(name)).collect();
    let value = encoding::encode(&elements);
    Ok(Extension {
        oid: oid::SUBJECT_ALTERNATIVE_NAME,
        critical: subject_is_empty,
        value,
    })
}

pub fn read_subject_alternative_names(value: &[u8]) -> Result<Vec<GeneralName>, ExtensionError> {
    let elements: Vec<AnyRef<'_>> = read_list(value)?;
    let names: Result<Vec<_>, _> = elements.into_iter().map(GeneralName::from_any).collect();
    Ok(names?)
}

#[cfg(test)]
mod tests {
    use super::*;

    // 5280-4.2-1
    #[test]
    fn names_are_critical_exactly_when_the_subject_is_empty() {
        let names = [
            GeneralName::Dns("example.org".into()),
            GeneralName::Ip("192.0.2.1".parse().unwrap()),
        ];
        let extension = subject_alternative_names(&names, true).unwrap();
        assert!(extension.critical);
        assert!(!subject_alternative_names(&names, false).unwrap().critical);
        assert_eq!(extension.value, b"\x30\x13\x82\x0bexample.org\x87\x04\xc0\x00\x02\x01");
        assert_eq!(read_subject_alternative_names(&extension.value).unwrap(), names);
    }

    #[test]
    fn an_empty_list_is_neither_written_nor_read() {
        assert_eq!(subject_alternative_names(&[], true), Err(NameError::NoNames));
        assert_eq!(read_subject_alternative_names(&[0x30, 0]), Err(ExtensionError::Empty));
    }
}
