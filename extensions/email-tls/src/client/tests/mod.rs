//! Sessions with scripted servers, and mail programs that are shell scripts.

mod greetings;
mod installing;
mod looking;
mod passing;
mod site;

use clap::{CommandFactory as _, Parser};

use super::MailCommand;

#[derive(Parser)]
struct Mail {
    #[command(flatten)]
    _command: MailCommand,
}

#[test]
fn the_command_line_is_as_documented() {
    Mail::command().debug_assert();
    let place = "--server https://ca.test/directory --ca-bundle root.pem --dir d";
    let daemons = "--postfix-config p --postconf ./postconf --dovecot-config d.conf --doveadm ./doveadm";
    for line in [
        "scan mail.alpha.test --domain alpha.test --port submission:10587 --connect 127.0.0.1 --json".to_owned(),
        format!("issue mail.alpha.test --domain alpha.test --srv --services auto {place} {daemons} --agree-tos"),
        format!("issue mail.alpha.test {place} --dns-hook ./hook --cert-file c --key-file k --exec reload"),
        format!(
            "issue mail.alpha.test {place} --challenge capability-imap-00 --challenge dns-email-00 --dns-hook ./hook"
        ),
        "install mail.alpha.test --postfix --dovecot".to_owned(),
        "renew --force mail.alpha.test".to_owned(),
        "restore --json".to_owned(),
        "proxy --listen 127.0.0.1:25 --upstream 127.0.0.1:2525 --protocol smtp --words-file w --as capability"
            .to_owned(),
        "tlsa mail.alpha.test --next --nsupdate 127.0.0.1:5300 --zone alpha.test --tsig-key k".to_owned(),
    ] {
        let parsed = Mail::try_parse_from(format!("mail {line}").split_whitespace());
        assert!(
            parsed.is_ok(),
            "{line}: {:?}",
            parsed.err().map(|error| error.to_string())
        );
    }
    for line in [
        "issue mail.alpha.test --server https://ca.test/directory --challenge capability-sieve-00",
        "scan mail.alpha.test --port ftp:21",
        "scan mail.alpha.test --port smtp:0",
        "scan mail.alpha.test --services smtp,ftp",
        "install mail.alpha.test --cert-file c",
        "proxy --listen 127.0.0.1:25 --upstream 127.0.0.1:2525 --protocol smtp --implicit-tls",
    ] {
        assert!(
            Mail::try_parse_from(format!("mail {line}").split_whitespace()).is_err(),
            "{line}"
        );
    }
}
