//! What a person sees who opens the address that GitLab's widget shows.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY};

const PAGE: &str = include_str!("page.html");

/// A page for people: this address is GitLab's.
pub(super) async fn webhook() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(PAGE)
}
