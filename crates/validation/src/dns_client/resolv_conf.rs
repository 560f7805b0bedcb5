//! The resolvers of the system, from resolv.conf(5).

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

/// What `/etc/resolv.conf` names; the local host if it names none or is missing, as resolv.conf(5) says.
pub fn system_resolvers() -> io::Result<Vec<SocketAddr>> {
    match std::fs::read_to_string("/etc/resolv.conf") {
        Ok(text) => Ok(parse(&text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(parse("")),
        Err(error) => Err(error),
    }
}

/// The one that is given, or the system's first.
pub fn resolver(given: Option<SocketAddr>) -> Option<SocketAddr> {
    given.or_else(|| system_resolvers().ok()?.into_iter().next())
}

fn parse(text: &str) -> Vec<SocketAddr> {
    let named: Vec<_> = text
        .lines()
        .filter_map(nameserver)
        .map(|address| SocketAddr::new(address, 53))
        .collect();
    match named.is_empty() {
        true => vec![SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 53)],
        false => named,
    }
}

/// Search lists and options say how to complete short names; ours are complete.
fn nameserver(line: &str) -> Option<IpAddr> {
    let mut words = line.split_ascii_whitespace();
    (words.next() == Some("nameserver")).then(|| words.next()?.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_are_taken_in_sequence_and_the_rest_is_skipped() {
        let text = "# a comment\n; another\nsearch example.org\nnameserver 192.0.2.53\n nameserver  2001:db8::53 x\n\
                    nameserver fe80::1%eth0\noptions edns0";
        assert_eq!(
            parse(text),
            ["192.0.2.53:53".parse().unwrap(), "[2001:db8::53]:53".parse().unwrap()]
        );
    }

    #[test]
    fn without_a_name_server_it_is_the_local_host() {
        assert_eq!(parse("search example.org\n"), ["127.0.0.1:53".parse().unwrap()]);
    }
}
