//! Addresses in a sequence that nobody outside chooses.

use std::sync::Arc;

use authority::ports::BoxFuture;

use crate::{
    attempt::Random,
    resolver::{Addresses, Answer, Resolver, ServiceHost},
};

/// Who controls a name's servers, or what lies between, must not choose which of several addresses is looked at (INCIDENTS
/// T17): the sequence of a DNS answer is theirs.
pub struct Shuffled {
    resolver: Arc<dyn Resolver>,
    random: Random,
}

impl Shuffled {
    pub fn new(resolver: Arc<dyn Resolver>, random: Random) -> Self {
        Self { resolver, random }
    }

    fn shuffle<T>(&self, answer: &mut Answer<T>) {
        let Ok(records) = &mut answer.records else { return };
        for last in (1..records.len()).rev() {
            let mut bytes = [0; 4];
            (self.random)(&mut bytes);
            // A name has few addresses: what the remainder favours cannot be noticed.
            let chosen = u32::from_le_bytes(bytes) as usize % (last + 1);
            records.swap(chosen, last);
        }
    }
}

impl Resolver for Shuffled {
    fn addresses<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Addresses> {
        Box::pin(async move {
            let mut addresses = self.resolver.addresses(host).await;
            self.shuffle(&mut addresses.v4);
            self.shuffle(&mut addresses.v6);
            addresses
        })
    }

    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Answer<Vec<u8>>> {
        self.resolver.txt(name)
    }

    fn caa<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Answer<Vec<u8>>> {
        self.resolver.caa(name)
    }

    fn srv<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Answer<ServiceHost>> {
        self.resolver.srv(name)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::HashSet,
        net::IpAddr,
        sync::atomic::{AtomicU32, Ordering},
    };

    use super::*;
    use crate::double::Dns;

    // T17
    #[tokio::test]
    async fn t17_which_of_several_addresses_comes_first_is_not_the_answer_s_to_say() {
        let given = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1", "2001:db8::2"];
        let drawn = AtomicU32::new(0);
        let random: Random = Arc::new(move |bytes: &mut [u8]| {
            let number = drawn.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9) >> 16;
            bytes.copy_from_slice(&number.to_le_bytes());
        });
        let shuffled = Shuffled::new(Arc::new(Dns::default().host("example.org", &given)), random);
        let mut first = HashSet::new();
        for _ in 0..100 {
            let addresses = shuffled.addresses("example.org").await;
            let (v4, v6) = (addresses.v4.records.unwrap(), addresses.v6.records.unwrap());
            first.extend([IpAddr::V4(v4[0]), IpAddr::V6(v6[0])]);
            let all = v4.into_iter().map(IpAddr::V4).chain(v6.into_iter().map(IpAddr::V6));
            assert_eq!(all.collect::<HashSet<_>>().len(), given.len(), "none is lost");
        }
        assert_eq!(first.len(), given.len(), "each came first: {first:?}");
    }
}
