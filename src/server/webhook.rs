//! `POST /webhooks/gitlab`: authenticate, read the hint, put it on disk, answer. Nothing else happens here.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_LENGTH, RETRY_AFTER};
use actix_web::{HttpRequest, HttpResponse, web};

use crate::gitlab::webhook::{BodyError, Delivery, Subject, parse};
use crate::merge_request::{CheckName, StatusCheckId};
use crate::scope::{CheckAddress, ProjectScope};
use crate::store::{Event, Hint, Queue, Taken};
use crate::telemetry::{DeliveryOutcome, Metrics};

use super::authentication::{Kind, Secrets, Verification, Voucher, derived_secret_signs};
use super::body::{self, Body, BodyFault, Budget};
use super::connection;
use super::unsigned::Allowance;

/// What the intake needs.
pub struct Intake {
    /// Where deliveries go.
    pub queue: Queue,
    /// What they are verified with.
    pub secrets: Secrets,
    /// `gitlab.projects`.
    pub scope: Arc<ProjectScope>,
    /// `webhooks.allow_unsigned`.
    pub allow_unsigned: ProjectScope,
    /// Which URLs are ours.
    pub address: CheckAddress,
    /// Where outcomes are counted.
    pub metrics: Arc<Metrics>,
}

/// The state of the route, shared by all threads.
pub(super) struct Shared {
    pub(super) intake: Intake,
    pub(super) budget: Budget,
    pub(super) unsigned: Allowance,
}

/// What is answered, and what it is counted as.
struct Refusal {
    outcome: DeliveryOutcome,
    why: String,
}

fn refuse(outcome: DeliveryOutcome, why: impl Into<String>) -> Refusal {
    Refusal { outcome, why: why.into() }
}

/// Takes a delivery for the check that the URL names, or for the default one.
pub(super) async fn receive(
    request: HttpRequest,
    name: Option<web::Path<String>>,
    mut payload: web::Payload,
    shared: web::Data<Shared>,
) -> HttpResponse {
    let name = match name.map(|name| CheckName::parse(&name)).transpose() {
        Ok(name) => name.unwrap_or_default(),
        Err(error) => return HttpResponse::NotFound().body(format!("{error}\n")),
    };
    let outcome = take(&request, &name, &mut payload, &shared).await;
    let (outcome, why) = match outcome {
        Ok(taken) => taken,
        Err((kind, refusal)) => {
            shared.intake.metrics.count_delivery(refusal.outcome);
            if refusal.outcome == DeliveryOutcome::NotDurable {
                shared.intake.queue.note_turned_away();
            }
            tracing::warn!(outcome = refusal.outcome.as_str(), why = refusal.why, "delivery refused");
            if is_answered(kind, refusal.outcome) {
                body::discard(&mut payload).await;
            }
            return respond(&request, kind, refusal.outcome, &refusal.why);
        }
    };
    shared.intake.metrics.count_delivery(outcome);
    respond(&request, Some(Kind::Hook), outcome, why)
}

async fn take(
    request: &HttpRequest,
    name: &CheckName,
    payload: &mut web::Payload,
    shared: &Shared,
) -> Result<(DeliveryOutcome, &'static str), (Option<Kind>, Refusal)> {
    let intake = &shared.intake;
    let now = intake.queue.clock().now();
    let mut verification = Verification::begin(request.headers(), &intake.secrets, now.as_second())
        .map_err(|refused| (None, refuse(DeliveryOutcome::Unauthorized, refused.0)))?;
    let kind = verification.kind();
    let failed = |refusal| (Some(kind), refusal);
    if verification.is_unsigned() && !shared.unsigned.is_possible() {
        return Err(failed(refuse(DeliveryOutcome::Unauthorized, "no signature and no token")));
    }
    let announced =
        request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let body = body::read(payload, announced, &shared.budget, &mut verification)
        .await
        .map_err(|fault| failed(refuse(outcome_of(fault), why_of(fault))))?;
    let key = verification.idempotency_key().map(str::to_owned);
    let unsigned = verification.is_unsigned();
    let voucher =
        verification.finish().map_err(|refused| failed(refuse(DeliveryOutcome::Unauthorized, refused.0)))?;
    let delivery = admit(intake, shared, kind, &voucher, &body).map_err(failed)?;
    let destination = destination(intake, name, delivery).map_err(failed)?;
    let Some(destination) = destination else {
        return Ok((DeliveryOutcome::NotForUs, "this event wakes nothing"));
    };
    if destination.subject.project_path.as_ref().is_some_and(|path| !intake.scope.contains(path)) {
        return Ok((DeliveryOutcome::OutOfScope, "the project is outside of `gitlab.projects`"));
    }
    store(intake, destination, key, unsigned, &body).await.map_err(failed)
}

