//! The service as a process that is killed and started again on the same ground.

use std::time::Duration;

use countersign::merge_request::{MergeRequestRef, StatusCheckId};
use countersign::simulator::{CheckStatus, Gitlab};

use super::{BOUND, Ground, Process, metric};

pub struct Service {
    pub ground: Ground,
    pub gitlab: Gitlab,
    pub check: StatusCheckId,
    process: Option<Process>,
    url: String,
    http: reqwest::Client,
}

impl Service {
    pub async fn start(policy: &str) -> Self {
        Self::start_on(Ground::prepare(policy).await)
    }

    pub fn start_on(ground: Ground) -> Self {
        let process = Process::serve(&ground.environment());
        let url = process.url().to_owned();
        let check = ground.create_check(&url);
        let http = reqwest::Client::builder().no_proxy().timeout(BOUND).build().unwrap();
        Self { gitlab: ground.gitlab.clone(), ground, check, process: Some(process), url, http }
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Starts it again on the same database; GitLab's check follows it to its new port.
    pub fn start_again(&mut self) {
        let process = Process::serve(&self.ground.environment());
        process.url().clone_into(&mut self.url);
        self.process = Some(process);
        self.ground.move_check(self.check, &self.url);
    }

    /// SIGKILL. Gives what it printed.
    pub fn kill(&mut self) -> String {
        self.process.take().expect("the service runs").kill()
    }

    /// SIGTERM. Gives its exit code and what it printed.
    pub fn terminate(&mut self) -> (Option<i32>, String) {
        self.process.take().expect("the service runs").terminate()
    }

    /// The process itself, for whoever ends it in another way.
    pub fn take(&mut self) -> Process {
        self.process.take().expect("the service runs")
    }

    pub async fn get(&self, path: &str) -> Result<(u16, String), reqwest::Error> {
        let answer = self.http.get(format!("{}{path}", self.url)).send().await?;
        Ok((answer.status().as_u16(), answer.text().await?))
    }

    /// Waits until a metric has a value.
    pub async fn until_metric(&self, name: &str, value: f64) {
        let waiting = async {
            while metric(&self.get("/metrics").await.unwrap().1, name) < value {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        assert!(tokio::time::timeout(BOUND, waiting).await.is_ok(), "in vain: {name} is not {value}");
    }

    /// Waits until every delivery has arrived and nothing is left to decide.
    pub async fn settle(&self) {
        let settled = async {
            loop {
                self.gitlab.deliveries_settled().await.unwrap();
                let (_, metrics) = self.get("/metrics").await.unwrap();
                if metric(&metrics, "countersign_queue_length") == 0.0 {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let settled = tokio::time::timeout(BOUND, settled).await;
        assert!(settled.is_ok(), "it does not settle:\n{:#?}", self.gitlab.calls());
    }

    /// Settles and demands what GitLab shows.
    pub async fn expect(&self, merge_request: MergeRequestRef, status: CheckStatus, why: &str) {
        self.settle().await;
        assert_eq!(self.gitlab.status(merge_request, self.check), Ok(status), "{why}");
    }

    pub async fn end(mut self) {
        if let Some(process) = self.process.take() {
            assert_eq!(process.terminate().0, Some(0));
        }
        assert!(self.gitlab.unknown_calls().is_empty());
        self.ground.simulator.stop().await;
    }
}
