//! Where a remote is, without the credentials that may stand in its address.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// The address of a remote as it stands in a git configuration.
///
/// It may hold a password, so it is shown (by `Display` and `Debug`) without
/// anything before the `@`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RemoteUrl(String);

/// The parts of an address that name a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server<'a> {
    /// `https`, `ssh`, …
    pub(crate) scheme: &'a str,
    /// Without user and port.
    pub(crate) host: &'a str,
    pub(crate) port: Option<&'a str>,
    /// Without the first `/`.
    pub(crate) path: &'a str,
}

impl RemoteUrl {
    /// Takes an address as git does: a URL, `host:path`, or a local path,
    /// which is looked for from `checkout` if it is relative. `None` for text
    /// that git could take for an option, a helper program or two lines.
    pub fn new(text: &str, checkout: &Path) -> Option<Self> {
        let text = text.trim();
        let harmless = !text.is_empty() && !text.starts_with('-') && !text.contains(char::is_control);
        // `ext::command` and its like start programs.
        if !harmless || text.split_once("::").is_some_and(|(helper, _)| is_word(helper)) {
            return None;
        }
        let url = Self(text.to_owned());
        if url.server().is_some() || text.starts_with("file://") || Path::new(text).is_absolute() {
            return Some(url);
        }
        checkout.join(text).to_str().map(|path| Self(path.to_owned()))
    }

    /// As git needs it, with credentials.
    pub(crate) fn secret(&self) -> &str {
        &self.0
    }

    /// The server, or `None` for a path on this machine.
    pub(crate) fn server(&self) -> Option<Server<'_>> {
        if let Some((scheme, rest)) = self.0.split_once("://") {
            let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
            let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
            let (host, port) = split_port(place);
            return (scheme != "file" && !host.is_empty()).then_some(Server { scheme, host, port, path });
        }
        let (place, path) = self.0.split_once(':')?;
        let host = place.rsplit_once('@').map_or(place, |(_, host)| host);
        let is_host = !place.contains('/') && !host.is_empty();
        is_host.then(|| Server { scheme: "ssh", host, port: None, path: path.trim_start_matches('/') })
    }

    /// The user and password of a URL, as written.
    fn user_info(&self) -> Option<&str> {
        let (_, rest) = self.0.split_once("://")?;
        let authority = rest.split('/').next()?;
        authority.rsplit_once('@').map(|(user_info, _)| user_info)
    }

    /// `text` without this address's credentials, and without what stands
    /// before the `@` of any other address in it.
    pub(crate) fn redact(&self, text: &str) -> String {
        let mut clean = text.replace(&self.0, &self.to_string());
        if let Some(user_info) = self.user_info() {
            clean = clean.replace(user_info, HIDDEN);
            if let Some((_, password)) = user_info.split_once(':') {
                for form in [password.to_owned(), percent_decoded(password)] {
                    if !form.is_empty() {
                        clean = clean.replace(&form, HIDDEN);
                    }
                }
            }
        }
        without_user_info(&clean)
    }
}

const HIDDEN: &str = "***";

impl fmt::Display for RemoteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&without_user_info(&self.0))
    }
}

impl fmt::Debug for RemoteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RemoteUrl({self})")
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|letter| letter.is_ascii_alphanumeric() || "+-_.".contains(letter))
}

/// `host:port`, where the host may be an address in brackets.
fn split_port(place: &str) -> (&str, Option<&str>) {
    match place.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (place, None),
    }
}

/// Cuts `user:password@` out of every URL in the text. The user name of an ssh
/// address (`git@host:path`) is no secret and stays.
fn without_user_info(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        clean.push_str(before);
        let authority_ends = |letter: char| letter == '/' || letter.is_whitespace() || "'\"".contains(letter);
        let end = after.find(authority_ends).unwrap_or(after.len());
        let place = after[..end].rfind('@').map_or(0, |at| at + 1);
        clean.push_str(&after[place..end]);
        rest = &after[end..];
    }
    clean.push_str(rest);
    clean
}

fn percent_decoded(text: &str) -> String {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn url(text: &str) -> RemoteUrl {
        RemoteUrl::new(text, Path::new("/home/a/project")).unwrap()
    }

    #[test]
    fn every_way_to_write_a_server_is_read() {
        let of = |text| {
            let url = url(text);
            let server = url.server().unwrap();
            let parts = [server.scheme, server.host, server.port.unwrap_or("-"), server.path];
            parts.join(" ")
        };
        assert_eq!(of("https://github.com/acme/api.git"), "https github.com - acme/api.git");
        assert_eq!(of("https://u:p@host.example:8443/a/b"), "https host.example 8443 a/b");
        assert_eq!(of("ssh://git@ssh.github.com:443/acme/api.git"), "ssh ssh.github.com 443 acme/api.git");
        assert_eq!(of("git@github.com:acme/api.git"), "ssh github.com - acme/api.git");
        assert_eq!(of("work:/acme/api"), "ssh work - acme/api");
        assert_eq!(of("http://[::1]:8080/a/b"), "http [::1] 8080 a/b");
    }

    #[test]
    fn paths_are_local_and_relative_ones_start_at_the_checkout() {
        assert_eq!(url("../remote.git").secret(), "/home/a/project/../remote.git");
        assert_eq!(url("/srv/git/api.git").server(), None);
        assert_eq!(url("file:///srv/git/api.git").server(), None);
        assert_eq!(url("./odd:name").server(), None);
    }

    #[test]
    fn addresses_that_start_programs_or_look_like_options_are_refused() {
        for text in ["ext::sh -c id", "fd::3", "--upload-pack=id", "", "  ", "https://a/b\nc"] {
            assert_eq!(RemoteUrl::new(text, Path::new("/")), None, "{text}");
        }
    }

    #[test]
    fn credentials_are_shown_nowhere() {
        let url = url("https://ann:p%40ss-word@host.example/a/b.git");
        assert_eq!(url.to_string(), "https://host.example/a/b.git");
        assert_eq!(format!("{url:?}"), "RemoteUrl(https://host.example/a/b.git)");
        let said = "fatal: 'https://ann:p%40ss-word@host.example/a/b.git/': p@ss-word p%40ss-word \
                    https://other:x@proxy.example";
        let clean = url.redact(said);
        for secret in ["p%40ss-word", "p@ss-word", "other:x", "ann:"] {
            assert!(!clean.contains(secret), "{secret} in {clean}");
        }
        assert!(clean.contains("https://proxy.example") && clean.contains("host.example/a/b.git"), "{clean}");
    }

    #[test]
    fn a_token_in_place_of_the_user_is_hidden_too() {
        let url = url("https://ghp_secret@github.com/a/b");
        assert_eq!(
            url.redact("user ghp_secret at https://ghp_secret@github.com/a/b"),
            "user *** at https://github.com/a/b"
        );
    }

    proptest! {
        #[test]
        fn no_password_survives_whatever_stands_around_it(
            user in "[a-z]{1,8}",
            password in "[A-Z0-9%~:@]{4,16}",
            around in "[ -~]{0,40}",
        ) {
            let address = format!("https://{user}:{password}@host.example/a.git");
            let url = url(&address);
            prop_assert!(!url.to_string().contains(&password));
            let clean = url.redact(&format!("{around} {address} {password} {around}"));
            prop_assert!(!clean.contains(&password), "{clean}");
        }

        #[test]
        fn no_text_makes_the_reader_of_addresses_fall_over(text in any::<String>()) {
            if let Some(url) = RemoteUrl::new(&text, Path::new("/home/a")) {
                let _ = (url.server(), url.to_string(), url.redact(&text));
            }
        }
    }
}
