//! The service as a process of its own, for what only a process can show: signals, output, system calls.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;

use super::BOUND;

/// A running `countersign serve`; killed when dropped.
pub struct Process {
    child: Child,
    url: String,
    output: Option<thread::JoinHandle<String>>,
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended already can't be killed, and need not be.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

impl Process {
    /// Starts the service and waits until it takes deliveries.
    pub fn serve(environment: &[(String, String)]) -> Self {
        Self::start(Command::new(env!("CARGO_BIN_EXE_countersign")), environment)
    }

    #[allow(dead_code, reason = "for tests that watch system calls")]
    /// Starts it under another program (`strace -o FILE …`).
    pub fn serve_under(program: &str, arguments: &[&str], environment: &[(String, String)]) -> Self {
        let mut command = Command::new(program);
        command.args(arguments).arg(env!("CARGO_BIN_EXE_countersign"));
        Self::start(command, environment)
    }

    fn start(mut command: Command, environment: &[(String, String)]) -> Self {
        let mut child = command
            .arg("serve")
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("COUNTERSIGN__LOG__FORMAT", "json")
            .env("COUNTERSIGN__LOG__LEVEL", "debug")
            .envs(environment.iter().cloned())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the service can be started");
        let mut stdout = child.stdout.take().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (tell, heard) = mpsc::channel();
        let output = thread::spawn(move || {
            let mut all = String::new();
            for line in stderr.lines().map_while(Result::ok) {
                if let Some(address) = address_in(&line) {
                    let _nobody_waits = tell.send(address);
                }
                all.push_str(&line);
                all.push('\n');
            }
            let _closed = stdout.read_to_string(&mut all);
            all
        });
        let Ok(address) = heard.recv_timeout(BOUND) else {
            let _dead = child.kill();
            panic!("the service did not start:\n{}", output.join().unwrap());
        };
        Self { child, url: format!("http://{address}"), output: Some(output) }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL: no farewell. Gives everything that it ever printed.
    pub fn kill(mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.printed()
    }

    fn printed(&mut self) -> String {
        self.output.take().unwrap().join().unwrap()
    }

    /// SIGTERM, then its exit code and everything that it ever printed.
    pub fn terminate(self) -> (Option<i32>, String) {
        signal("-TERM", self.child.id());
        self.wait()
    }

    /// Waits for its end.
    pub fn wait(mut self) -> (Option<i32>, String) {
        let status = self.child.wait().unwrap();
        (status.code(), self.printed())
    }
}

/// Sends a signal with the system's own program: no unsafe code, no further dependency.
pub fn signal(which: &str, process: u32) {
    let sent = Command::new("kill").args([which, &process.to_string()]).status().unwrap();
    assert!(sent.success());
}

fn address_in(line: &str) -> Option<String> {
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    let fields = line.get("fields")?;
    (fields.get("message")? == "taking deliveries").then(|| fields["address"].as_str().unwrap().to_owned())
}

/// Removes a database and everything beside it.
pub fn delete_database(path: &Path) {
    for suffix in ["", "-wal", "-shm", ".lock"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        let _absent = std::fs::remove_file(name);
    }
}
