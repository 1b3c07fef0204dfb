//! `POST /webhooks/gitlab`: authenticate, read the hint, put it on disk, answer. Nothing else happens here.

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_LENGTH, RETRY_AFTER};
use actix_web::{HttpRequest, HttpResponse, web};

use crate::gitlab::webhook::{BodyError, Delivery, parse};
use crate::merge_request::CheckName;
use crate::store::{Proof, Taken};
use crate::telemetry::DeliveryOutcome;

use super::authentication::{Kind, Verification, Voucher, derived_secret_signs};
use super::body::{self, Body, BodyFault, Budget};
use super::connection;
use super::destination::{self, Destination, NotTaken};
use super::intake::Intake;
use super::unsigned::Allowance;

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
    let destination = match destination::of(intake, name, delivery) {
        Ok(destination) => destination,
        Err(NotTaken::Misdirected) => {
            let why = "its URL in GitLab names another check than the address that it came to";
            return Err(failed(refuse(DeliveryOutcome::Misdirected, why)));
        }
        Err(NotTaken::OutOfScope) => {
            return Ok((DeliveryOutcome::OutOfScope, "the project is outside of `gitlab.projects`"));
        }
        Err(NotTaken::WakesNothing) => return Ok((DeliveryOutcome::NotForUs, "this event wakes nothing")),
    };
    let proof = Proof { digest: body.digest, idempotency_key: key };
    store(intake, destination, proof, unsigned).await.map_err(failed)
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

async fn store(
    intake: &Intake,
    destination: Destination,
    proof: Proof,
    unsigned: bool,
) -> Result<(DeliveryOutcome, &'static str), Refusal> {
    let told = destination.to_string();
    match destination.store(intake, proof, unsigned).await {
        Ok(Taken::New) => {
            tracing::debug!(delivery = told, "delivery taken");
            Ok((DeliveryOutcome::Taken, "taken"))
        }
        Ok(Taken::Duplicate) => {
            tracing::debug!(delivery = told, "delivery taken before");
            Ok((DeliveryOutcome::Duplicate, "taken before"))
        }
        Ok(Taken::Nobody) => {
            tracing::debug!(delivery = told, "an event that wakes nobody");
            Ok((DeliveryOutcome::NotForUs, "this event wakes nothing"))
        }
        Err(error) => {
            tracing::error!(
                delivery = told,
                error = &error as &dyn std::error::Error,
                "delivery not durable"
            );
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
