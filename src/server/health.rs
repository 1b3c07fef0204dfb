//! `/healthz`, `/readyz`, `/metrics`.

use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpResponse, web};

use crate::store::Store;
use crate::telemetry::Metrics;

/// How long a probe may take before the store counts as not writable.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// What the probes look at.
pub struct Vitals {
    /// The store.
    pub store: Arc<Store>,
    /// What is exported.
    pub metrics: Arc<Metrics>,
    /// Whether the policies on disk compile.
    pub policies_broken: Box<dyn Fn() -> bool + Send + Sync>,
}

/// Alive: the process answers.
pub(super) async fn live() -> HttpResponse {
    HttpResponse::Ok().body("alive\n")
}

/// Ready: a write reaches the disk. Policies are loaded before the server starts and never unloaded.
pub(super) async fn ready(vitals: web::Data<Vitals>) -> HttpResponse {
    match tokio::time::timeout(PROBE_TIMEOUT, vitals.store.probe()).await {
        Ok(Ok(())) => HttpResponse::Ok().body("ready\n"),
        Ok(Err(error)) => {
            tracing::error!(error = &error as &dyn std::error::Error, "not ready");
            HttpResponse::ServiceUnavailable().body("the store is not writable\n")
        }
        Err(_) => HttpResponse::ServiceUnavailable().body("the store does not answer\n"),
    }
}

/// The metrics, with the queue's depth as of now.
pub(super) async fn metrics(vitals: web::Data<Vitals>) -> HttpResponse {
    let metrics = &vitals.metrics;
    if let Ok(depth) = vitals.store.queue().depth().await {
        metrics.queue_length.set(i64::try_from(depth.length).unwrap_or(i64::MAX));
        let clock = vitals.store.clock();
        metrics.queue_oldest.set(depth.oldest.map_or(0.0, |oldest| clock.since(oldest).as_secs_f64()));
    }
    if let Ok(remaining) = vitals.store.queue().remaining_for_revision().await {
        metrics.revision_remaining.set(i64::try_from(remaining).unwrap_or(i64::MAX));
    }
    metrics.policies_broken.set(i64::from((vitals.policies_broken)()));
    HttpResponse::Ok()
        .content_type("application/openmetrics-text; version=1.0.0; charset=utf-8")
        .body(metrics.render())
}
