//! What a process has used, as the kernel accounts it (proc(5)).

use std::{fs, io, iter::Sum, time::Duration};

/// CPU since the start of a process, user and system, and its memory now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub cpu: Duration,
    pub rss_kib: u64,
}

impl Usage {
    pub fn of(pid: u32) -> io::Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        Self::parse(&stat, &status).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "/proc is not Linux's"))
    }

    /// Of several processes together.
    pub fn of_all(pids: &[u32]) -> io::Result<Self> {
        pids.iter().map(|pid| Self::of(*pid)).sum()
    }

    fn parse(stat: &str, status: &str) -> Option<Self> {
        // The second field is the program's name in parentheses, which may contain anything.
        let (_, fields) = stat.rsplit_once(')')?;
        let mut times = fields.split_ascii_whitespace().skip(UTIME - FIRST_AFTER_NAME);
        let ticks = times.next()?.parse::<u64>().ok()? + times.next()?.parse::<u64>().ok()?;
        let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        Some(Self {
            cpu: Duration::from_millis(ticks * 1000 / USER_HZ),
            rss_kib: rss.trim().strip_suffix(" kB")?.parse().ok()?,
        })
    }
}

impl Sum for Usage {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            cpu: sum.cpu + one.cpu,
            rss_kib: sum.rss_kib + one.rss_kib,
        })
    }
}

/// Numbers of fields in proc(5)'s list.
const UTIME: usize = 14;
const FIRST_AFTER_NAME: usize = 3;
/// The unit of `utime` and `stime`: fixed at 100 for user space on every architecture that Rust knows on Linux.
const USER_HZ: u64 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_may_have_any_name() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 1 2 3 4 250 50 9 9 20 0 5 0 100 1000 10 184 1";
        let usage = Usage::parse(stat, "Name:\tx\nVmHWM:\t  99 kB\nVmRSS:\t    4096 kB\n").unwrap();
        assert_eq!(
            usage,
            Usage {
                cpu: Duration::from_secs(3),
                rss_kib: 4096
            }
        );
    }

    #[test]
    fn the_own_process_can_be_read() {
        assert!(Usage::of(std::process::id()).unwrap().rss_kib > 0);
        assert!(Usage::of_all(&[std::process::id(), u32::MAX]).is_err());
    }
}
