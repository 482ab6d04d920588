//! As much of D-Bus as one conversation with a service takes: a connection, calls and
//! their answers. It waits no longer than it is told.
//!
//! Written down here, since every crate for it brings dozens of others or switches on
//! features of ours.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// Largest message in bytes: a secret and its name are far below.
const MESSAGE_BYTES: usize = 1024 * 1024;

/// The bus as a service, and its interface.
const BUS_ITSELF: &str = "org.freedesktop.DBus";

/// Kinds of messages.
pub const CALL: u8 = 1;
pub const ANSWER: u8 = 2;
pub const ERROR: u8 = 3;
#[cfg(test)]
const SIGNAL: u8 = 4;

/// Fields of a head, by number.
const PATH: u8 = 1;
const INTERFACE: u8 = 2;
const MEMBER: u8 = 3;
const ERROR_NAME: u8 = 4;
const REPLY_SERIAL: u8 = 5;
const DESTINATION: u8 = 6;
#[cfg(test)]
const SENDER: u8 = 7;
const SIGNATURE: u8 = 8;

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// The connection does not work, or took too long.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The service answered with an error.
    #[error("{message}")]
    Refused {
        /// Such as `org.freedesktop.DBus.Error.ServiceUnknown`.
        name: String,
        /// In its own words.
        message: String,
    },
    /// Something that is no answer.
    #[error("it answers in a way that cannot be read")]
    Garbled,
}

/// One message.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// [`CALL`], [`ANSWER`] or [`ERROR`]; anything else is a signal.
    pub kind: u8,
    /// Counts from 1 on each connection.
    pub serial: u32,
    /// To which message this is the answer.
    pub reply_to: u32,
    /// Texts of the head by the number of their field.
    pub fields: Vec<(u8, String)>,
    /// Arguments.
    pub body: Vec<u8>,
}

impl Message {
    /// A call without arguments.
    pub fn call(destination: &str, path: &str, interface: &str, member: &str) -> Self {
        let fields = [(PATH, path), (INTERFACE, interface), (MEMBER, member), (DESTINATION, destination)];
        let fields = fields.map(|(number, text)| (number, text.to_owned()));
        Self { kind: CALL, fields: fields.into(), ..Self::default() }
    }

    /// With these arguments.
    pub fn with(mut self, signature: &str, body: Writer) -> Self {
        self.fields.push((SIGNATURE, signature.to_owned()));
        self.body = body.0;
        self
    }

    /// The answer to this message.
    #[cfg(test)]
    pub fn answer(&self) -> Self {
        let sender = self.text(SENDER).unwrap_or_default().to_owned();
        Self { kind: ANSWER, reply_to: self.serial, fields: vec![(DESTINATION, sender)], ..Self::default() }
    }

    /// A signal to everybody who waits for it.
    #[cfg(test)]
    pub fn signal(path: &str, interface: &str, member: &str) -> Self {
        let fields = [(PATH, path), (INTERFACE, interface), (MEMBER, member)];
        let fields = fields.map(|(number, text)| (number, text.to_owned()));
        Self { kind: SIGNAL, fields: fields.into(), ..Self::default() }
    }

    /// At which path what is called, or is told by a signal.
    pub fn called(&self) -> (&str, &str) {
        (self.text(PATH).unwrap_or_default(), self.text(MEMBER).unwrap_or_default())
    }

    fn text(&self, field: u8) -> Option<&str> {
        self.fields.iter().find(|(number, _)| *number == field).map(|(_, text)| text.as_str())
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.0.extend([b'l', self.kind, 0, 1]);
        out.number(u32::try_from(self.body.len()).unwrap_or(u32::MAX));
        out.number(self.serial);
        out.array(8, |out| {
            if self.reply_to > 0 {
                out.align(8);
                out.0.push(REPLY_SERIAL);
                out.signature("u");
                out.number(self.reply_to);
            }
            for (number, text) in &self.fields {
                out.align(8);
                out.0.push(*number);
                match *number {
                    PATH => out.variant("o", text),
                    SIGNATURE => {
                        out.signature("g");
                        out.signature(text);
                    }
                    _ => out.variant("s", text),
                }
            }
        });
        out.align(8);
        out.0.extend_from_slice(&self.body);
        out.0
    }

    fn read(stream: &mut impl Read) -> Result<Self, BusError> {
        let mut head = vec![0; 16];
        stream.read_exact(&mut head)?;
        let mut fixed = Reader::new(&head[4..]);
        let (body, serial, end) = (fixed.number()? as usize, fixed.number()?, fixed.number()? as usize);
        let fields = end.next_multiple_of(8);
        if head[0] != b'l' || body > MESSAGE_BYTES || fields > MESSAGE_BYTES {
            return Err(BusError::Garbled);
        }
        let mut rest = vec![0; fields + body];
        stream.read_exact(&mut rest)?;
        let mut message = Self { kind: head[1], serial, body: rest.split_off(fields), ..Self::default() };
        let mut reader = Reader::new(&rest[..end]);
        while !reader.is_empty() {
            reader.align(8)?;
            let number = reader.byte()?;
            match reader.signature()?.as_str() {
                "u" if number == REPLY_SERIAL => message.reply_to = reader.number()?,
                "u" => drop(reader.number()?),
                "g" => message.fields.push((number, reader.signature()?)),
                "s" | "o" => message.fields.push((number, reader.text()?)),
                _ => return Err(BusError::Garbled),
            }
        }
        Ok(message)
    }
}

/// A connection to a bus.
pub struct Bus {
    stream: BufReader<UnixStream>,
    serial: u32,
}

