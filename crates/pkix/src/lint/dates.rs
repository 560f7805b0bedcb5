//! Rules about the validity period.

use x509_cert::time::Time;

use super::examined::Examined;
use super::{LintContext, ensure};
use crate::certificate::timestamp;

fn both(examined: &Examined<'_>) -> [Time; 2] {
    [examined.tbs.validity.not_before, examined.tbs.validity.not_after]
}

pub(super) fn encoding(examined: &Examined<'_>, _: &LintContext<'_>) -> Result<(), String> {
    for time in both(examined) {
        // UTCTime cannot say a year from 2050 on, so only the other direction can be wrong.
        let early = matches!(time, Time::GeneralTime(_)) && time.to_date_time().year() < 2050;
        ensure(!early, || format!("{time} is a GeneralizedTime"))?;
        ensure(timestamp(time).is_some(), || format!("{time} is beyond all dates"))?;
    }
    Ok(())
}

pub(super) fn order(examined: &Examined<'_>, _: &LintContext<'_>) -> Result<(), String> {
    let [not_before, not_after] = both(examined);
    let ordered = not_before.to_unix_duration() <= not_after.to_unix_duration();
    ensure(ordered, || {
        format!("notBefore {not_before} is after notAfter {not_after}")
    })
}

// T24
pub(super) fn within_issuer(examined: &Examined<'_>, expected: &LintContext<'_>) -> Result<(), String> {
    let not_after = examined.tbs.validity.not_after;
    let within = timestamp(not_after).is_some_and(|not_after| not_after <= expected.issuer_not_after);
    ensure(within, || {
        format!(
            "notAfter {not_after} is after the issuer's own, {}",
            expected.issuer_not_after
        )
    })
}
