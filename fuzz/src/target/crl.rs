use pkix::crl::{self, Crl, TbsCrl};

/// Revocation lists (INCIDENTS T30): whatever is accepted can be found in it, and written again.
pub fn crl(data: &[u8]) {
    if let Ok(list) = Crl::parse(data) {
        assert_eq!(list.der(), data);
        is_written_as_read(list.contents());
        for entry in &list.contents().revoked {
            assert_eq!(list.find(&entry.serial), Some(entry));
        }
    }
    if let Ok(contents) = TbsCrl::from_der(data) {
        is_written_as_read(&contents);
    }
    let _ = crl::read_crl_number(data);
    if let Ok(Some(scope)) = crl::read_issuing_distribution_point(data) {
        let written = crl::issuing_distribution_point(&scope).expect("a scope that was read is written");
        assert_eq!(written.expect("what was read is a scope").value, data);
    }
}

fn is_written_as_read(contents: &TbsCrl) {
    let serials: Vec<_> = contents.revoked.iter().map(|entry| &entry.serial).collect();
    assert!(serials.is_sorted_by(|a, b| a < b), "each once, in ascending order");
    let der = contents.to_der().expect("what was read is written");
    assert_eq!(&TbsCrl::from_der(&der).expect("what was written is read"), contents);
}
