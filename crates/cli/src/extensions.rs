//! Every extension, one line each.

use authority::Registry;

/// The documents beyond the base that this program knows.
pub const EXTENSIONS: &[Extension] = &[Extension {
    name: "ip",
    register: ip::register,
}];

pub struct Extension {
    /// Its folder, and its table `[extensions.NAME]`.
    pub name: &'static str,
    pub register: fn(&mut Registry),
}
