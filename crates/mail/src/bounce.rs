//! Reports that a mail could not be delivered (RFC 3464).

use crate::message::{Message, content_type::ContentType};

/// Why a mail was not delivered, for good; `None` where the message is no such report, or only one of a delay.
pub fn failure(message: &Message<'_>) -> Option<String> {
    let kind = ContentType::parse(&message.field("Content-Type")?.value());
    let is_report = kind.kind == "multipart/report"
        && kind
            .parameter("report-type")
            .is_some_and(|report| report.eq_ignore_ascii_case("delivery-status"));
    if !is_report {
        return None;
    }
    let body = String::from_utf8_lossy(message.body());
    let fields = || body.lines().filter_map(|line| line.split_once(':'));
    let of = |wanted: &str| {
        let found = fields().find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| value.trim().to_owned())
    };
    let failed = fields()
        .any(|(name, value)| name.trim().eq_ignore_ascii_case("Action") && value.trim().eq_ignore_ascii_case("failed"));
    if !failed {
        return None;
    }
    let why = of("Diagnostic-Code").or_else(|| of("Status"));
    let why: String = why
        .unwrap_or_default()
        .chars()
        .filter(|c| !c.is_control())
        .take(LONGEST)
        .collect();
    Some(why)
}

const LONGEST: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_from_a_delay_and_from_other_mail() {
        let report = |action: &str| {
            format!(
                "From: MAILER-DAEMON@alpha.test\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n\
                 --b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mail.alpha.test\r\n\r\n\
                 Action: {action}\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1 no such user\r\n--b--\r\n"
            )
        };
        let failed = report("failed");
        let message = Message::parse(failed.as_bytes()).unwrap();
        assert_eq!(failure(&message).as_deref(), Some("smtp; 550 5.1.1 no such user"));
        let delayed = report("delayed");
        assert_eq!(failure(&Message::parse(delayed.as_bytes()).unwrap()), None);
        let other = b"From: a@alpha.test\r\nContent-Type: text/plain\r\n\r\nAction: failed\r\n";
        assert_eq!(failure(&Message::parse(other).unwrap()), None);
    }
}
