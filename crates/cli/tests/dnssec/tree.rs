//! A small tree of signed zones from the root down, served by Debian's Knot on loopback.
//!
//! `secure.test` (NSEC) and `nsec3.test` are signed, and so are `a.ent.test` and `b.ent.test`, below a name that has
//! nothing; `unsigned.test` is an unsigned delegation, `wrong-ds.test` is signed by a key that its parent does not vouch
//! for, and `altered.test` was changed after it was signed. All TTLs are zero.

use std::{
    fs,
    io::Write,
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    path::Path,
    process::{Child, Command, Output, Stdio},
    thread::sleep,
    time::Duration,
};

pub struct Tree {
    folder: tempfile::TempDir,
    pub address: SocketAddr,
    server: Child,
}

#[derive(Clone, Copy, PartialEq)]
enum Signing {
    Nsec,
    Nsec3,
    /// Served as its file stands.
    Off,
}

const CHILDREN: &[(&str, Signing)] = &[
    ("secure.test", Signing::Nsec),
    ("nsec3.test", Signing::Nsec3),
    ("a.ent.test", Signing::Nsec),
    ("b.ent.test", Signing::Nsec),
    ("unsigned.test", Signing::Off),
    ("wrong-ds.test", Signing::Nsec),
    ("altered.test", Signing::Off),
];

/// All of them, the root first.
pub const ZONES: &[&str] = &[
    ".",
    "test",
    "secure.test",
    "nsec3.test",
    "a.ent.test",
    "b.ent.test",
    "unsigned.test",
    "wrong-ds.test",
    "altered.test",
];

