//! The page on which a person agrees to terms that have changed (RFC 8555 §7.3.3).
//!
//! Its address is the `instance` of a problem document that only the account's key can get, and cannot be guessed.

use authority::model::AccountId;
use http::{Method, StatusCode};

use crate::{Front, problem::Rejection, reply::Reply};

pub async fn answer(front: &Front, id: AccountId, method: &Method) -> Result<Reply, Rejection> {
    let account = front.authority.account(id).await?;
    let Some(terms) = front.authority.policy().terms_of_service.clone() else {
        return Err(Rejection::NoSuchResource);
    };
    let agreed = match *method {
        Method::POST => front.authority.agree_to_terms(id).await?.agreed_terms.clone(),
        _ => account.agreed_terms.clone(),
    };
    let body = if agreed.as_ref() == Some(&terms) {
        "<p>This account has agreed to the terms of service. The ACME client can go on.</p>".to_owned()
    } else {
        "<form method=\"post\"><button>I agree to these terms for this ACME account</button></form>".to_owned()
    };
    let terms = escape(&terms);
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Terms of service</title>\
         <h1>Terms of service</h1><p>They are at <a href=\"{terms}\">{terms}</a>.</p>{body}</html>\n"
    );
    Ok(Reply::of(StatusCode::OK, "text/html; charset=utf-8", page))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