impl Bus {
    /// Connects to the first address of a list that answers, and says hello.
    pub fn connect(addresses: &str, patience: Duration) -> Result<Self, BusError> {
        let mut last = BusError::Io(io::ErrorKind::AddrNotAvailable.into());
        for address in addresses.split(';') {
            match Self::open(address, patience) {
                Ok(bus) => return Ok(bus),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn open(address: &str, patience: Duration) -> Result<Self, BusError> {
        let stream = super::bus_address::dial(address)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        let mut bus = Self { stream: BufReader::new(stream), serial: 0 };
        let user = rustix::process::getuid().as_raw().to_string();
        let user: String = user.bytes().map(|digit| format!("{digit:02x}")).collect::<Vec<_>>().concat();
        bus.stream.get_mut().write_all(format!("\0AUTH EXTERNAL {user}\r\n").as_bytes())?;
        let mut line = String::new();
        (&mut bus.stream).take(4096).read_line(&mut line)?;
        if !line.starts_with("OK ") {
            return Err(BusError::Garbled);
        }
        bus.stream.get_mut().write_all(b"BEGIN\r\n")?;
        bus.call(Message::call(BUS_ITSELF, "/org/freedesktop/DBus", BUS_ITSELF, "Hello"))?;
        Ok(bus)
    }

    /// Waits this long for each message from here on.
    pub fn set_patience(&self, patience: Duration) -> io::Result<()> {
        self.stream.get_ref().set_read_timeout(Some(patience))
    }

    /// Sends a message; gives its number.
    pub fn send(&mut self, mut message: Message) -> Result<u32, BusError> {
        self.serial += 1;
        message.serial = self.serial;
        self.stream.get_mut().write_all(&message.encode())?;
        Ok(self.serial)
    }

    /// The next message of any kind.
    pub fn receive(&mut self) -> Result<Message, BusError> {
        Message::read(&mut self.stream)
    }

    /// Calls, and gives the arguments of the answer.
    pub fn call(&mut self, message: Message) -> Result<Vec<u8>, BusError> {
        let serial = self.send(message)?;
        loop {
            let answer = self.receive()?;
            match answer.kind {
                ANSWER if answer.reply_to == serial => return Ok(answer.body),
                ERROR if answer.reply_to == serial => {
                    let name = answer.text(ERROR_NAME).unwrap_or_default().to_owned();
                    let message = Reader::new(&answer.body).text().unwrap_or_else(|_| name.clone());
                    return Err(BusError::Refused { name, message });
                }
                _ => {}
            }
        }
    }
}

/// Writes arguments, each at its boundary.
#[derive(Clone, Debug, Default)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// Fills up to a boundary.
    pub fn align(&mut self, boundary: usize) {
        self.0.resize(self.0.len().next_multiple_of(boundary), 0);
    }

    /// A `u`, or a `b`.
    pub fn number(&mut self, number: u32) {
        self.align(4);
        self.0.extend(number.to_le_bytes());
    }

    /// An `s` or an `o`.
    pub fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
        self.0.push(0);
    }

    /// An `ay`.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.number(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        self.0.extend_from_slice(bytes);
    }

    /// A `g`, short by its nature.
    pub fn signature(&mut self, signature: &str) {
        self.0.push(u8::try_from(signature.len()).unwrap_or(u8::MAX));
        self.0.extend_from_slice(signature.as_bytes());
        self.0.push(0);
    }

    /// A `v` that holds a text.
    pub fn variant(&mut self, signature: &str, text: &str) {
        self.signature(signature);
        self.text(text);
    }

    /// An `a` of things that begin at this boundary.
    pub fn array(&mut self, boundary: usize, fill: impl FnOnce(&mut Self)) {
        self.number(0);
        let length_at = self.0.len() - 4;
        self.align(boundary);
        let start = self.0.len();
        fill(self);
        let length = u32::try_from(self.0.len() - start).unwrap_or(u32::MAX);
        self.0[length_at..length_at + 4].copy_from_slice(&length.to_le_bytes());
    }
}

/// Reads arguments; what is not there is an error.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// From the beginning of a body.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Whether all of it was read.
    pub fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], BusError> {
        let end = self.at.checked_add(length).ok_or(BusError::Garbled)?;
        let taken = self.bytes.get(self.at..end).ok_or(BusError::Garbled)?;
        self.at = end;
        Ok(taken)
    }

    /// Skips to a boundary.
    pub fn align(&mut self, boundary: usize) -> Result<(), BusError> {
        self.take(self.at.next_multiple_of(boundary) - self.at).map(|_| ())
    }

    fn byte(&mut self) -> Result<u8, BusError> {
        Ok(self.take(1)?[0])
    }

    /// A `u`, or a `b`.
    pub fn number(&mut self) -> Result<u32, BusError> {
        self.align(4)?;
        let bytes = self.take(4)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    /// An `ay`.
    pub fn bytes(&mut self) -> Result<&'a [u8], BusError> {
        let length = self.number()? as usize;
        self.take(length)
    }

    /// An `s` or an `o`.
    pub fn text(&mut self) -> Result<String, BusError> {
        let text = self.bytes()?.to_vec();
        self.take(1)?;
        String::from_utf8(text).map_err(|_| BusError::Garbled)
    }

    /// A `g`.
    pub fn signature(&mut self) -> Result<String, BusError> {
        let length = usize::from(self.byte()?);
        let text = self.take(length)?.to_vec();
        self.take(1)?;
        String::from_utf8(text).map_err(|_| BusError::Garbled)
    }

    /// An `ao` or `as`.
    pub fn texts(&mut self) -> Result<Vec<String>, BusError> {
        let length = self.number()? as usize;
        let end = self.at + length;
        let mut texts = Vec::new();
        while self.at < end {
            texts.push(self.text()?);
        }
        Ok(texts)
    }
}
