use caa::Property;
use onion::records;
use pkix::name::OnionAddress;

use super::csr;

/// What hidden services sign (RFC 9799): requests with nonces, sets of records, and the addresses themselves.
pub fn onion(data: &[u8]) {
    csr(data);
    // Nothing but a signed request proves a service, whatever nonce is asked for.
    let service = OnionAddress::of_key([7; 32]);
    assert!(onion::judge(data, &service, b"").is_err());
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Some(Ok(address)) = OnionAddress::of_host(text) {
        let name = address.to_string();
        assert!(text.to_ascii_lowercase().ends_with(&name), "{text:?} {name}");
        assert_eq!(OnionAddress::of_host(&name), Some(Ok(address)));
    }
    let Ok(set) = records::read(text) else { return };
    for record in &set {
        let property = Property::read(record).expect("a record that was read is a property");
        let octets: String = property.value.iter().map(|octet| format!("\\{octet:03}")).collect();
        let plain = format!("caa {} {} \"{octets}\"", property.flags, property.tag);
        let again = records::read(&plain).expect("what was read can be written");
        assert_eq!(Property::read(&again[0]).as_ref(), Ok(&property), "{plain:?}");
    }
}
