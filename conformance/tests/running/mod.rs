//! Servers under test, as processes.

// Each test file is a crate of its own and uses its part.
#![allow(dead_code)]

use std::{
    collections::HashMap,
    fs,
    io::{BufRead, BufReader},
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use conformance::{Options, Report};

/// A process that runs until this is dropped.
pub struct Server {
    child: Child,
    lines: HashMap<String, String>,
}

impl Server {
    /// Starts it and waits until it has printed a line `word value` for each of these words.
    pub fn start(mut command: Command, words: &[&str]) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut lines = HashMap::new();
        while !words.iter().all(|word| lines.contains_key(*word)) {
            let mut line = String::new();
            let read = output.read_line(&mut line).unwrap();
            assert!(read > 0, "the server ended before it was ready");
            if let Some((word, value)) = line.trim().split_once(' ') {
                lines.entry(word.to_owned()).or_insert(value.to_owned());
            }
        }
        // What it prints later is read and thrown away, or it would wait for a reader.
        std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        Self { child, lines }
    }

    pub fn line(&self, word: &str) -> String {
        self.lines[word].clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nobody listened on a moment ago.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

pub async fn report(options: Options) -> Report {
    let report = conformance::run(options, &[]).await;
    report.unwrap_or_else(|verdict| panic!("{verdict}"))
}

/// Where the build puts things.
pub struct Target(PathBuf);

/// The test executable is in `<target>/<profile>/deps`.
pub fn workspace_target() -> Target {
    let executable = std::env::current_exe().unwrap();
    let profile = executable.parent().and_then(Path::parent).unwrap();
    Target(profile.to_owned())
}

impl Target {
    pub fn vidimus(&self) -> PathBuf {
        self.0.join("vidimus")
    }

    /// Where issued certificates go, to be looked at by the linters of the test command.
    pub fn issued(&self) -> PathBuf {
        let folder = self.0.parent().unwrap().join("issued");
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.0.parent().unwrap().join(name), text).unwrap();
    }
}
