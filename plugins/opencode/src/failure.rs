//! Tells OpenCode's failures apart, as version 1.18 names them.

use hostler_sdk::Reason;

use crate::events::FailureData;

/// Why an `error` line is one.
pub fn classify(name: &str, data: &FailureData) -> Reason {
    match name {
        "ContextOverflowError" => return Reason::ContextTooLong,
        "ProviderAuthError" => return Reason::Auth,
        "MessageAbortedError" => return Reason::Interrupted,
        _ => {}
    }
    if let Some(reason) = from_text(&data.response_body).or_else(|| from_text(&data.message)) {
        return reason;
    }
    let status = u16::try_from(data.status_code.count()).unwrap_or_default();
    Reason::from_status(status).unwrap_or(Reason::ExitCode)
}

/// What a text of the CLI or of a model's server means.
pub fn from_text(text: &str) -> Option<Reason> {
    const TEXTS: [(&str, Reason); 9] = [
        ("insufficient_quota", Reason::Quota),
        ("exceeded your current quota", Reason::Quota),
        ("usage_limit_reached", Reason::Quota),
        ("context_length_exceeded", Reason::ContextTooLong),
        ("\"server_error\"", Reason::Server),
        ("overloaded_error", Reason::Overloaded),
        ("Session not found", Reason::SessionRefused),
        ("ECONNREFUSED", Reason::Network),
        ("Unable to connect", Reason::Network),
    ];
    let known = TEXTS.iter().find(|(part, _)| text.contains(part));
    known.map(|(_, reason)| *reason)
}
