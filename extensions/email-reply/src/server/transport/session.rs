//! One session of SMTP (RFC 5321) or LMTP (RFC 2033), as the server: what is said, and what follows. No I/O.

use super::listener::{Acceptance, Protocol, Taken};

/// Where a session stands.
pub struct Session {
    protocol: Protocol,
    host: String,
    offers_tls: bool,
    helo: Option<String>,
    mail: Option<Mail>,
    commands: usize,
    mistakes: usize,
    mails: usize,
}

/// An envelope that is being filled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mail {
    /// `None`: the null return path.
    pub return_path: Option<String>,
    pub recipients: Vec<String>,
}

/// What a command asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    Answer(Answer),
    /// Whether mail for it is taken is not the session's to know.
    Ask(String),
    /// The message follows, once this is said.
    Data(String),
    StartTls(String),
}

/// What is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Say(String),
    /// And then nothing more.
    End(String),
}

impl Session {
    pub fn new(protocol: Protocol, host: &str, offers_tls: bool) -> Self {
        Self {
            protocol,
            host: host.to_owned(),
            offers_tls,
            helo: None,
            mail: None,
            commands: 0,
            mistakes: 0,
            mails: 0,
        }
    }

    pub fn greeting(&self) -> String {
        let protocol = match self.protocol {
            Protocol::Smtp => "ESMTP",
            Protocol::Lmtp => "LMTP",
        };
        format!("220 {} {protocol} Vidimus\r\n", self.host)
    }

    /// RFC 3207 §4.2: what was said before TLS is forgotten.
    pub fn secured(&mut self) {
        (self.helo, self.mail, self.offers_tls) = (None, None, false);
    }

    pub fn helo(&self) -> &str {
        self.helo.as_deref().unwrap_or_default()
    }

