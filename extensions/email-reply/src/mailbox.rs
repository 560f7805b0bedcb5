//! `email`: mailboxes (RFC 8823 §3, RFC 9598 §3).

use acme::Identifier;
use authority::identifier::{Dns, IdentifierType, Name, NameRefusal, Page, Target};
use pkix::name::GeneralName;

pub struct Email;

impl IdentifierType for Email {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn page(&self) -> Page {
        Page {
            kind: KIND,
            document: "RFC 8823 §3, RFC 9598 §3",
            grammar: "A local part, `@`, a DNS name as in `dns` without wildcard. The local part is a dot-string of at \
                      most 64 octets (RFC 5321 §4.1.2) that may have characters beyond ASCII (RFC 6531 §3.3); quoted \
                      ones are refused, though they are addresses.",
            canonical: "The domain in lower case, the local part as it is.",
            equality: "Octets of the canonical form: letter case of the local part counts (RFC 5321 §2.4).",
            wildcard: "None.",
            certificate: "subjectAltName rfc822Name; with a local part beyond ASCII otherName SmtpUTF8Mailbox \
                          (1.3.6.1.5.5.7.8.9).",
            csr: "The same; letter case of the domain is folded.",
            examples: &[
                "alice@example.org",
                "Alice.B+lists@xn--bcher-kva.example",
                "jürgen@example.org",
            ],
            refused: &[
                "alice",
                "alice@*.example.org",
                "alice@bücher.example",
                "alice@[192.0.2.1]",
                "\"a b\"@example.org",
                ".alice@example.org",
            ],
        }
    }

    fn admit(&self, value: &str) -> Result<Name, NameRefusal> {
        let malformed = |why: &str| NameRefusal::Malformed(format!("{value:?} is not a mailbox: {why}"));
        let (local, domain) = value.rsplit_once('@').ok_or_else(|| malformed("it has no \"@\""))?;
        if local.starts_with('"') {
            return Err(NameRefusal::Rejected(format!(
                "{value:?}: this server issues for no mailbox whose local part is quoted"
            )));
        }
        check_local(local).map_err(|why| malformed(&why))?;
        let of_domain = Dns.admit(domain).map_err(|refusal| malformed(&refusal.to_string()))?;
        if of_domain.is_wildcard() {
            return Err(malformed("a mailbox of a wildcard is nobody's"));
        }
        let domain = of_domain.identifier().value.clone();
        let identifier = Identifier::new(KIND, format!("{local}@{domain}"));
        Ok(Name::admitted(
            identifier.clone(),
            identifier,
            Target::Mailbox { domain },
        ))
    }

    fn to_general_name(&self, name: &Name) -> GeneralName {
        let mailbox = &name.identifier().value;
        match mailbox.is_ascii() {
            true => GeneralName::Email(mailbox.clone()),
            false => GeneralName::smtp_utf8_mailbox(mailbox).expect("invariant: an admitted mailbox is short"),
        }
    }

    /// RFC 9598 §3: the form beyond ASCII is for those local parts alone, so that no mailbox has two forms.
    fn read_general_name(&self, general_name: &GeneralName) -> Option<Result<Name, NameRefusal>> {
        if let GeneralName::Email(mailbox) = general_name {
            return Some(self.admit(mailbox));
        }
        let mailbox = general_name.as_smtp_utf8_mailbox()?;
        Some(match mailbox.is_ascii() {
            true => Err(NameRefusal::Malformed(format!(
                "{mailbox:?} is ASCII and belongs into an rfc822Name (RFC 9598 §3)"
            ))),
            false => self.admit(mailbox),
        })
    }
}

/// RFC 5321 §4.1.2 Dot-string with RFC 6531 §3.3. `Err` completes the sentence "… is not a mailbox: ".
fn check_local(local: &str) -> Result<(), String> {
    if local.is_empty() || local.len() > LONGEST_LOCAL {
        return Err(format!(
            "its local part has {} octets; 1 to {LONGEST_LOCAL} are possible",
            local.len()
        ));
    }
    if local.split('.').any(str::is_empty) {
        return Err("its local part begins or ends with a dot, or has two in a row".to_owned());
    }
    match local
        .chars()
        .find(|&character| !is_atext(character) && character != '.')
    {
        None => Ok(()),
        Some(character) => Err(format!("its local part may not have {character:?}")),
    }
}

/// RFC 5322 §3.2.3, and beyond ASCII what can be seen and changes no direction of the text around it.
fn is_atext(character: char) -> bool {
    match character.is_ascii() {
        true => character.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(character),
        false => {
            let is_unseen = matches!(character, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffd}');
            !character.is_control() && !character.is_whitespace() && !is_unseen
        }
    }
}

const KIND: &str = "email";
/// RFC 5321 §4.5.3.1.1.
const LONGEST_LOCAL: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_of_the_page_is_admitted_and_every_refused_one_is_not() {
        let page = Email.page();
        page.examples
            .iter()
            .for_each(|example| assert!(Email.admit(example).is_ok(), "{example}"));
        page.refused
            .iter()
            .for_each(|refused| assert!(Email.admit(refused).is_err(), "{refused}"));
    }

    #[test]
    fn the_domain_is_folded_and_the_local_part_is_not() {
        let name = Email.admit("Alice@Example.ORG").unwrap();
        assert_eq!(name.identifier().value, "Alice@example.org");
        assert_eq!(
            name.target(),
            &Target::Mailbox {
                domain: "example.org".into()
            }
        );
        assert_ne!(name, Email.admit("alice@example.org").unwrap());
    }

    #[test]
    fn what_no_mail_server_would_take_is_malformed() {
        let long = format!("{}@example.org", "a".repeat(65));
        for wrong in [
            "",
            "@",
            "@example.org",
            "alice@",
            "a..b@example.org",
            "a.@example.org",
            "a b@example.org",
            "a,b@example.org",
            "<a@example.org>",
            "a@b@example.org",
            "a@example.org.",
            "a\u{0}@example.org",
            "a\r\nBcc: x@example.org",
            "j\u{202e}rgen@example.org",
            &long,
        ] {
            assert!(
                matches!(Email.admit(wrong), Err(NameRefusal::Malformed(_))),
                "{wrong:?}"
            );
        }
        assert!(matches!(
            Email.admit("\"a b\"@example.org"),
            Err(NameRefusal::Rejected(_))
        ));
    }

    #[test]
    fn a_mailbox_has_one_form_in_certificates() {
        let name = Email.admit("alice@example.org").unwrap();
        let general = Email.to_general_name(&name);
        assert_eq!(general, GeneralName::Email("alice@example.org".into()));
        assert_eq!(Email.read_general_name(&general), Some(Ok(name)));
        let name = Email.admit("jürgen@example.org").unwrap();
        let general = Email.to_general_name(&name);
        assert_eq!(general.as_smtp_utf8_mailbox(), Some("jürgen@example.org"));
        assert_eq!(Email.read_general_name(&general), Some(Ok(name)));
        let needless = GeneralName::smtp_utf8_mailbox("alice@example.org").unwrap();
        assert!(Email.read_general_name(&needless).unwrap().is_err());
        assert!(
            Email
                .read_general_name(&GeneralName::Email("jürgen@example.org".into()))
                .is_some()
        );
        assert!(
            Email
                .read_general_name(&GeneralName::Dns("example.org".into()))
                .is_none()
        );
        assert!(Email.read_common_name("alice@example.org").is_none());
    }
}
