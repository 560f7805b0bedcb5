//! The addresses that challenges come from and answers go to: one for each authorization.

use authority::model::SentCode;
use mail::message::{address::Mailbox, domain::Domain};

/// `LOCAL+PLACE@DOMAIN`.
#[derive(Clone, Debug)]
pub struct Addresses {
    local: String,
    domain: Domain,
}

impl Addresses {
    /// `Err` is a sentence about the setting.
    pub fn new(local: &str, domain: &str) -> Result<Self, String> {
        let parsed = Domain::parse(domain).ok_or_else(|| format!("domain: {domain:?} is no mail domain"))?;
        let addresses = Self {
            local: local.to_owned(),
            domain: parsed,
        };
        let place = SentCode::place("");
        match Mailbox::parse(&addresses.text(&place)) {
            Ok(mailbox) if mailbox.is_ascii() && !local.contains('+') => Ok(addresses),
            _ => Err(format!(
                "local_part: {local:?} with \"+\" and {} characters is no local part of a mailbox; name a short word",
                place.len()
            )),
        }
    }

    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// From which the challenge with this token comes.
    pub fn of_token(&self, token: &str) -> String {
        self.text(&SentCode::place(token))
    }

    pub fn of_place(&self, place: &str) -> Mailbox {
        Mailbox::parse(&self.text(place)).expect("invariant: places are alike, and one was tried")
    }

    /// The place that an answer is for. Letter case may have been lost on the way.
    pub fn place(&self, recipient: &Mailbox) -> Option<String> {
        let (local, place) = recipient.local().rsplit_once('+')?;
        let is_ours = recipient.domain() == &self.domain && local.eq_ignore_ascii_case(&self.local);
        let place = place.to_ascii_lowercase();
        let is_place = place.len() == 32 && place.bytes().all(|octet| octet.is_ascii_hexdigit());
        (is_ours && is_place).then_some(place)
    }

    fn text(&self, place: &str) -> String {
        format!("{}+{place}@{}", self.local, self.domain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_finds_its_place_and_nothing_else_does() {
        let addresses = Addresses::new("acme-challenge", "CA.test").unwrap();
        let place = SentCode::place("token");
        let read = |text: &str| addresses.place(&Mailbox::parse(text).unwrap());
        assert_eq!(read(&addresses.of_token("token")), Some(place.clone()));
        assert_eq!(
            read(&format!("ACME-Challenge+{}@ca.test", place.to_uppercase())),
            Some(place.clone())
        );
        assert_eq!(read(&format!("acme-challenge+{place}@www.ca.test")), None);
        assert_eq!(read(&format!("other+{place}@ca.test")), None);
        assert_eq!(read("acme-challenge@ca.test"), None);
        assert_eq!(read("acme-challenge+00@ca.test"), None);
        assert!(Addresses::new("a b", "ca.test").is_err());
        assert!(Addresses::new("a+b", "ca.test").is_err());
        assert!(Addresses::new("acme", "not a domain").is_err());
        assert!(Addresses::new(&"a".repeat(40), "ca.test").is_err());
    }
}
