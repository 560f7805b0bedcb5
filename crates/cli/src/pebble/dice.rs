//! Chance, for what a test server does now and then.

use crate::world;

/// True this many times of a hundred.
pub fn percent(often: u8) -> bool {
    below(100) < u64::from(often)
}

/// Any whole number below a bound; zero if the bound is.
pub fn below(bound: u64) -> u64 {
    // The bias is far below what a test could tell.
    u64::from_be_bytes(world::random_array())
        .checked_rem(bound)
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_is_never_and_always_is_always() {
        for _ in 0..1000 {
            assert!(!percent(0));
            assert!(percent(100));
            assert_eq!(below(1), 0);
            assert!(below(5) < 5);
        }
        assert_eq!(below(0), 0);
    }
}
