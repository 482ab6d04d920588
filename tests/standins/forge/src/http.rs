//! As much HTTP/1.1 as git and REST clients need: one request a line.

use std::io::{self, BufRead, Read, Write};

/// Longest head of a request; git's are a few hundred bytes.
const MAX_HEAD_BYTES: u64 = 64 * 1024;

/// A push of a test is far smaller.
const MAX_BODY_BYTES: usize = 256 * 1024 * 1024;

#[derive(Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// A request for this address, without a line.
    pub(crate) fn get(target: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let (method, path, query) = ("GET".to_owned(), decoded(path), query.to_owned());
        Self { method, path, query, ..Self::default() }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Reads the head; the body is still on the line.
    pub(crate) fn read_head(line: &mut impl BufRead) -> io::Result<Self> {
        let mut head = line.take(MAX_HEAD_BYTES);
        let mut text = String::new();
        head.read_line(&mut text)?;
        let mut words = text.split_whitespace();
        let (Some(method), Some(target)) = (words.next(), words.next()) else {
            return Err(invalid("no request line"));
        };
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut request = Self {
            method: method.to_owned(),
            path: decoded(path),
            query: query.to_owned(),
            ..Self::default()
        };
        loop {
            let mut text = String::new();
            if head.read_line(&mut text)? == 0 {
                return Err(invalid("the head has no end"));
            }
            let Some((name, value)) = text.trim_end().split_once(':') else {
                return Ok(request);
            };
            request.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    /// Reads the body, at most `limit` bytes of it. `false` if there is more.
    pub(crate) fn read_body(&mut self, line: &mut impl BufRead, limit: Option<usize>) -> io::Result<bool> {
        let limit = limit.unwrap_or(MAX_BODY_BYTES);
        if self.header("transfer-encoding").is_some_and(|it| it.eq_ignore_ascii_case("chunked")) {
            loop {
                let size = chunk_size(line)?;
                self.take(line, size)?;
                let mut end = [0; 2];
                line.read_exact(&mut end)?;
                if size == 0 {
                    return Ok(true);
                }
                if self.body.len() > limit {
                    return Ok(false);
                }
            }
        }
        let length = self.header("content-length").and_then(|it| it.parse().ok()).unwrap_or(0_usize);
        self.take(line, length.min(limit))?;
        Ok(length <= limit)
    }

    fn take(&mut self, line: &mut impl BufRead, count: usize) -> io::Result<()> {
        let start = self.body.len();
        if start + count > MAX_BODY_BYTES {
            return Err(invalid("the body is too large"));
        }
        self.body.resize(start + count, 0);
        line.read_exact(&mut self.body[start..])
    }

    /// A value of the query, decoded.
    pub(crate) fn query(&self, name: &str) -> Option<String> {
        let pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| decoded(&value.replace('+', " ")))
    }
}

impl Answer {
    pub(crate) fn json(status: u16, body: &serde_json::Value) -> Self {
        let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        Self { status, headers, body: body.to_string().into_bytes() }
    }

    pub(crate) fn text(status: u16, body: impl Into<String>) -> Self {
        let headers = vec![("Content-Type".to_owned(), "text/plain".to_owned())];
        Self { status, headers, body: body.into().into_bytes() }
    }

    pub(crate) fn write(&self, line: &mut impl Write) -> io::Result<()> {
        self.write_start(line, self.body.len())
    }

    /// Writes the head, which promises the whole body, and the start of it.
    pub(crate) fn write_start(&self, line: &mut impl Write, bytes: usize) -> io::Result<()> {
        let mut head = format!("HTTP/1.1 {} Standin\r\nConnection: close\r\n", self.status);
        for (name, value) in &self.headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        head.extend(["Content-Length: ", &self.body.len().to_string(), "\r\n\r\n"]);
        line.write_all(head.as_bytes())?;
        line.write_all(&self.body[..bytes.min(self.body.len())])?;
        line.flush()
    }
}

fn chunk_size(line: &mut impl BufRead) -> io::Result<usize> {
    let mut text = String::new();
    line.take(MAX_HEAD_BYTES).read_line(&mut text)?;
    usize::from_str_radix(text.trim(), 16).map_err(|_| invalid("a chunk without a size"))
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn invalid(detail: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, detail)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(text: &str, limit: Option<usize>) -> (Request, bool) {
        let mut line = text.as_bytes();
        let mut request = Request::read_head(&mut line).unwrap();
        let whole = request.read_body(&mut line, limit).unwrap();
        (request, whole)
    }

    #[test]
    fn a_body_is_read_by_length_and_by_chunks() {
        let (request, _) = read("POST /a%20b?head=x%3Ay HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcd", None);
        assert_eq!((request.path.as_str(), request.body.as_slice()), ("/a b", b"abc".as_slice()));
        assert_eq!(request.query("head").as_deref(), Some("x:y"));
        let chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n";
        assert_eq!(read(chunked, None).0.body, b"abcd");
    }

    #[test]
    fn reading_stops_at_the_limit_and_says_that_there_is_more() {
        let text = "POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nabcd";
        assert!(read(text, Some(4)).1);
        assert!(!read(text, Some(3)).1);
    }
}
