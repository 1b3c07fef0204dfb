//! Closing a connection without an answer.
//!
//! GitLab ignores what a status check's receiver answers and repeats a delivery only after a transport error (contract
//! section 3.1). So what could not be made durable must get no answer at all: any status code would lose it.

use std::any::Any;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;

use actix_web::dev::Extensions;
use actix_web::{HttpRequest, HttpResponse};

/// A second handle on the connection's socket.
struct Socket(TcpStream);

/// Keeps a handle on each new connection.
pub(super) fn remember(connection: &dyn Any, extensions: &mut Extensions) {
    if let Some(stream) = connection.downcast_ref::<actix_web::rt::net::TcpStream>()
        && let Ok(handle) = stream.as_fd().try_clone_to_owned()
    {
        extensions.insert(Socket(TcpStream::from(handle)));
    }
}

/// Ends the connection; the response is never seen by anybody.
pub(super) fn close(request: &HttpRequest) -> HttpResponse {
    if let Some(socket) = request.conn_data::<Socket>() {
        // It may be closed already, which is as good.
        let _closed = socket.0.shutdown(Shutdown::Both);
    }
    HttpResponse::ServiceUnavailable().force_close().finish()
}