impl Tree {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for below in ["run", "db", "zones"] {
            fs::create_dir(folder.path().join(below)).unwrap();
        }
        sign_and_alter(folder.path());
        let (address, server) = serve(folder.path(), |port| {
            let zones = [(".", Signing::Nsec), ("test", Signing::Nsec)]
                .into_iter()
                .chain(CHILDREN.iter().copied());
            let zones: Vec<_> = zones.collect();
            configure(folder.path(), port, &zones);
            // Keys before zones: a parent has its children's in it.
            let ds: String = CHILDREN
                .iter()
                .filter(|(zone, _)| *zone != "unsigned.test")
                .map(|(zone, _)| match *zone {
                    "wrong-ds.test" => of_no_key(&key_digest(folder.path(), zone)),
                    zone => key_digest(folder.path(), zone),
                })
                .collect();
            let cuts: String = CHILDREN
                .iter()
                .map(|(zone, _)| format!("{zone}. NS ns.test.\n"))
                .collect();
            write_zone(folder.path(), "test", &format!("ns A 127.0.0.1\n{cuts}{ds}"));
            let above = format!(
                "test. NS ns.test.\nns.test. A 127.0.0.1\n{}",
                key_digest(folder.path(), "test")
            );
            write_zone(folder.path(), ".", &above);
            key_digest(folder.path(), ".");
            for (zone, _) in CHILDREN.iter().filter(|(zone, _)| *zone != "altered.test") {
                write_zone(folder.path(), zone, RECORDS);
            }
        });
        Self {
            folder,
            address,
            server,
        }
    }

    /// The root's key, as a trust anchor.
    pub fn anchor(&self) -> String {
        key_digest(self.folder.path(), ".").replacen(" DS ", " 60 IN DS ", 1)
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Changes records as nsupdate does (RFC 2136), for example `add text.secure.test. 0 TXT "new"`.
    pub fn update(&self, zone: &str, changes: &[&str]) {
        let mut program = Command::new(program("knsupdate"))
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let (ip, port) = (self.address.ip(), self.address.port());
        let changes: String = changes.iter().map(|change| format!("update {change}\n")).collect();
        let script = format!("server {ip} {port}\nzone {zone}.\n{changes}send\n");
        program.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        assert!(program.wait().unwrap().success(), "{script}");
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// What stands in every zone at the bottom.
const RECORDS: &str = "\
@ A 127.0.0.1
@ CAA 0 issue \"dev.vidimus.test; validationmethods=dns-01\"
text TXT \"here\"
none A 127.0.0.1
alias CNAME text
alias-to-none CNAME none
*.wild CNAME none
old DNAME new
text.new TXT \"moved\"
to-unsigned CNAME text.unsigned.test.
to-signed CNAME text.secure.test.
to-ent CNAME text.b.ent.test.
to-wrong CNAME text.wrong-ds.test.
";

/// Makes `altered.test` as a server signs it, and changes one word of what was signed.
fn sign_and_alter(folder: &Path) {
    let zones = [("altered.test", Signing::Nsec)];
    let (address, mut server) = serve(folder, |port| {
        configure(folder, port, &zones);
        key_digest(folder, "altered.test");
        write_zone(folder, "altered.test", RECORDS);
    });
    let mut transfer = Command::new(program("kdig"));
    transfer.args([&format!("@{}", address.ip()), "-p", &address.port().to_string()]);
    let signed = run(transfer.args(["altered.test", "AXFR", "+noall", "+answer"]));
    let signed = String::from_utf8(signed.stdout).unwrap();
    assert!(signed.contains("RRSIG") && signed.contains("\"here\""), "{signed}");
    let _ = server.kill();
    server.wait().unwrap();
    let file = folder.join("zones/altered.test.zone");
    fs::write(file, signed.replace("\"here\"", "\"forged\"")).unwrap();
}

/// Starts a server on a free port. Somebody else may take it first: then on another.
fn serve(folder: &Path, prepare: impl Fn(u16)) -> (SocketAddr, Child) {
    for _ in 0..5 {
        let address = free_address();
        prepare(address.port());
        let log = fs::File::create(folder.join("knotd.log")).unwrap();
        let mut server = Command::new(program("knotd"))
            .arg("-c")
            .arg(folder.join("knot.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        for _ in 0..1500 {
            if server.try_wait().unwrap().is_some() {
                break;
            }
            if serves(folder, address) {
                return (address, server);
            }
            sleep(Duration::from_millis(20));
        }
        let _ = server.kill();
        let _ = server.wait();
    }
    panic!(
        "knotd does not serve: {}",
        fs::read_to_string(folder.join("knotd.log")).unwrap()
    );
}

/// Whether it listens and has loaded every zone of its configuration.
fn serves(folder: &Path, address: SocketAddr) -> bool {
    let config = fs::read_to_string(folder.join("knot.conf")).unwrap();
    let mut zones = config.lines().filter_map(|line| line.trim().strip_prefix("- domain: "));
    zones.all(|zone| answers(address, zone))
}

/// Whether a server knows the zone's SOA.
pub fn answers(address: SocketAddr, zone: &str) -> bool {
    if TcpStream::connect(address).is_err() {
        return false;
    }
    let mut query = Command::new(program("kdig"));
    query.args([&format!("@{}", address.ip()), "-p", &address.port().to_string()]);
    let answer = query.args([zone, "SOA", "+short"]).output().unwrap();
    String::from_utf8_lossy(&answer.stdout).contains("host.test.")
}

fn configure(folder: &Path, port: u16, zones: &[(&str, Signing)]) {
    let root = folder.display();
    let zones: String = zones
        .iter()
        .map(|(zone, signing)| {
            let signing = match signing {
                Signing::Nsec => "dnssec-policy: nsec",
                Signing::Nsec3 => "dnssec-policy: nsec3",
                Signing::Off => "dnssec-signing: off",
            };
            format!("  - domain: {zone}\n    file: {}\n    {signing}\n", file_of(zone))
        })
        .collect();
    let policy = |name: &str, nsec3: &str| {
        format!(
            "  - id: {name}\n    algorithm: ecdsap256sha256\n    manual: on\n    single-type-signing: on\n    nsec3: {nsec3}\n"
        )
    };
    let text = format!(
        "server:\n  rundir: {root}/run\n  listen: 127.0.0.1@{port}\n  udp-workers: 1\n  tcp-workers: 1\n  \
         background-workers: 1\ncontrol:\n  listen: {root}/run/knot.sock\ndatabase:\n  storage: {root}/db\nlog:\n  \
         - target: stderr\n    any: info\nacl:\n  - id: anybody\n    address: 127.0.0.1\n    action: [update, transfer]\n\
         policy:\n{}{}template:\n  - id: default\n    storage: {root}/zones\n    zonefile-sync: -1\n    \
         zonefile-load: whole\n    journal-content: none\n    semantic-checks: off\n    dnssec-signing: on\n    \
         acl: anybody\nzone:\n{zones}",
        policy("nsec", "off"),
        policy("nsec3", "on"),
    );
    fs::write(folder.join("knot.conf"), text).unwrap();
}

fn write_zone(folder: &Path, zone: &str, records: &str) {
    let origin = if zone == "." { String::new() } else { zone.to_owned() };
    let head = format!("$ORIGIN {origin}.\n$TTL 0\n@ SOA ns.test. host.test. 1 3600 600 86400 0\n@ NS ns.test.\n");
    fs::write(folder.join("zones").join(file_of(zone)), head + records).unwrap();
}

fn file_of(zone: &str) -> String {
    match zone {
        "." => "root.zone".to_owned(),
        zone => format!("{zone}.zone"),
    }
}

/// The DS record of a zone's key, which is made if there is none.
fn key_digest(folder: &Path, zone: &str) -> String {
    let keymgr = || {
        let mut keymgr = Command::new(program("keymgr"));
        keymgr.arg("-c").arg(folder.join("knot.conf")).arg(zone);
        keymgr
    };
    let digest = || {
        let listed = keymgr().arg("ds").output().unwrap();
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        // Algorithm 13 (ECDSA P-256), digest 2 (SHA-256).
        listed
            .lines()
            .find(|line| line.contains(" 13 2 "))
            .map(|line| format!("{line}\n"))
    };
    digest().unwrap_or_else(|| {
        run(keymgr().args(["generate", "algorithm=ECDSAP256SHA256", "ksk=yes", "zsk=yes"]));
        digest().expect("a key that was just made")
    })
}

/// The same DS record with zeros in place of the digest.
fn of_no_key(ds: &str) -> String {
    let (before, digest) = ds.trim_end().rsplit_once(' ').unwrap();
    format!("{before} {}\n", "0".repeat(digest.len()))
}

pub fn free_address() -> SocketAddr {
    loop {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = tcp.local_addr().unwrap();
        if UdpSocket::bind(address).is_ok() {
            return address;
        }
    }
}

fn run(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed: {told}");
    output
}

/// A program from Debian.
pub fn program(name: &str) -> String {
    let found = ["/usr/bin", "/usr/sbin"]
        .iter()
        .map(|folder| format!("{folder}/{name}"))
        .find(|path| Path::new(path).exists());
    found.unwrap_or_else(|| {
        panic!("{name} is not installed: cargo xtask test installs it (packages knot and knot-dnsutils)")
    })
}
