//! Addresses of buses: `unix:path=/run/user/1000/bus`, `unix:abstract=/tmp/dbus-x,guid=…`.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};

/// Connects to one address; only sockets of this machine are known.
pub fn dial(address: &str) -> io::Result<UnixStream> {
    let unknown = || io::Error::from(io::ErrorKind::Unsupported);
    let pairs = address.strip_prefix("unix:").ok_or_else(unknown)?;
    for pair in pairs.split(',') {
        match pair.split_once('=') {
            Some(("path", path)) => return UnixStream::connect(unescaped(path)),
            Some(("abstract", name)) => {
                return UnixStream::connect_addr(&SocketAddr::from_abstract_name(unescaped(name))?);
            }
            _ => {}
        }
    }
    Err(unknown())
}

/// `%20` is a blank.
fn unescaped(text: &str) -> String {
    let mut pieces = text.split('%');
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let byte = piece.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte {
            Some(byte) => {
                plain.push(char::from(byte));
                plain.push_str(&piece[2..]);
            }
            None => plain.push_str(piece),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_socket_is_found_by_its_path_and_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a bus");
        let _by_path = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let escaped = path.display().to_string().replace(' ', "%20");
        dial(&format!("unix:guid=12,path={escaped}")).unwrap();
        let name = path.display().to_string();
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let _by_name = std::os::unix::net::UnixListener::bind_addr(&address).unwrap();
        dial(&format!("unix:abstract={escaped}")).unwrap();
        assert!(dial("unix:path=/nowhere/at/all").is_err());
        assert!(dial("tcp:host=localhost,port=1").is_err());
    }
}
