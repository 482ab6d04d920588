//! Requests that could be read in two ways are not let out at all.

use crate::stage::{Server, Stage, allow};

#[tokio::test]
async fn what_could_be_read_in_two_ways_is_refused_and_reaches_nobody() {
    let server = Server::start().await;
    let to = server.at("127.0.0.1");
    for (what, request) in [
        ("two hosts", format!("GET http://{to}/ HTTP/1.1\r\nHost: {to}\r\nHost: {to}\r\n\r\n")),
        ("another host", format!("GET http://{to}/ HTTP/1.1\r\nHost: other.example\r\n\r\n")),
        ("a user name", format!("GET http://allowed.example@{to}/ HTTP/1.1\r\n\r\n")),
        ("a user name in a tunnel", format!("CONNECT me:pass@{to} HTTP/1.1\r\n\r\n")),
        ("no port", "CONNECT 127.0.0.1 HTTP/1.1\r\n\r\n".to_owned()),
        ("port 0", "CONNECT 127.0.0.1:0 HTTP/1.1\r\n\r\n".to_owned()),
        ("a port too high", "CONNECT 127.0.0.1:65536 HTTP/1.1\r\n\r\n".to_owned()),
        ("a whole address in a tunnel", format!("CONNECT http://{to}/ HTTP/1.1\r\n\r\n")),
        ("two targets", format!("CONNECT {to} 127.0.0.2:1 HTTP/1.1\r\n\r\n")),
        ("another scheme", format!("GET https://{to}/ HTTP/1.1\r\nHost: {to}\r\n\r\n")),
        ("no target", format!("GET / HTTP/1.1\r\nHost: {to}\r\n\r\n")),
        (
            "two lengths",
            format!("POST http://{to}/ HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
        ),
        (
            "an odd coding",
            format!("POST http://{to}/ HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
        ),
        ("a blank before a colon", format!("GET http://{to}/ HTTP/1.1\r\nHost : {to}\r\n\r\n")),
        ("a folded header", format!("GET http://{to}/ HTTP/1.1\r\nX: a\r\n b\r\n\r\n")),
        ("a bare return", format!("GET http://{to}/ HTTP/1.1\r\nX: a\rHost: b\r\n\r\n")),
        ("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned()),
        ("no HTTP", "\u{16}\u{3}\u{1}\r\n\r\n".to_owned()),
    ] {
        let stage = Stage::new(allow(&[to.clone(), server.at("other.example")], &[]));
        let answer = stage.ask(&request).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{what}: {answer}");
        assert!(server.untouched().await, "{what}");
    }
}

#[tokio::test]
async fn a_request_with_both_measures_of_its_length_reaches_the_server_with_one() {
    let server = Server::start().await;
    let to = server.at("127.0.0.1");
    let stage = Stage::new(allow(std::slice::from_ref(&to), &[]));
    let mut agent = stage.connect().await;
    let smuggled = "GET http://127.0.0.2/ HTTP/1.1\r\n\r\n";
    agent
        .say(&format!(
            "POST http://{to}/ HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}"
        ))
        .await;
    let mut far = server.accept().await;
    let head = far.until("\r\n\r\n").await.to_lowercase();
    assert_eq!((head.matches("content-length").count(), head.matches("transfer-encoding").count()), (0, 1));
    assert_eq!(far.hear(5).await, "0\r\n\r\n");
    far.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    agent.until("\r\n\r\n").await;
    assert_eq!(agent.rest().await, "", "what follows could be either, so it is not read");
    assert!(server.untouched().await);
}