    /// One command, without its end of line.
    pub fn command(&mut self, line: &[u8]) -> Action {
        self.commands += 1;
        if self.commands > MOST_COMMANDS {
            return end("421 4.7.0 that is enough for one connection");
        }
        let Ok(line) = std::str::from_utf8(line) else {
            return self.mistake("500 5.5.2 a command is ASCII, and addresses in it UTF-8");
        };
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim();
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" | "LHLO" | "HELO" => self.hello(&verb.to_ascii_uppercase(), rest),
            "MAIL" => self.mail(rest),
            "RCPT" => self.recipient(rest),
            "DATA" => self.data(),
            "STARTTLS" if self.offers_tls => Action::StartTls(line_of("220 2.0.0 go ahead")),
            "RSET" => {
                self.mail = None;
                say("250 2.0.0 forgotten")
            }
            "NOOP" => say("250 2.0.0 nothing done"),
            "VRFY" => say("252 2.1.5 send some mail, and see"),
            "QUIT" => end(&format!("221 2.0.0 {} closes", self.host)),
            _ => self.mistake("500 5.5.1 there is no such command here"),
        }
    }

    fn hello(&mut self, verb: &str, name: &str) -> Action {
        let is_lmtp = verb == "LHLO";
        if is_lmtp != (self.protocol == Protocol::Lmtp) {
            return self.mistake("500 5.5.1 this port speaks the other protocol of SMTP and LMTP");
        }
        if name.is_empty() || name.len() > LONGEST_NAME || name.bytes().any(|octet| !octet.is_ascii_graphic()) {
            return self.mistake("501 5.5.4 say who you are: a host name or an address in brackets");
        }
        self.helo = Some(name.to_owned());
        self.mail = None;
        if verb == "HELO" {
            return say(&format!("250 {}", self.host));
        }
        let size = format!("SIZE {MOST_OCTETS}");
        let mut words = vec![
            self.host.as_str(),
            "8BITMIME",
            "SMTPUTF8",
            "ENHANCEDSTATUSCODES",
            "PIPELINING",
            &size,
        ];
        if self.offers_tls {
            words.push("STARTTLS");
        }
        let last = words.len() - 1;
        let lines = words.iter().enumerate().map(|(at, word)| match at == last {
            true => format!("250 {word}\r\n"),
            false => format!("250-{word}\r\n"),
        });
        Action::Answer(Answer::Say(lines.collect()))
    }

    fn mail(&mut self, rest: &str) -> Action {
        if self.helo.is_none() {
            return self.mistake("503 5.5.1 say who you are first");
        }
        if self.mail.is_some() {
            return self.mistake("503 5.5.1 there is a mail already; RSET forgets it");
        }
        if self.mails >= MOST_MAILS {
            return end("421 4.7.0 that is enough for one connection");
        }
        let Some((path, parameters)) = path(rest, "FROM:") else {
            return self.mistake("501 5.5.4 it is MAIL FROM:<address>");
        };
        for parameter in parameters.split_whitespace() {
            let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            match key.to_ascii_uppercase().as_str() {
                "SIZE" if value.parse::<u64>().is_ok_and(|size| size > MOST_OCTETS as u64) => {
                    return say(&format!("552 5.3.4 a reply has {MOST_OCTETS} octets at most"));
                }
                "SIZE" | "BODY" | "SMTPUTF8" | "AUTH" => {}
                _ => return self.mistake("555 5.5.4 there is no such parameter here"),
            }
        }
        let return_path = (!path.is_empty()).then(|| path.to_owned());
        self.mail = Some(Mail {
            return_path,
            recipients: Vec::new(),
        });
        say("250 2.1.0 ok")
    }

    fn recipient(&mut self, rest: &str) -> Action {
        let Some(mail) = &self.mail else {
            return self.mistake("503 5.5.1 MAIL comes first");
        };
        if mail.recipients.len() >= MOST_RECIPIENTS {
            return say("452 4.5.3 too many recipients for one mail");
        }
        match path(rest, "TO:") {
            Some((path, _)) if !path.is_empty() => Action::Ask(path.to_owned()),
            _ => self.mistake("501 5.5.4 it is RCPT TO:<address>"),
        }
    }

    /// What the desk said of a recipient.
    pub fn asked(&mut self, recipient: String, acceptance: Acceptance) -> Answer {
        match acceptance {
            Acceptance::Yes => {
                if let Some(mail) = &mut self.mail {
                    mail.recipients.push(recipient);
                }
                Answer::Say(line_of("250 2.1.5 ok"))
            }
            // Who tries one address after the other is let go.
            Acceptance::No(why) => self.wrong(&format!("550 5.1.1 {why}")),
            Acceptance::Later(why) => Answer::Say(line_of(&format!("451 4.3.0 {why}"))),
        }
    }

    fn data(&mut self) -> Action {
        match &self.mail {
            Some(mail) if !mail.recipients.is_empty() => {
                Action::Data(line_of("354 end it with a dot on a line of its own"))
            }
            _ => self.mistake("503 5.5.1 there is no recipient"),
        }
    }

    /// The envelope of the message that has just come.
    pub fn envelope(&mut self) -> Mail {
        self.mails += 1;
        self.mail.take().unwrap_or_default()
    }

    /// One answer in SMTP; in LMTP one for each recipient.
    pub fn taken(&self, taken: &[Taken]) -> String {
        let each: Vec<String> = taken
            .iter()
            .map(|taken| match taken {
                Taken::Done => line_of("250 2.0.0 taken"),
                Taken::Later(why) => line_of(&format!("451 4.3.0 {why}")),
                Taken::Refused(why) => line_of(&format!("550 5.7.1 {why}")),
            })
            .collect();
        match self.protocol {
            Protocol::Lmtp => each.concat(),
            // To be sent again is no harm where one was taken: nothing is taken twice.
            Protocol::Smtp => {
                let of = |code: &str| each.iter().find(|line| line.starts_with(code));
                let chosen = of("250").or_else(|| of("451")).or_else(|| each.first());
                chosen
                    .cloned()
                    .unwrap_or_else(|| line_of("451 4.3.0 nothing was taken"))
            }
        }
    }

    fn mistake(&mut self, line: &str) -> Action {
        Action::Answer(self.wrong(line))
    }

    fn wrong(&mut self, line: &str) -> Answer {
        self.mistakes += 1;
        match self.mistakes > MOST_MISTAKES {
            true => Answer::End(line_of("421 4.7.0 too many mistakes")),
            false => Answer::Say(line_of(line)),
        }
    }
}

/// `FROM:<path> parameters`; source routes (RFC 5321 §4.1.1.3) are dropped.
fn path<'a>(rest: &'a str, keyword: &str) -> Option<(&'a str, &'a str)> {
    let head = rest.get(..keyword.len())?;
    if !head.eq_ignore_ascii_case(keyword) {
        return None;
    }
    let path = rest[keyword.len()..].trim_start().strip_prefix('<')?;
    let end = end_of_path(path)?;
    let (path, parameters) = (&path[..end], &path[end + 1..]);
    let path = match path.strip_prefix('@') {
        Some(routed) => routed.split_once(':')?.1,
        None => path,
    };
    (path.len() <= LONGEST_PATH).then_some((path, parameters))
}

/// Where the bracket closes: in a quoted local part it does not (RFC 5321 §4.1.2).
fn end_of_path(path: &str) -> Option<usize> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    path.char_indices().find_map(|(at, c)| {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            '>' if !is_quoted => return Some(at),
            _ => {}
        }
        None
    })
}

fn say(line: &str) -> Action {
    Action::Answer(Answer::Say(line_of(line)))
}

fn end(line: &str) -> Action {
    Action::Answer(Answer::End(line_of(line)))
}

/// One line of a reply (RFC 5321 §4.5.3.1.5), whatever is quoted in it.
fn line_of(text: &str) -> String {
    let text: String = text
        .chars()
        .map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' })
        .take(LONGEST_REPLY)
        .collect();
    text + "\r\n"
}

