//! Validity dates (RFC 5280 §4.1.2.5).

use std::time::Duration;

use der::DateTime;
use jiff::Timestamp;
use x509_cert::time::Time;

/// 99991231235959Z, which says that a certificate has no well-defined expiration (RFC 5280 §4.1.2.5). The date itself is
/// a day beyond the last that a `Timestamp` can be, so the last one stands for it.
pub const NO_EXPIRATION: Timestamp = Timestamp::MAX;

/// UTCTime through 2049, GeneralizedTime from 2050 on; whole seconds. A date before 1970 becomes the first of that year.
pub(crate) fn encoded(timestamp: Timestamp) -> Time {
    if timestamp == NO_EXPIRATION {
        return Time::INFINITY;
    }
    let seconds = u64::try_from(timestamp.as_second()).unwrap_or(0);
    let date = DateTime::from_unix_duration(Duration::from_secs(seconds));
    Time::from(date.expect("invariant: a Timestamp ends within the year 9999, as a DateTime does"))
}

pub(crate) fn timestamp(time: Time) -> Option<Timestamp> {
    if time == Time::INFINITY {
        return Some(NO_EXPIRATION);
    }
    Timestamp::from_second(i64::try_from(time.to_unix_duration().as_secs()).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding;

    fn check(text: &str, der: &[u8]) {
        let time: Timestamp = text.parse().unwrap();
        assert_eq!(encoding::encode(&encoded(time)), der, "{text}");
        assert_eq!(timestamp(encoding::decode(der).unwrap()), Some(time), "{text}");
    }

    // 5280-4.1-1, T19
    #[test]
    fn t19_the_encoding_changes_with_the_year_2050() {
        check("1970-01-01T00:00:00Z", b"\x17\x0d700101000000Z");
        check("2024-02-29T23:59:59Z", b"\x17\x0d240229235959Z");
        check("2049-12-31T23:59:59Z", b"\x17\x0d491231235959Z");
        check("2050-01-01T00:00:00Z", b"\x18\x0f20500101000000Z");
        check("9999-12-30T22:00:00Z", b"\x18\x0f99991230220000Z");
    }

    #[test]
    fn the_last_date_means_no_expiration() {
        assert_eq!(encoding::encode(&encoded(NO_EXPIRATION)), b"\x18\x0f99991231235959Z");
        assert_eq!(
            timestamp(encoding::decode(b"\x18\x0f99991231235959Z").unwrap()),
            Some(NO_EXPIRATION)
        );
        assert_eq!(timestamp(encoding::decode(b"\x18\x0f99991231235958Z").unwrap()), None);
    }

    #[test]
    fn fractions_of_a_second_are_dropped() {
        let time: Timestamp = "2024-05-01T12:00:00.999999999Z".parse().unwrap();
        assert_eq!(encoding::encode(&encoded(time)), b"\x17\x0d240501120000Z");
    }

    #[test]
    fn a_time_without_seconds_or_without_z_is_not_der() {
        assert!(encoding::decode::<Time>(b"\x17\x0b2405011200Z").is_err());
        assert!(encoding::decode::<Time>(b"\x17\x11240501120000+0100").is_err());
        assert!(encoding::decode::<Time>(b"\x18\x1120500101000000.5Z").is_err());
    }
}
