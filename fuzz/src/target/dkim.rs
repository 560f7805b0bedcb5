use mail::{
    dkim::{Fault, KeyRecord, Limits, signatures},
    dns::Txt,
    message::Message,
};

use super::names::is_shown;

/// A key record, an empty line, and what a DKIM-Signature field says: whatever they are, only the key that signed makes a
/// signature pass, and what is told of them can be shown.
pub fn dkim(data: &[u8]) {
    let Some(at) = data.windows(2).position(|pair| pair == b"\n\n") else {
        return;
    };
    let (record, field) = (String::from_utf8_lossy(&data[..at]), &data[at + 2..]);
    if let Err(fault) = KeyRecord::parse(&record) {
        is_shown(&fault.to_string());
    }
    let octets = [b"DKIM-Signature: ", field, b"\r\nFrom: a@alpha.test\r\n\r\nbody\r\n"].concat();
    let Ok(message) = Message::parse(&octets) else {
        return;
    };
    let limits = Limits {
        now: jiff::Timestamp::UNIX_EPOCH,
        least_rsa_bits: 1024,
    };
    for signature in signatures(&message) {
        let verdict = match signature {
            Ok(signature) => {
                assert!(signature.covers("from") && signature.names.len() <= octets.len());
                is_shown(&signature.key_name());
                signature.verify(&message, &Txt::Records(vec![record.to_string()]), &limits)
            }
            Err(unreadable) => Err(unreadable.fault),
        };
        let fault: Fault = verdict.expect_err("nobody has signed this");
        assert!(!fault.is_temporary());
        is_shown(&fault.to_string());
    }
}
