use std::sync::{Arc, LazyLock};

use email_tls::{
    server::probe::{Asked, Heard, Patience, Published, hold},
    service::Service,
};
use rustls::ClientConfig;
use validation::unverified;

use super::names::is_shown;

/// What mail servers say: whatever it is, the probe ends, and what it tells of it is bounded and can be shown. The first
/// octet is for the service.
pub fn mail_replies(data: &[u8]) {
    let Some((first, said)) = data.split_first() else {
        return;
    };
    let service = Service::ALL[usize::from(*first) % Service::ALL.len()];
    let asked = Asked {
        service,
        host: "mail.example",
        greets_as: "probe.example",
        tls: &TLS,
        patience: Patience::default(),
    };
    let mut heard = Heard::default();
    let stream = tokio::io::join(said, tokio::io::sink());
    let outcome = block_on(hold(stream, &asked, &mut heard));
    let fault = outcome.expect_err("what is said in the clear alone is no session");
    let failure = fault.of("smtp:25 of mail.example");
    assert!(failure.detail.len() < 500, "{}", failure.detail);
    is_shown(&failure.detail);
    let lines = heard.greeting.iter().chain(&heard.before);
    assert!(lines.clone().count() <= MOST && lines.map(Vec::len).sum::<usize>() <= said.len());
    assert_eq!(heard.transcript().len(), 64);
    // Nothing was said under TLS, so there is no capability that counts.
    let published = Published::of(service.protocol(), &heard);
    assert!(heard.after.is_empty() && published.drafted.is_empty());
}

/// Nothing waits for a clock here, but every step has a limit.
fn block_on<F: Future>(future: F) -> F::Output {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime without a network needs nothing");
    }
    RUNTIME.with(|runtime| runtime.block_on(future))
}

static TLS: LazyLock<Arc<ClientConfig>> = LazyLock::new(|| Arc::new(unverified::config(&[])));
/// A line has many words.
const MOST: usize = 200 * 500;
