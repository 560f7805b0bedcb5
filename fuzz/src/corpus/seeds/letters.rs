//! Mail: messages, signatures and records of domains.

use mail::{
    answer::Answer,
    challenge::{Challenge, Received},
    dkim::{Signer, SigningKey, coverage},
    message::{Message, address::Mailbox},
    message_id::MessageId,
    reply,
};

use crate::corpus::letters::{FROM, NOW, RECORD, THUMBPRINT, TO, TOKEN_PART1, TOKEN_PART2};

/// What the target waits for, as programs and people send it, and what it must not take.
pub fn messages() -> Vec<Vec<u8>> {
    let [from, to] = [FROM, TO].map(|text| Mailbox::parse(text).expect("invariant: an address"));
    let message_id = MessageId::new("1", from.domain()).expect("invariant: a name");
    let challenge = Challenge {
        from: &from,
        to: &to,
        token_part1: TOKEN_PART1,
        message_id: &message_id,
        date: NOW,
        authority: "Vidimus",
    };
    let received = Received {
        from: from.clone(),
        reply_to: None,
        to: to.clone(),
        token_part1: TOKEN_PART1.to_owned(),
        message_id: Some(message_id.clone()),
    };
    let digest = Answer::new(TOKEN_PART1, TOKEN_PART2, THUMBPRINT).digest().to_owned();
    let composed = reply::compose(&received, &digest, &message_id, NOW);
    let text = String::from_utf8_lossy(&composed).into_owned();
    let multipart = text
        .replace("text/plain; charset=us-ascii", "multipart/alternative; boundary=\"b\"")
        .replacen(
            "\r\n\r\n",
            "\r\n\r\n--b\r\nContent-Type: text/plain; format=flowed; charset=\"iso-8859-1\"\r\n\
             Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=FC=DFe \r\n> ",
            1,
        )
        + "\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>\r\n--b--\r\n";
    let pasted = multipart
        .replace(&format!("From: {TO}"), &format!("From: \"Alice, (A)\" <{TO}> (home)"))
        .replace(
            "Subject: Re: ACME:",
            "Subject: =?utf-8?Q?AW=3A_?=\r\n =?iso-8859-1?B?QUNNRTo=?=",
        );
    let mut all = vec![challenge.compose(), signed(&challenge.compose()), signed(&composed)];
    all.extend([multipart, pasted].map(|text| signed(text.as_bytes())));
    all.push(
        text.replace("Subject:", "List-Id: <x>\r\nPrecedence: bulk\r\nSubject:")
            .into_bytes(),
    );
    all.push(text.replace(TO, "group: a@b, \"c d\"@[192.0.2.1];").into_bytes());
    all
}

/// A record, an empty line, a signature.
pub fn signatures() -> Vec<Vec<u8>> {
    let tags = "v=1; a=ed25519-sha256; c=relaxed/simple; d=alpha.test; i=@alpha.test; q=dns/txt; s=s1; t=0; x=9;\r\n \
        h=From : To : from; bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n b=AAAA\r\n AAAA";
    let rsa = format!("v=DKIM1; k=rsa; h=sha1:sha256; s=email; t=y:s; n=note; p={}", rsa_key());
    let all = [
        format!("{RECORD}\n\n{tags}"),
        format!(
            "{rsa}\n\n{}",
            tags.replace("ed25519-sha256", "rsa-sha256")
                .replace("relaxed/simple", "simple")
        ),
        format!("v=DKIM1; p=\n\n{}", tags.replace("q=dns/txt", "l=3; z=x")),
        "\n\nv=1; a=rsa-sha1; b=".to_owned(),
    ];
    all.map(String::into_bytes).into()
}

pub fn policies() -> Vec<Vec<u8>> {
    let texts = [
        "v=DMARC1; p=reject; sp=quarantine; adkim=s; aspf=r; psd=n; t=y; rua=mailto:a@b",
        "x\nv=DMARC1; p=none; psd=y\nv=DMARC1; p=quarantine; pct=0",
        "v=spf1 a:%{d}/24//64 mx/28 ip4:192.0.2.0/24 ip6:2001:db8::/32 include:b.test ?exists:%{ir}.%{v}.x ~all\n192.0.2.9\nmx1 mx2",
        "v=spf1 include:%{l1r-}.%{o}.%{h}.%{p} redirect=%{d2}\nv=spf1 ptr exp=x.%{S} y=z -all",
        "v=spf1 redirect=a.test",
    ];
    texts.map(|text| text.as_bytes().to_vec()).into()
}

fn signed(octets: &[u8]) -> Vec<u8> {
    let message = Message::parse(octets).expect("invariant: a message was composed");
    let domain = Mailbox::parse(TO).expect("invariant: an address").domain().clone();
    // RFC 8463 §A.1 as PKCS#8, the key of RECORD.
    let key = SigningKey::from_pkcs8_der(include_bytes!("../../../../crates/mail/tests/data/ed25519.p8"));
    let key = key.expect("invariant: a key of the tests");
    let signer = Signer::new(domain, "s1", key).expect("invariant: a selector");
    let names: Vec<&str> = coverage::REQUIRED.into_iter().chain(coverage::LISTS).collect();
    [signer.sign(&message, &names, NOW).into_bytes(), octets.to_vec()].concat()
}

fn rsa_key() -> String {
    let pem = include_str!("../../../../crates/jose/tests/data/rsa1024.spki.pem");
    pem.lines().filter(|line| !line.starts_with('-')).collect()
}
