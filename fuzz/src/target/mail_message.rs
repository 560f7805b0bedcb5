use mail::{
    answer::Answer,
    challenge::Unverified,
    dns::{Answers, Step, Txt},
    message::{Message, address::Mailbox, subject, text::Text},
    reply::{Envelope, Expected, Policy, Reply, Verdict},
};

use super::names::is_shown;
use crate::corpus::letters::{FROM, KEY_NAME, NOW, RECORD, THUMBPRINT, TO, TOKEN_PART1, TOKEN_PART2};

/// A message: its octets are all in its fields and its body, an address is read as it was written, and whoever has not
/// signed it proves nothing and ends nothing.
pub fn mail_message(data: &[u8]) {
    if let Ok(message) = Message::parse(data) {
        is_whole(&message, data);
    }
    let [from, to] = [FROM, TO].map(|text| Mailbox::parse(text).expect("an address of the corpus"));
    if let Err(fault) = Unverified::read(data, &from, &to) {
        is_shown(&fault.to_string());
    }
    let envelope = Envelope {
        recipient: from.clone(),
        has_null_return_path: false,
        spf: None,
    };
    match Reply::read(data, &envelope) {
        Ok(reply) => is_judged(&reply, &from, &to),
        Err(reason) => is_shown(&reason.to_string()),
    }
}

fn is_whole(message: &Message<'_>, data: &[u8]) {
    let header: usize = message.fields().iter().map(|field| field.raw().len()).sum();
    let gap = data.len() - header - message.body().len();
    assert!(gap == 0 || gap == 2, "{gap} octets are nowhere");
    for name in ["From", "To", "Reply-To", "Sender", "Cc"] {
        let Some(Ok(mailbox)) = message.field(name).map(|field| Mailbox::only(&field.value())) else {
            continue;
        };
        let shown = mailbox.to_string();
        is_shown(&shown);
        assert_eq!(Mailbox::only(&shown), Ok(mailbox));
    }
    if let Ok(token) = subject::token(message) {
        assert!(token.is_ascii() && !token.is_empty());
    }
    if let Ok(text) = Text::first_of(message) {
        // An octet of Latin-1 has two in UTF-8, one that is none has three.
        assert!(text.content.len() <= 3 * data.len());
    }
}

fn is_judged(reply: &Reply<'_>, from: &Mailbox, to: &Mailbox) {
    let expected = Expected {
        mailbox: to,
        recipient: from,
        token_part1: TOKEN_PART1,
    };
    let mut answers = Answers::default();
    for _ in 0..MOST_QUESTIONS {
        match reply.judge(&expected, &Policy::default(), NOW, &answers) {
            Step::Ask(names) => {
                for name in names {
                    let known = name == KEY_NAME;
                    answers.insert(
                        name,
                        if known {
                            Txt::Records(vec![RECORD.to_owned()])
                        } else {
                            Txt::Absent
                        },
                    );
                }
            }
            Step::Done(Verdict::Ignored(reason) | Verdict::Later(reason)) => return is_shown(&reason.to_string()),
            Step::Done(Verdict::Authentic(facts)) => {
                let answer = Answer::new(TOKEN_PART1, TOKEN_PART2, THUMBPRINT);
                assert!(
                    facts.answers(&answer).is_some(),
                    "nobody signed this with a wrong digest: {facts:?}"
                );
                return assert_eq!(facts.mailbox, *to);
            }
        }
    }
    panic!("a judgement asks without an end");
}

/// Keys at once, then the walk of DMARC.
const MOST_QUESTIONS: usize = 20;
