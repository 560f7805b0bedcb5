//! Who is connected, and for how many more there is room.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
};

/// How many connections at once.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    pub connections: usize,
    pub per_address: usize,
}

/// Who is connected.
#[derive(Default)]
pub struct Guests(Mutex<HashMap<IpAddr, usize>>);

pub struct Guest {
    guests: Arc<Guests>,
    address: IpAddr,
}

impl Guests {
    /// `None` where there is no room for it.
    pub fn admit(guests: &Arc<Self>, address: IpAddr, room: Room) -> Option<Guest> {
        let address = household(address);
        let mut there = guests.0.lock().unwrap_or_else(PoisonError::into_inner);
        let from_there = there.get(&address).copied().unwrap_or_default();
        if there.values().sum::<usize>() >= room.connections || from_there >= room.per_address {
            return None;
        }
        there.insert(address, from_there + 1);
        Some(Guest {
            guests: guests.clone(),
            address,
        })
    }
}

/// Whom an address counts for: of IPv6 one host has a whole /64.
fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
        v4 => v4,
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut there = self.guests.0.lock().unwrap_or_else(PoisonError::into_inner);
        match there.get_mut(&self.address) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                there.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: Room = Room {
        connections: 3,
        per_address: 2,
    };

    #[test]
    fn who_leaves_makes_room_for_another_of_the_same_address_and_all_addresses_share_what_there_is() {
        let guests = Arc::new(Guests::default());
        let admit = |last: u8| Guests::admit(&guests, IpAddr::from([192, 0, 2, last]), ROOM);
        let (first, _second) = (admit(1).unwrap(), admit(1).unwrap());
        assert!(admit(1).is_none());
        let _third = admit(2).unwrap();
        assert!(admit(3).is_none());
        drop(first);
        assert!(admit(1).is_some());
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_count_as_one_and_those_of_another_do_not() {
        let guests = Arc::new(Guests::default());
        let admit = |text: &str| Guests::admit(&guests, text.parse().unwrap(), ROOM);
        let _first = (admit("2001:db8::1").unwrap(), admit("2001:db8::2").unwrap());
        assert!(admit("2001:db8::ffff:0:0:3").is_none());
        assert!(admit("2001:db8:0:1::1").is_some());
    }
}
