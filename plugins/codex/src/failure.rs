//! Tells Codex's failures apart. Its JSON has no codes, only texts: those of
//! version 0.169.

use hostler_sdk::Reason;

/// What a text of the CLI means.
pub fn classify(text: &str) -> Option<Reason> {
    const TEXTS: [(&str, Reason); 20] = [
        ("hit your usage limit", Reason::Quota),
        ("Quota exceeded", Reason::Quota),
        ("ran out of room in the model's context window", Reason::ContextTooLong),
        ("does not exist or you do not have access", Reason::ModelNotFound),
        ("Missing environment variable", Reason::Auth),
        ("Not logged in", Reason::Auth),
        ("experiencing high demand", Reason::Server),
        ("Selected model is at capacity", Reason::Overloaded),
        ("stream disconnected before completion", Reason::Network),
        ("Connection failed", Reason::Network),
        ("error sending request", Reason::Network),
        ("no rollout found", Reason::SessionRefused),
        ("thread/resume", Reason::SessionRefused),
        ("Not inside a trusted directory", Reason::CouldNotStart),
        ("error: unexpected argument", Reason::CouldNotStart),
        ("Error loading config", Reason::CouldNotStart),
        ("invalid_request_error", Reason::InvalidRequest),
        ("rate_limit_exceeded", Reason::RateLimited),
        ("server_is_overloaded", Reason::Overloaded),
        ("usage_limit_reached", Reason::Quota),
    ];
    let known = TEXTS.iter().find(|(part, _)| text.contains(part));
    known.map(|(_, reason)| *reason).or_else(|| status(text).and_then(Reason::from_status))
}

/// The number in `unexpected status 401` or `last status: 429`.
fn status(text: &str) -> Option<u16> {
    let (_, rest) = text.split_once("unexpected status ").or_else(|| text.split_once("last status: "))?;
    rest.split(|char: char| !char.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_in_the_text_decides_where_the_words_do_not() {
        assert_eq!(classify("unexpected status 403 Forbidden: no"), Some(Reason::Auth));
        assert_eq!(
            classify("exceeded retry limit, last status: 503 Service Unavailable"),
            Some(Reason::Server)
        );
        assert_eq!(classify("unexpected status 4: x"), None);
        assert_eq!(classify("something new"), None);
    }
}