/// Reads the body, once it is known that it may be read: what nothing vouches for is refused before anything is made of
/// it, unless its project is on the list of those that can't sign.
fn admit(
    intake: &Intake,
    shared: &Shared,
    kind: Kind,
    voucher: &Voucher,
    body: &Body,
) -> Result<Delivery, Refusal> {
    let delivery = parse(&body.bytes);
    let unauthorized = |why: &str| refuse(DeliveryOutcome::Unauthorized, why);
    let is_admitted = match (voucher, &delivery) {
        (Voucher::Verified, _) => true,
        (Voucher::Derived { signature }, Ok(Delivery::StatusCheck { external_url, subject, .. })) => {
            let check = external_url.as_deref().and_then(|url| intake.address.name_of(url));
            intake.secrets.master.as_ref().zip(check).is_some_and(|(master, check)| {
                let project = subject.merge_request.project;
                derived_secret_signs(master, project, &check, &body.bytes, signature)
            })
        }
        (Voucher::Derived { .. }, _) => false,
        (Voucher::Unsigned, Ok(Delivery::StatusCheck { subject, .. })) => {
            let path = subject.project_path.as_deref();
            path.is_some_and(|path| intake.allow_unsigned.contains(path)) && shared.unsigned.admit()
        }
        (Voucher::Unsigned, _) => false,
    };
    if !is_admitted {
        return Err(unauthorized("nothing vouches for it"));
    }
    let delivery = delivery.map_err(|error| {
        let outcome = match error {
            BodyError::NotJson | BodyError::NoKind => DeliveryOutcome::Malformed,
            BodyError::NoSubject(_) => DeliveryOutcome::NoSubject,
        };
        refuse(outcome, error.to_string())
    })?;
    match (kind, &delivery) {
        (Kind::StatusCheck, Delivery::StatusCheck { .. }) | (Kind::Hook, _) => Ok(delivery),
        (Kind::StatusCheck, _) => Err(refuse(
            DeliveryOutcome::Malformed,
            "neither a status check (no `external_approval_rule`) nor a hook (no `X-Gitlab-Event`)",
        )),
    }
}

/// The lane that a delivery goes to, and what it says there.
struct Destination {
    subject: Subject,
    check: Option<StatusCheckId>,
    name: Option<CheckName>,
    event: Event,
}

impl Destination {
    fn of(subject: Subject, event: Event) -> Self {
        Self { subject, check: None, name: None, event }
    }
}

/// Where a delivery goes: to a lane, or nowhere.
fn destination(
    intake: &Intake,
    name: &CheckName,
    delivery: Delivery,
) -> Result<Option<Destination>, Refusal> {
    Ok(match delivery {
        Delivery::StatusCheck { check, external_url, subject } => {
            let configured = external_url.as_deref().and_then(|url| intake.address.name_of(url));
            if configured.as_ref().is_some_and(|configured| configured != name) {
                let why = "its URL in GitLab names another check than the address that it came to";
                return Err(refuse(DeliveryOutcome::Misdirected, why));
            }
            let asked = Destination::of(subject, Event::StatusCheck);
            Some(Destination { check: Some(check), name: configured, ..asked })
        }
        Delivery::MergeRequest(subject) => Some(Destination::of(subject, Event::MergeRequest)),
        Delivery::Companion(subject) => Some(Destination::of(subject, Event::Companion)),
        Delivery::Other { kind } => {
            tracing::debug!(kind, "an event that wakes nothing");
            None
        }
    })
}

