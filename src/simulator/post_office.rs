//! Sends what the world has to say, each delivery as a task of its own, and keeps a log of all of them.
//!
//! Like GitLab it promises no order and looks at no answer. A status check is sent again only when nothing
//! answered at all; a hook is never sent again. Loss, duplicates and disorder can be asked for, from a seed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use actix_web::web::Bytes;
use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::digest;
use super::envelope::{Envelope, Recipient};
use crate::clock::Clock;

/// How badly the network treats deliveries; each figure is a probability from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Weather {
    /// Lost on the way, without a second try.
    pub drop: f64,
    /// Sent twice.
    pub duplicate: f64,
    /// Kept back for a while, so that later ones overtake it.
    pub reorder: f64,
}

/// What became of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryState {
    /// Kept back until `Gitlab::release_deliveries`.
    Held,
    /// On its way.
    UnderWay,
    /// Lost by the weather.
    Dropped,
    /// Answered with this status.
    Answered(u16),
    /// Nothing answered, and GitLab gave up.
    Failed(String),
}

/// A delivery in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// To whom.
    pub recipient: Recipient,
    /// `X-Gitlab-Event` of a hook, `status check` otherwise.
    pub event: &'static str,
    /// `object_attributes.action`.
    pub action: Option<String>,
    /// Where to.
    pub url: String,
    /// With which headers.
    pub headers: Vec<(String, String)>,
    /// The bytes that were signed.
    pub body: Bytes,
    /// What became of it.
    pub state: DeliveryState,
    /// How often it was sent.
    pub attempts: u32,
    /// When the event happened.
    pub at: Timestamp,
    /// How long the last try took.
    pub took: Duration,
}

