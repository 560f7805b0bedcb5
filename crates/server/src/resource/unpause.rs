//! The page on which a person lets an account go on with names that were paused (INCIDENTS T38).
//!
//! Its address is the `instance` of a problem document, does this one thing, and ends after two weeks.

use authority::model::AccountId;
use http::{Method, StatusCode};

use crate::{Front, problem::Rejection, reply::Reply};

pub async fn answer(front: &Front, id: AccountId, day: u32, method: &Method) -> Result<Reply, Rejection> {
    if today(front) - i64::from(day) > DAYS {
        return Err(Rejection::NoSuchResource);
    }
    let body = match *method {
        Method::POST => {
            front.authority.unpause(id).await?;
            "<p>This account may order its names again.</p>"
        }
        _ => "<form method=\"post\"><button>What failed is mended: let this account go on</button></form>",
    };
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Go on</title>\
         <h1>Names that only failed</h1>{body}</html>\n"
    );
    Ok(Reply::of(StatusCode::OK, "text/html; charset=utf-8", page))
}

/// Days since 1970.
pub fn today(front: &Front) -> i64 {
    front.authority.now().as_second() / (24 * 60 * 60)
}

const DAYS: i64 = 14;
