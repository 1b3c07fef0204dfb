//! From the start of the process to its first `200` on `/readyz`, and its memory at rest.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::stage::conditions;
use crate::stage::figures::Durations;
use crate::stage::product::{POLICIES, Setup};
use crate::stage::wire::Wire;

/// How long a start may take.
const BOUND: Duration = Duration::from_secs(30);
/// How often it is tried to reach it.
const LOOK: Duration = Duration::from_micros(500);

pub async fn run(gitlab: &str, times: usize, rest: Duration) {
    let (mut fresh, mut again) = (Durations::default(), Durations::default());
    for _ in 0..times {
        let folder = conditions::folder();
        fresh.push(once(gitlab, folder.path()).await);
        again.push(once(gitlab, folder.path()).await);
    }
    println!("\nstart to ready, {times} times, with the policies of this repository");
    for (what, durations) in [("a new database", fresh), ("a database that is there", again)] {
        println!(
            "  {what}: median {:.0} ms, at most {:.0} ms",
            durations.percentile(0.5),
            durations.percentile(1.0)
        );
    }
    let folder = conditions::folder();
    let listen = "127.0.0.1:0";
    let policies = Path::new(POLICIES);
    let setup = Setup { folder: folder.path(), gitlab, token: "glpat-of-nobody", policies, listen };
    let product = setup.start();
    ready(product.address()).await;
    tokio::time::sleep(rest).await;
    println!("memory {rest:?} after ready, nothing asked of it: {:.1} MB", product.resident());
    product.terminate();
}

/// One start, timed, and its end.
async fn once(gitlab: &str, folder: &Path) -> Duration {
    let address = free_address();
    let listen = address.to_string();
    let policies = Path::new(POLICIES);
    let mut command = Setup { folder, gitlab, token: "glpat-of-nobody", policies, listen: &listen }.command();
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let begun = Instant::now();
    let child = Killed(command.spawn().expect("the product can be started"));
    ready(address).await;
    let took = begun.elapsed();
    drop(child);
    took
}

/// Waits for `200` on `/readyz`.
pub async fn ready(address: SocketAddr) {
    let asking = async {
        loop {
            if let Ok(mut wire) = Wire::open(address).await
                && let Ok(200) =
                    wire.exchange(b"GET /readyz HTTP/1.1\r\nHost: gate.example.com\r\n\r\n").await
            {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(BOUND, asking).await.expect("it becomes ready");
}

/// A port that was free a moment ago.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port is found");
    listener.local_addr().expect("it is bound")
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // One that has ended already can't be killed, and need not be.
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}
