//! Pages for people at fixed paths, such as those that problem types lead to (RFC 9457 §3.1.1).

/// HTML, the same for everybody.
#[derive(Clone, Debug)]
pub struct Page {
    /// After the external URL, with its slash.
    pub path: &'static str,
    pub body: String,
}
