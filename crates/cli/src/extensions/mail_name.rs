//! How this host introduces itself to mail servers (RFC 5321 §4.1.1.1).

/// What the setting says, or the host of a URL. `Err` names the setting.
pub(super) fn own_name(setting: &str, given: Option<String>, url: &str) -> Result<String, String> {
    match given {
        None => Ok(mail_name(url)),
        Some(name) if is_mail_name(&name) => Ok(name),
        Some(name) => Err(format!(
            "{setting}: {name:?} is no host name and no address in brackets (RFC 5321 §4.1.1.1)"
        )),
    }
}

/// The host of a URL, as a mail server wants to hear it.
fn mail_name(url: &str) -> String {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = authority.split('/').next().unwrap_or_default();
    if let Some(end) = authority.find(']') {
        return format!("[IPv6:{}]", authority[..end].trim_start_matches('['));
    }
    let host = authority.split(':').next().unwrap_or_default();
    match host.parse::<std::net::Ipv4Addr>() {
        Ok(address) => format!("[{address}]"),
        Err(_) => host.to_owned(),
    }
}

fn is_mail_name(name: &str) -> bool {
    let octet = |octet: u8| octet.is_ascii_alphanumeric() || b"-.:[]".contains(&octet);
    !name.is_empty() && name.len() <= 255 && name.bytes().all(octet)
}
