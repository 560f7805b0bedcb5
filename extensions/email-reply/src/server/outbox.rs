//! Challenge mails on their way out (RFC 8823 §3.1).

use std::{sync::Arc, time::Duration};

use authority::{
    Limit,
    identifier::{Name, Target},
    model::{AccountId, SentCode},
    ports::{BoxFuture, CodeLimit, CodeTransport, Dispatch},
};
use mail::{challenge::Challenge, dkim::Signer, message::address::Mailbox, message_id::MessageId};

use super::{
    address::Addresses,
    transport::sender::{Sender, Sent},
};

pub struct Outbox {
    pub addresses: Addresses,
    pub signers: Arc<[Signer]>,
    pub sender: Arc<Sender>,
    /// How the authority calls itself to people.
    pub authority: String,
    pub window: Duration,
    pub limits: Limits,
}

/// 8823-3-5: how many challenge mails go out.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub per_mailbox: Limit,
    pub per_domain: Limit,
    pub per_account: Limit,
}

impl CodeTransport for Outbox {
    /// A multiple of three, so that both readings of how the halves are joined say the same.
    fn octets(&self) -> usize {
        24
    }

    fn window(&self) -> Duration {
        self.window
    }

    fn limits(&self, account: AccountId, name: &Name) -> Vec<CodeLimit> {
        let Target::Mailbox { domain } = name.target() else {
            return Vec::new();
        };
        // Many hosts know no letter case in local parts: the mails would all go to one mailbox.
        let mailbox = name.identifier().value.to_lowercase();
        let of = |limit, key: String, whom: &str| CodeLimit {
            limit,
            key,
            what: format!("challenge mails to {whom}"),
        };
        vec![
            of(self.limits.per_mailbox, format!("mail/mailbox/{mailbox}"), &mailbox),
            of(
                self.limits.per_domain,
                format!("mail/domain/{domain}"),
                &format!("mailboxes of {domain}"),
            ),
            of(
                self.limits.per_account,
                format!("mail/account/{account}"),
                "whomever by this account",
            ),
        ]
    }

    fn send(&self, code: SentCode) -> BoxFuture<'static, Dispatch> {
        let composed = self.compose(&code);
        let sender = self.sender.clone();
        Box::pin(async move {
            let (from, to, octets) = match composed {
                Ok(composed) => composed,
                Err(why) => return Dispatch::Refused(why),
            };
            match sender.send(&from, &to, &octets).await {
                Sent::Accepted(by) => Dispatch::Sent(by),
                Sent::Later(why) => Dispatch::Later(why),
                Sent::Refused(why) => Dispatch::Refused(why),
            }
        })
    }
}

impl Outbox {
    /// Sender, recipient and message: the same octets however often it is tried.
    fn compose(&self, code: &SentCode) -> Result<(String, String, Vec<u8>), String> {
        let to = Mailbox::parse(&code.identifier.value).map_err(|error| error.to_string())?;
        let from = self.addresses.of_place(&code.place);
        let message_id = MessageId::new(&code.place, self.addresses.domain())
            .ok_or("no Message-ID can be made of the place of the answer")?;
        let challenge = Challenge {
            from: &from,
            to: &to,
            token_part1: &code.code,
            message_id: &message_id,
            date: code.offered,
            authority: &self.authority,
        };
        let signers: Vec<&Signer> = self.signers.iter().collect();
        let octets = challenge.signed(&signers).map_err(|error| error.to_string())?;
        Ok((from.to_string(), to.to_string(), octets))
    }
}
