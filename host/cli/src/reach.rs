//! Whether a server can be reached: a connection is opened and closed again. Nothing
//! is sent, so nothing on the server changes; above all no lease is renewed.

use std::time::Duration;

use hostler_daemon::engine::rights::Origin;
use tokio::net::TcpStream;

/// Longest wait for a connection: a server that needs more cannot be worked with.
pub const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// Opens a connection; an error is the reason why there is none.
pub async fn reach(origin: &Origin, limit: Duration) -> Result<(), String> {
    let place = format!("{}:{}", origin.host, origin.port);
    match tokio::time::timeout(limit, TcpStream::connect(place)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} seconds", limit.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    fn origin(port: u16) -> Origin {
        Origin { scheme: "http".to_owned(), host: "127.0.0.1".to_owned(), port }
    }

    #[tokio::test]
    async fn a_server_is_reached_without_a_byte_being_sent() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(async move {
            let mut heard = Vec::new();
            listener.accept().await.unwrap().0.read_to_end(&mut heard).await.unwrap();
            heard
        });
        assert_eq!(reach(&origin(port), CONNECT_LIMIT).await, Ok(()));
        assert_eq!(server.await.unwrap(), b"");
        let refused = reach(&origin(port), CONNECT_LIMIT).await.unwrap_err();
        assert!(refused.contains("refused"), "{refused}");
    }
}