impl Delivery {
    /// A header, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The body as JSON; null if it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

#[derive(Debug)]
struct State {
    weather: Weather,
    /// Whether addresses of the local network are not called.
    shuns_local_network: bool,
    random: fastrand::Rng,
    holding: bool,
    held: Vec<(usize, Envelope)>,
    log: Vec<Delivery>,
    /// What was posted, unsigned: the same index as in the log.
    posted: Vec<Envelope>,
}

/// The sender.
#[derive(Debug)]
pub(super) struct PostOffice {
    state: Mutex<State>,
    under_way: watch::Sender<usize>,
    client: reqwest::Client,
    runtime: Handle,
    clock: Clock,
    retry_delay: Duration,
}

/// How long a delivery is kept back when the weather reorders.
const REORDER_DELAY: Duration = Duration::from_millis(60);

impl PostOffice {
    /// A sender whose tasks run on this runtime.
    pub(super) fn new(
        client: reqwest::Client,
        clock: Clock,
        seed: u64,
        retry_delay: Duration,
        runtime: Handle,
    ) -> Self {
        let random = fastrand::Rng::with_seed(seed);
        let state = State {
            weather: Weather::default(),
            shuns_local_network: false,
            random,
            holding: false,
            held: Vec::new(),
            log: Vec::new(),
            posted: Vec::new(),
        };
        let under_way = watch::Sender::new(0);
        Self { state: Mutex::new(state), under_way, client, runtime, clock, retry_delay }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on the weather is this.
    pub(super) fn set_weather(&self, weather: Weather) {
        self.state().weather = weather;
    }

    /// From now on addresses of the local network are called, or not.
    pub(super) fn shun_local_network(&self, shuns: bool) {
        self.state().shuns_local_network = shuns;
    }

    /// Keeps back what comes from now on.
    pub(super) fn hold(&self) {
        self.state().holding = true;
    }

    /// Sends what was kept back, in the order in which it happened, and keeps nothing back any more.
    pub(super) fn release(self: &Arc<Self>) {
        let held = {
            let mut state = self.state();
            state.holding = false;
            std::mem::take(&mut state.held)
        };
        for (index, envelope) in held {
            self.send(index, envelope);
        }
    }

    /// The log, in the order in which things happened.
    pub(super) fn log(&self) -> Vec<Delivery> {
        self.state().log.clone()
    }

    /// How many deliveries in a row somebody failed to take by now, and when the last of them was told; none if it took the
    /// last one.
    pub(super) fn failures(&self, recipient: Recipient) -> Option<(u32, Timestamp)> {
        let state = self.state();
        let ended = state.log.iter().rev().filter(|delivery| delivery.recipient == recipient);
        let failed = ended
            .filter_map(|delivery| match delivery.state {
                DeliveryState::Answered(status) => Some((status >= 400, delivery.at)),
                DeliveryState::Failed(_) => Some((true, delivery.at)),
                DeliveryState::Held | DeliveryState::UnderWay | DeliveryState::Dropped => None,
            })
            .take_while(|(failed, _)| *failed);
        failed.fold(None, |counted, (_, at)| match counted {
            Some((count, last)) => Some((count + 1, last)),
            None => Some((1, at)),
        })
    }

    /// Sends a delivery of the log again, as a new one with the same body and key.
    pub(super) fn resend(self: &Arc<Self>, index: usize) -> bool {
        let again = {
            let mut state = self.state();
            let Some(mut envelope) = state.posted.get(index).cloned() else { return false };
            // GitLab: this one is made anew for each request, and says nothing.
            let name = "X-Gitlab-Webhook-UUID";
            for (_, value) in envelope.headers.iter_mut().filter(|(header, _)| *header == name) {
                *value = digest::uuid(&mut state.random);
            }
            envelope
        };
        self.post(again);
        true
    }

    /// How many are under way.
    pub(super) fn under_way(&self) -> watch::Receiver<usize> {
        self.under_way.subscribe()
    }

    /// Takes an envelope.
    pub(super) fn post(self: &Arc<Self>, envelope: Envelope) {
        let index = {
            let mut state = self.state();
            let index = state.log.len();
            let holding = state.holding;
            state.log.push(self.logged(&envelope, holding));
            state.posted.push(envelope.clone());
            if holding {
                state.held.push((index, envelope));
                return;
            }
            index
        };
        self.send(index, envelope);
    }

    fn logged(&self, envelope: &Envelope, holding: bool) -> Delivery {
        let headers = envelope.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        Delivery {
            recipient: envelope.recipient,
            event: envelope.event,
            action: envelope.action.clone(),
            url: envelope.url.clone(),
            headers: headers.collect(),
            body: envelope.body.clone(),
            state: if holding { DeliveryState::Held } else { DeliveryState::UnderWay },
            attempts: 0,
            at: self.clock.now(),
            took: Duration::ZERO,
        }
    }

    fn send(self: &Arc<Self>, index: usize, mut envelope: Envelope) {
        self.sign(&mut envelope);
        let (copies, delay) = {
            let mut state = self.state();
            let weather = state.weather;
            let dropped = state.random.f64() < weather.drop;
            let doubled = state.random.f64() < weather.duplicate;
            let late = state.random.f64() < weather.reorder;
            if let Some(delivery) = state.log.get_mut(index) {
                delivery.headers = envelope
                    .headers
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), value.clone()))
                    .collect();
                delivery.state = if dropped { DeliveryState::Dropped } else { DeliveryState::UnderWay };
            }
            let copies = if dropped { 0 } else { 1 + usize::from(doubled) };
            (copies, if late { REORDER_DELAY } else { Duration::ZERO })
        };
        for _ in 0..copies {
            self.under_way.send_modify(|count| *count += 1);
            let (office, envelope) = (Arc::clone(self), envelope.clone());
            self.runtime.spawn(async move {
                tokio::time::sleep(delay).await;
                office.carry(index, &envelope).await;
                office.under_way.send_modify(|count| *count = count.saturating_sub(1));
            });
        }
    }

    /// `webhook-timestamp` is the moment of sending, so signing waits until then.
    fn sign(&self, envelope: &mut Envelope) {
        let Some((id, token)) = envelope.standard_webhook.take() else { return };
        let timestamp = self.clock.now().as_second();
        let signature =
            token.and_then(|token| digest::webhook_signature(&token, &id, timestamp, &envelope.body));
        envelope.headers.push(("webhook-id", id));
        envelope.headers.push(("webhook-timestamp", timestamp.to_string()));
        envelope.headers.extend(signature.map(|signature| ("webhook-signature", signature)));
    }

    /// Whether GitLab does not call an address, since it is one of the local network. Nobody is told, and nothing repeated.
    fn shuns(&self, url: &str) -> bool {
        let host = url::Url::parse(url).ok().and_then(|url| url.host().map(|host| host.to_owned()));
        let local = match host {
            Some(url::Host::Ipv4(address)) => address.is_loopback() || address.is_private(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            Some(url::Host::Domain(name)) => name == "localhost",
            None => false,
        };
        local && self.state().shuns_local_network
    }

    async fn carry(&self, index: usize, envelope: &Envelope) {
        if self.shuns(&envelope.url) {
            if let Some(delivery) = self.state().log.get_mut(index) {
                delivery.state = DeliveryState::Failed("URL is blocked".to_owned());
            }
            return;
        }
        for attempt in 0..=envelope.retries {
            if attempt > 0 {
                tokio::time::sleep(self.retry_delay).await;
            }
            let begun = Instant::now();
            let mut request = self.client.post(&envelope.url).timeout(envelope.timeout);
            for (name, value) in &envelope.headers {
                request = request.header(*name, value);
            }
            // GitLab: the total time includes the body of the answer, which is read and thrown away.
            let answer = match request.body(envelope.body.clone()).send().await {
                Ok(answer) => {
                    let status = answer.status().as_u16();
                    answer.bytes().await.map(|_| status)
                }
                Err(error) => Err(error),
            };
            let state = match answer {
                Ok(status) => DeliveryState::Answered(status),
                Err(error) => DeliveryState::Failed(error.to_string()),
            };
            let answered = matches!(state, DeliveryState::Answered(_));
            if let Some(delivery) = self.state().log.get_mut(index) {
                delivery.attempts = delivery.attempts.saturating_add(1);
                delivery.took = begun.elapsed();
                let last = answered || attempt == envelope.retries;
                delivery.state = if last { state } else { DeliveryState::UnderWay };
            }
            if answered {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of a delivery to somebody who takes calls and says nothing.
    async fn unanswered(retries: u32) -> Delivery {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let envelope = Envelope {
            recipient: Recipient::Hook(1),
            event: "Merge Request Hook",
            action: None,
            url: format!("http://{}/", silent.local_addr().unwrap()),
            headers: Vec::new(),
            body: Bytes::new(),
            standard_webhook: None,
            timeout: Duration::from_millis(50),
            retries,
        };
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let office = PostOffice::new(client, Clock::default(), 1, Duration::ZERO, Handle::current());
        let office = Arc::new(office);
        office.post(envelope);
        let mut under_way = office.under_way();
        let settled = under_way.wait_for(|count| *count == 0);
        tokio::time::timeout(Duration::from_secs(20), settled).await.unwrap().unwrap();
        office.log().pop().unwrap()
    }

    #[tokio::test]
    async fn who_does_not_answer_in_time_is_given_up_and_a_hook_is_not_sent_again() {
        for (retries, attempts) in [(0, 1), (3, 4)] {
            let sent = unanswered(retries).await;
            assert!(matches!(sent.state, DeliveryState::Failed(_)), "{:?}", sent.state);
            assert_eq!(sent.attempts, attempts);
            assert!(sent.took >= Duration::from_millis(50), "{:?}", sent.took);
        }
    }
}
