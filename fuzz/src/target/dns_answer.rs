use std::fmt::Debug;

use authority::model::{DnssecStatus, Observation};
use validation::{
    dns_client::offline::{self, Said},
    excerpt,
    resolver::Answer,
};

use super::names::is_shown;

/// What a resolver answers (INCIDENTS T10): whatever is in a message, what it says is bounded and can be kept as evidence.
pub fn dns_answer(data: &[u8]) {
    let texts = block_on(offline::txt(data, NAME));
    keep("TXT", texts, |text| excerpt::quoted(text, 255));
    keep("CAA", block_on(offline::caa(data, NAME)), |record| {
        caa::Property::show(record)
    });
    keep("A", block_on(offline::v4(data, NAME)), ToString::to_string);
    keep("AAAA", block_on(offline::v6(data, NAME)), ToString::to_string);
    keep("SRV", block_on(offline::srv(data, NAME)), ToString::to_string);
    if offline::is_answer(data, NAME) {
        assert!(data.len() >= 12, "a message has a header");
    }
}

fn keep<T: Debug>(record_type: &str, said: Said<T>, show: impl Fn(&T) -> String) {
    assert!(said.aliases.len() <= MOST_ALIASES, "{} aliases", said.aliases.len());
    let answer = Answer {
        records: said.records,
        aliases: said.aliases,
        dnssec: DnssecStatus::Unchecked,
        resolver: "192.0.2.53:53".to_owned(),
    };
    let Observation::Resolved { answers, .. } = answer.observation(NAME, record_type, show) else {
        panic!("an answer is kept as one");
    };
    // As many records as are kept, and a remark about the others.
    assert!(answers.len() <= MOST_ALIASES + 17, "{} answers", answers.len());
    answers.iter().for_each(|text| is_shown(text));
}

/// Nothing that is awaited here waits for a network or a clock.
pub(super) fn block_on<F: Future>(future: F) -> F::Output {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime without a network or a clock needs nothing");
    }
    RUNTIME.with(|runtime| runtime.block_on(future))
}

const NAME: &str = "a.example";
const MOST_ALIASES: usize = 8;