/// A reply is a short text with signatures.
pub const MOST_OCTETS: usize = 256 * 1024;
const MOST_RECIPIENTS: usize = 5;
const MOST_MAILS: usize = 10;
/// Ten mails with five recipients each, and some talk.
const MOST_COMMANDS: usize = 100;
const MOST_MISTAKES: usize = 20;
const LONGEST_NAME: usize = 255;
const LONGEST_PATH: usize = 320;
const LONGEST_REPLY: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    fn session(protocol: Protocol) -> Session {
        Session::new(protocol, "ca.test", true)
    }

    fn said(action: Action) -> String {
        match action {
            Action::Answer(answer) => text(answer),
            Action::Data(text) | Action::StartTls(text) => text,
            Action::Ask(recipient) => panic!("asks about {recipient}"),
        }
    }

    fn text(answer: Answer) -> String {
        match answer {
            Answer::Say(text) | Answer::End(text) => text,
        }
    }

    #[test]
    fn a_mail_goes_from_hello_to_its_envelope() {
        let mut session = session(Protocol::Smtp);
        assert!(said(session.command(b"EHLO mail.alpha.test")).ends_with("250 STARTTLS\r\n"));
        assert!(said(session.command(b"mail from:<alice@alpha.test> SIZE=100 BODY=8BITMIME")).starts_with("250"));
        let Action::Ask(recipient) = session.command(b"RCPT TO:<a+b@ca.test>") else {
            panic!()
        };
        assert_eq!(recipient, "a+b@ca.test");
        assert!(text(session.asked(recipient, Acceptance::Yes)).starts_with("250"));
        assert!(matches!(session.command(b"DATA"), Action::Data(_)));
        let mail = session.envelope();
        assert_eq!(mail.return_path.as_deref(), Some("alice@alpha.test"));
        assert_eq!(mail.recipients, ["a+b@ca.test"]);
    }

    #[test]
    fn commands_out_of_sequence_are_mistakes_and_too_many_end_the_session() {
        let mut session = session(Protocol::Smtp);
        for line in [
            &b"MAIL FROM:<a@b.test>"[..],
            b"RCPT TO:<a@b.test>",
            b"DATA",
            b"LHLO x",
            b"BDAT 3",
            b"\xff",
        ] {
            assert!(said(session.command(line)).starts_with('5'));
        }
        let ends = (0..MOST_MISTAKES).map(|_| session.command(b"XYZZY"));
        assert!(
            ends.last()
                .is_some_and(|action| matches!(action, Action::Answer(Answer::End(_))))
        );
    }

    #[test]
    fn what_strangers_say_does_not_break_a_reply_into_two() {
        let mut session = session(Protocol::Smtp);
        session.command(b"EHLO a");
        session.command(b"MAIL FROM:<>");
        let refused = text(session.asked(String::new(), Acceptance::No("no\r\n250 ok".to_owned())));
        assert_eq!(refused, "550 5.1.1 no??250 ok\r\n");
    }

    #[test]
    fn lmtp_answers_for_each_recipient_and_smtp_once() {
        let taken = [Taken::Refused("no".to_owned()), Taken::Done];
        assert_eq!(session(Protocol::Lmtp).taken(&taken).lines().count(), 2);
        assert_eq!(session(Protocol::Smtp).taken(&taken), "250 2.0.0 taken\r\n");
    }

    #[test]
    fn a_path_is_read_with_its_route_and_a_null_one_is_none() {
        assert_eq!(path("FROM:<>", "FROM:"), Some(("", "")));
        assert_eq!(
            path("to:<@x.test:a@b.test> NOTIFY=NEVER", "TO:"),
            Some(("a@b.test", " NOTIFY=NEVER"))
        );
        assert_eq!(path("TO:a@b.test", "TO:"), None);
        assert_eq!(path("é", "TO:"), None);
    }

    #[test]
    fn a_session_has_so_many_commands_though_none_is_a_mistake() {
        let mut session = session(Protocol::Smtp);
        for _ in 0..MOST_COMMANDS {
            assert_eq!(session.command(b"NOOP"), say("250 2.0.0 nothing done"));
        }
        let last = session.command(b"NOOP");
        assert!(matches!(last, Action::Answer(Answer::End(text)) if text.starts_with("421 4.7.0")));
    }

    #[test]
    fn a_path_ends_at_its_own_bracket_whatever_brackets_follow_or_are_quoted_in_it() {
        assert_eq!(path("FROM:<a@b.test> AUTH=<>", "FROM:"), Some(("a@b.test", " AUTH=<>")));
        assert_eq!(path("FROM:<> AUTH=<a@b.test>", "FROM:"), Some(("", " AUTH=<a@b.test>")));
        let quoted = r#"<"a>\"b"@c.test>"#;
        assert_eq!(path(&format!("TO:{quoted}"), "TO:"), Some((r#""a>\"b"@c.test"#, "")));
        assert_eq!(path(r#"TO:<"a>@c.test"#, "TO:"), None);
    }
}