async fn store(
    intake: &Intake,
    Destination { subject, check, name, event }: Destination,
    key: Option<String>,
    unsigned: bool,
    body: &Body,
) -> Result<(DeliveryOutcome, &'static str), Refusal> {
    let (project, iid) = (subject.merge_request.project, subject.merge_request.iid);
    let hint = Hint {
        merge_request: subject.merge_request,
        event,
        action: subject.action,
        status_check: check,
        check_name: name,
        sha: subject.sha,
        pusher: subject.pusher,
        distrust: subject.distrust,
        unsigned,
        digest: body.digest,
        idempotency_key: key,
    };
    let event = hint.event.as_str();
    match intake.queue.take(hint).await {
        Ok(Taken::New) => {
            tracing::debug!(%project, %iid, event, "delivery taken");
            Ok((DeliveryOutcome::Taken, "taken"))
        }
        Ok(Taken::Duplicate) => {
            tracing::debug!(%project, %iid, event, "delivery taken before");
            Ok((DeliveryOutcome::Duplicate, "taken before"))
        }
        Err(error) => {
            tracing::error!(%project, %iid, error = &error as &dyn std::error::Error, "delivery not durable");
            Err(refuse(DeliveryOutcome::NotDurable, "it could not be made durable"))
        }
    }
}

fn outcome_of(fault: BodyFault) -> DeliveryOutcome {
    match fault {
        BodyFault::TooLarge => DeliveryOutcome::TooLarge,
        BodyFault::TooSlow | BodyFault::Broken => DeliveryOutcome::CutOff,
        BodyFault::NoMemory => DeliveryOutcome::NotDurable,
    }
}

fn why_of(fault: BodyFault) -> &'static str {
    match fault {
        BodyFault::TooLarge => "the body is over 25 MiB",
        BodyFault::TooSlow => "the body took over 10 s",
        BodyFault::Broken => "the connection broke",
        BodyFault::NoMemory => "too many bodies at once",
    }
}

/// Whether the sender hears anything at all.
fn is_answered(kind: Option<Kind>, outcome: DeliveryOutcome) -> bool {
    match outcome {
        DeliveryOutcome::CutOff => false,
        DeliveryOutcome::NotDurable => kind == Some(Kind::Hook),
        _ => true,
    }
}

/// The answers of design section 3. Strangers learn nothing of why they were refused.
fn respond(request: &HttpRequest, kind: Option<Kind>, outcome: DeliveryOutcome, why: &str) -> HttpResponse {
    if !is_answered(kind, outcome) {
        return connection::close(request);
    }
    let answer = |status: StatusCode, why: &str| {
        let mut response = HttpResponse::build(status);
        if !status.is_success() {
            response.force_close();
        }
        response.json(serde_json::json!({ "message": why }))
    };
    match outcome {
        DeliveryOutcome::Taken | DeliveryOutcome::Duplicate => answer(StatusCode::ACCEPTED, why),
        // An event that names no merge request is GitLab's all the same: to refuse it would make GitLab disable the hook.
        DeliveryOutcome::NotForUs
        | DeliveryOutcome::NoSubject
        | DeliveryOutcome::OutOfScope
        | DeliveryOutcome::Misdirected => answer(StatusCode::OK, why),
        DeliveryOutcome::Malformed => answer(StatusCode::BAD_REQUEST, why),
        DeliveryOutcome::Unauthorized => {
            answer(StatusCode::UNAUTHORIZED, "signature or token wrong or missing")
        }
        DeliveryOutcome::TooLarge => answer(StatusCode::PAYLOAD_TOO_LARGE, why),
        DeliveryOutcome::NotDurable | DeliveryOutcome::CutOff => HttpResponse::ServiceUnavailable()
            .insert_header((RETRY_AFTER, "10"))
            .force_close()
            .json(serde_json::json!({ "message": why })),
    }
}
