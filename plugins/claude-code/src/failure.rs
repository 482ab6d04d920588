//! Tells Claude Code's failures apart.

use hostler_sdk::Reason;

use crate::events::ResultLine;

/// Why a result that is an error is one.
pub fn classify(result: &ResultLine, text: &str, quota_exhausted: bool) -> Reason {
    if !result.startup_failure_reason.is_empty() {
        return Reason::CouldNotStart;
    }
    match &*result.subtype {
        "error_max_turns" | "error_max_budget_usd" => return Reason::Budget,
        _ => {}
    }
    match &*result.terminal_reason {
        "max_turns" | "budget_exhausted" => return Reason::Budget,
        "prompt_too_long" => return Reason::ContextTooLong,
        "aborted_streaming" | "aborted_tools" => return Reason::Interrupted,
        _ => {}
    }
    match &*result.api_error {
        "usage_limit_reached" => return Reason::Quota,
        "connection_failed" => return Reason::Network,
        _ => {}
    }
    if quota_exhausted {
        return Reason::Quota;
    }
    if let Some(reason) = from_text(text) {
        return reason;
    }
    let status = u16::try_from(result.api_error_status.count()).unwrap_or_default();
    Reason::from_status(status).unwrap_or(Reason::ExitCode)
}

/// What a text of the CLI means. The texts are those of version 2.1.
pub fn from_text(text: &str) -> Option<Reason> {
    const TEXTS: [(&str, Reason); 15] = [
        ("No conversation found", Reason::SessionRefused),
        ("cannot be used with root/sudo", Reason::CouldNotStart),
        ("error: unknown option", Reason::CouldNotStart),
        ("Not logged in", Reason::Auth),
        ("Invalid API key", Reason::Auth),
        ("OAuth token revoked", Reason::Auth),
        ("OAuth token has expired", Reason::Auth),
        ("Failed to authenticate", Reason::Auth),
        ("Credit balance is too low", Reason::Quota),
        ("hit your monthly spend limit", Reason::Quota),
        ("Server is temporarily limiting requests", Reason::RateLimited),
        ("Overloaded", Reason::Overloaded),
        ("Prompt is too long", Reason::ContextTooLong),
        ("issue with the selected model", Reason::ModelNotFound),
        ("ECONNREFUSED", Reason::Network),
    ];
    let known = TEXTS.iter().find(|(part, _)| text.contains(part));
    known.map(|(_, reason)| *reason)
}
