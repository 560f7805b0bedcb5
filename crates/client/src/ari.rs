//! Asking a CA when to renew (RFC 9773 §4).

use acme::RenewalInfo;
use http::header::DATE;
use jiff::{Timestamp, fmt::rfc2822};
use pkix::certificate::Certificate;

use crate::{
    directory::Directory,
    error::Error,
    renewal::{Heard, RenewalState, renewal_id},
    retry::retry_after,
    wire,
};

/// Asks, and takes into the state what was said. Nothing said is no reason to fail: there is a plan without it.
pub(crate) async fn ask(directory: &Directory, leaf: &Certificate, state: &mut RenewalState) {
    let asked = question(directory, leaf).await;
    let now = directory.clock().now();
    match asked {
        Ok(Some(heard)) => state.hear(heard, now, directory.clock().jitter()),
        Ok(None) => state.hear_nothing(now),
        Err(error) => {
            tracing::warn!(%error, "the CA did not say when to renew");
            state.hear_nothing(now);
        }
    }
}

/// `None` where it does not say.
async fn question(directory: &Directory, leaf: &Certificate) -> Result<Option<Heard>, Error> {
    let (Some(base), Some(id)) = (renewal_info(directory).await?, renewal_id(leaf)) else {
        return Ok(None);
    };
    let url = format!("{}/{id}", base.trim_end_matches('/'));
    let answer = directory.read(&url, "the time of renewal").await?;
    let info: RenewalInfo = wire::object(&answer.body).map_err(|what| Error::protocol(&url, what))?;
    let date = answer.headers.get(DATE).and_then(|date| date.to_str().ok());
    let date: Option<Timestamp> =
        date.and_then(|date| rfc2822::DateTimeParser::new().parse_timestamp(date.trim()).ok());
    Ok(Some(Heard {
        info,
        retry_after: retry_after(&answer.headers, date.unwrap_or(directory.clock().now())),
        date,
    }))
}

/// Where the CA says when to renew; with that it also takes `replaces`.
pub(crate) async fn renewal_info(directory: &Directory) -> Result<Option<String>, Error> {
    let resources = directory.resources().await?;
    let url = resources.members.get("renewalInfo").and_then(serde_json::Value::as_str);
    Ok(url.map(str::to_owned))
}
