//! A server as a process of its own. What it prints goes to a file: a pipe would have to be read while it is measured.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long a server may take to begin or to end.
const BOUND: Duration = Duration::from_secs(30);
/// What every server says, with its address behind it, when it listens.
pub const LISTENING: &str = "taking deliveries";
/// The kernel counts CPU time in these (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);

/// A running server; killed when dropped.
pub struct Process {
    child: Child,
    address: SocketAddr,
    log: PathBuf,
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended already can't be killed, and need not be.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

impl Process {
    /// Starts a server and waits until it says where it listens.
    pub fn start(mut command: Command, log: &Path) -> Self {
        let file = File::create(log).expect("the log can be created");
        let twin = file.try_clone().expect("the log can be written from two sides");
        let child = command.stdin(Stdio::null()).stdout(file).stderr(twin).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{command:?} can't be started: {error}"));
        let started = Instant::now();
        loop {
            let text = fs::read_to_string(log).unwrap_or_default();
            if let Some(address) = address_in(&text) {
                return Self { child, address, log: log.to_owned() };
            }
            let ended = child.try_wait().ok().flatten();
            assert!(
                ended.is_none() && started.elapsed() < BOUND,
                "{command:?} does not take deliveries ({ended:?}):\n{text}"
            );
            thread::park_timeout(Duration::from_millis(2));
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it printed so far.
    pub fn printed(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// SIGKILL: no farewell. What it promised must be on disk all the same.
    pub fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it can be waited for");
    }

    /// SIGTERM by the system's own program, then its end.
    pub fn terminate(mut self) {
        let told = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status();
        assert!(told.is_ok_and(|status| status.success()), "it can't be told to end");
        let ended = self.child.wait().expect("it can be waited for");
        assert!(ended.success(), "it ended badly ({ended}):\n{}", self.printed());
    }

    /// The CPU time that it has used.
    pub fn cpu(&self) -> Duration {
        cpu_of(&self.child.id().to_string())
    }

    /// Resident memory now, in MB (`VmRSS`).
    pub fn resident(&self) -> f64 {
        self.status("VmRSS:")
    }

    /// Resident memory at its highest, in MB (`VmHWM`).
    pub fn peak(&self) -> f64 {
        self.status("VmHWM:")
    }

    fn status(&self, key: &str) -> f64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let line = status.lines().find_map(|line| line.strip_prefix(key)).expect("Linux tells");
        let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number of kB");
        kibibytes * 1024.0 / 1e6
    }
}

/// The CPU time that this process, the generator, has used.
pub fn own_cpu() -> Duration {
    cpu_of("self")
}

fn cpu_of(process: &str) -> Duration {
    let path = format!("/proc/{process}/stat");
    let stat = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    // The name in brackets may hold spaces; utime and stime are the 12th and 13th field behind it.
    let fields = stat.rsplit_once(')').expect("a name in brackets").1.split_whitespace();
    let ticks: u32 = fields.skip(11).take(2).map(|field| field.parse::<u32>().expect("ticks")).sum();
    TICK * ticks
}

fn address_in(text: &str) -> Option<SocketAddr> {
    let line = text.lines().find(|line| line.contains(LISTENING))?;
    let start = line.find("127.0.0.1:")?;
    let address: String =
        line[start..].chars().take_while(|c| c.is_ascii_digit() || ".:".contains(*c)).collect();
    address.parse().ok()
}
