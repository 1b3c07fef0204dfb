//! One keep-alive connection that sends prepared bytes. A client library would cost more than some of the servers.

use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;

use tokio::net::TcpStream;

/// A connection and what came over it last.
pub struct Wire {
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Wire {
    pub async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, answer: Vec::with_capacity(1024) })
    }

    /// Sends a request, reads the whole answer, gives its status.
    pub async fn exchange(&mut self, request: &[u8]) -> Result<u16> {
        self.send(request).await?;
        self.answer.clear();
        let mut piece = [0; 1024];
        loop {
            self.stream.readable().await?;
            match self.stream.try_read(&mut piece) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(length) => self.answer.extend_from_slice(&piece[..length]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error),
            }
            if let Some(status) = whole(&self.answer)? {
                return Ok(status);
            }
        }
    }

    async fn send(&self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            match self.stream.try_write(bytes) {
                Ok(length) => bytes = &bytes[length..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.stream.writable().await?,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// The status, once the answer is there to its end.
fn whole(answer: &[u8]) -> Result<Option<u16>> {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let strange = |what: &str| Error::new(ErrorKind::InvalidData, what.to_owned());
    let head = std::str::from_utf8(&answer[..end]).map_err(|_| strange("a head that is no text"))?;
    let status = head.get(9..12).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| strange("an answer without a status"))?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let length = length.ok_or_else(|| strange("an answer without `Content-Length`"))?;
    Ok((answer.len() >= end + 4 + length).then_some(status))
}
