//! As much of HTTP/1.1 as one request and one reply on a connection need.
//! Written by hand because a test decides here where exactly a reply breaks off.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use serde_json::Value;

/// A prompt with every file of a small repository in it is far below this.
const LONGEST_BODY: u64 = 64 << 20;

/// A line of a request head, or of a chunk's size.
const LONGEST_LINE: u64 = 64 << 10;

/// A request as it stood on the wire.
#[derive(Debug)]
pub(super) struct Request {
    pub method: String,
    pub path: String,
    /// Names in lower case.
    pub headers: HashMap<String, String>,
    pub body: Vec<u8>,
}

/// Reads a request; `None` if the client closed without one.
pub(super) fn read_request(stream: &mut TcpStream) -> io::Result<Option<Request>> {
    let mut reader = BufReader::new(stream);
    let first = read_line(&mut reader)?;
    let mut words = first.split(' ');
    let (Some(method), Some(path)) = (words.next(), words.next()) else {
        return Ok(None);
    };
    let mut headers = HashMap::new();
    loop {
        let line = read_line(&mut reader)?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let header = |name: &str| headers.get(name).map_or("", String::as_str);
    if header("expect").eq_ignore_ascii_case("100-continue") {
        reader.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let body = if header("transfer-encoding").eq_ignore_ascii_case("chunked") {
        read_chunks(&mut reader)?
    } else {
        read_exactly(&mut reader, header("content-length").parse().unwrap_or(0))?
    };
    Ok(Some(Request { method: method.to_owned(), path: path.to_owned(), headers, body }))
}

fn read_line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    reader.take(LONGEST_LINE).read_line(&mut line)?;
    line.truncate(line.trim_end().len());
    Ok(line)
}

fn read_chunks(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = read_line(reader)?;
        let size = line.split(';').next().unwrap_or_default();
        let size = u64::from_str_radix(size, 16).map_err(io::Error::other)?;
        let chunk = read_exactly(reader, size)?;
        if chunk.is_empty() {
            while !read_line(reader)?.is_empty() {}
            return Ok(body);
        }
        body.extend(chunk);
        read_line(reader)?;
    }
}

fn read_exactly(reader: &mut impl BufRead, size: u64) -> io::Result<Vec<u8>> {
    if size > LONGEST_BODY {
        return Err(io::Error::other(format!("a body of {size} bytes is too long")));
    }
    let mut bytes = Vec::new();
    reader.take(size).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Answers with JSON.
pub(super) fn reply_json(
    out: &mut impl Write,
    status: u16,
    headers: &[(&str, String)],
    body: &Value,
) -> io::Result<()> {
    let body = body.to_string();
    let head = head(status, "application/json", headers);
    let length = body.len();
    out.write_all(format!("{head}content-length: {length}\r\n\r\n{body}").as_bytes())?;
    out.flush()
}

/// Begins an event stream, which ends with the connection.
pub(super) fn begin_events(out: &mut impl Write) -> io::Result<()> {
    let head = head(200, "text/event-stream", &[]) + "\r\n";
    out.write_all(head.as_bytes())
}

/// Sends one event, named after its `type`.
pub(super) fn send_event(out: &mut impl Write, event: &Value) -> io::Result<()> {
    let name = event["type"].as_str().unwrap_or_default();
    out.write_all(format!("event: {name}\ndata: {event}\n\n").as_bytes())?;
    out.flush()
}

fn head(status: u16, content: &str, headers: &[(&str, String)]) -> String {
    let first = format!("HTTP/1.1 {status} Reply\r\ncontent-type: {content}\r\nconnection: close\r\n");
    headers.iter().fold(first, |head, (name, value)| format!("{head}{name}: {value}\r\n"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_chunked_body_is_put_together() {
        let wire = "4\r\nWiki\r\n5;x=y\r\npedia\r\n0\r\n\r\nrest";
        let mut reader = io::Cursor::new(wire);
        assert_eq!(read_chunks(&mut reader).unwrap(), b"Wikipedia");
    }

    #[test]
    fn a_body_of_the_longest_length_is_read_and_one_byte_more_is_not() {
        assert!(read_exactly(&mut io::empty(), LONGEST_BODY).is_ok());
        assert!(read_exactly(&mut io::empty(), LONGEST_BODY + 1).is_err());
    }
}
