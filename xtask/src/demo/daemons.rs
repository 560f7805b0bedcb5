//! Daemons of a demo: where they live, how they are started, when they are there.

use std::{
    fs,
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use crate::{run::Outcome, target};

/// An empty folder that daemons can get to, who have users of their own.
pub fn site_folder(of: &str, folder: &Path) -> Outcome<PathBuf> {
    let site = std::env::temp_dir().join(format!("vidimus-{of}-{:x}", fingerprint(folder)));
    let _ = fs::remove_dir_all(&site);
    fs::create_dir_all(&site).map_err(|error| format!("{}: {error}", site.display()))?;
    Ok(site)
}

/// Differs between checkouts, which may run side by side.
fn fingerprint(path: &Path) -> u64 {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    (path, target()).hash(&mut hasher);
    hasher.finish()
}

/// Daemons keep what they inherit open, so they inherit nothing; what they said goes to a file.
pub fn quiet(command: &mut Command) -> Outcome {
    let log = std::env::temp_dir().join(format!("vidimus-demo-{}.log", std::process::id()));
    let said = fs::File::create(&log).and_then(|file| Ok((file.try_clone()?, file)));
    let (out, err) = said.map_err(|error| format!("{}: {error}", log.display()))?;
    let ended = command.stdin(Stdio::null()).stdout(out).stderr(err).status();
    let text = fs::read_to_string(&log).unwrap_or_default();
    let _ = fs::remove_file(&log);
    match ended {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!(
            "`{}` ended with {status}: {}",
            super::typed(command),
            text.trim_end()
        )),
        Err(error) => Err(format!("`{}` cannot be run: {error}", super::typed(command))),
    }
}

pub fn wait_for(address: &str) -> Outcome {
    let to: SocketAddr = address.parse().map_err(|error| format!("{address}: {error}"))?;
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        if TcpStream::connect_timeout(&to, STEP).is_ok() {
            return Ok(());
        }
        sleep(STEP);
    }
    Err(format!("nothing listens on {address}"))
}

const PATIENCE: Duration = Duration::from_secs(30);
const STEP: Duration = Duration::from_millis(50);
