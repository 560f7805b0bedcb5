use std::sync::LazyLock;

use authority::{
    Registry,
    identifier::{Dns, Target},
};
use pkix::name::{DistinguishedName, GeneralName};

/// Names as orders and certificates have them (INCIDENTS T15): one that is admitted is canonical, and the same name
/// wherever it stands.
pub fn names(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        for identifier_type in REGISTRY.identifier_types() {
            let identifier = acme::Identifier::new(identifier_type.kind(), text);
            let Ok(name) = REGISTRY.admit(&identifier) else {
                continue;
            };
            assert_eq!(REGISTRY.admit(name.identifier()).as_ref(), Ok(&name));
            let base = REGISTRY
                .admit(name.base())
                .expect("what an authorization is for is a name");
            assert!(!base.is_wildcard());
            assert_eq!(base.target(), name.target());
            if let Target::Host(host) = name.target() {
                assert!(host.len() <= 253 && !host.bytes().any(|byte| byte.is_ascii_uppercase()));
            }
            let general = identifier_type.to_general_name(&name);
            is_written_as_read(&general);
            assert_eq!(REGISTRY.read_general_name(&general), Some(Ok(name)));
        }
        if let Ok(wanted) = text.parse::<client::Identifier>() {
            assert_eq!(client::Identifier::from_wire(&wanted.to_wire()).as_ref(), Some(&wanted));
            let general = wanted.to_general_name();
            assert_eq!(client::Identifier::read_general_name(&general), Some(wanted));
        }
    }
    if let Ok(name) = GeneralName::from_der(data) {
        assert_eq!(name.to_der().as_deref(), Ok(data));
        is_written_as_read(&name);
        let _ = (
            REGISTRY.read_general_name(&name),
            client::Identifier::read_general_name(&name),
        );
    }
    if let Ok(name) = DistinguishedName::from_der(data) {
        assert_eq!(name.der(), data);
        is_shown(&name.to_string());
        let _ = name.common_names();
    }
}

pub(super) fn is_written_as_read(name: &GeneralName) {
    let der = name.to_der().expect("a name that was read is written");
    assert_eq!(GeneralName::from_der(&der).as_ref(), Ok(name));
    is_shown(&name.to_string());
}

/// What ends up in logs and terminals.
pub(super) fn is_shown(text: &str) {
    assert!(!text.chars().any(char::is_control), "{text:?}");
}

pub(super) static REGISTRY: LazyLock<Registry> = LazyLock::new(|| {
    let mut registry = Registry::default();
    registry.add_identifier_type(Dns);
    ip::register(&mut registry);
    registry
});
