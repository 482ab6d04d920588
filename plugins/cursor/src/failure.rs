//! Tells Cursor's failures apart. It prints them as plain text, without a code.

use hostler_sdk::Reason;

/// What a text of the CLI means.
pub fn from_text(text: &str) -> Option<Reason> {
    const TEXTS: [(&str, Reason); 19] = [
        ("Authentication required", Reason::Auth),
        ("Authentication error", Reason::Auth),
        ("Not logged in", Reason::Auth),
        ("not authenticated", Reason::Auth),
        ("[unauthenticated]", Reason::Auth),
        ("API key is invalid", Reason::Auth),
        ("Invalid API key", Reason::Auth),
        ("usage limit", Reason::Quota),
        ("hit your free requests limit", Reason::Quota),
        ("spendLimitHit: true", Reason::Quota),
        ("Cannot use this model", Reason::ModelNotFound),
        ("Invalid model", Reason::ModelNotFound),
        ("rate limit", Reason::RateLimited),
        ("[resource_exhausted]", Reason::RateLimited),
        ("[unavailable]", Reason::Server),
        ("ECONNREFUSED", Reason::Network),
        ("ENOTFOUND", Reason::Network),
        ("ETIMEDOUT", Reason::Network),
        ("error: unknown option", Reason::CouldNotStart),
    ];
    let known = TEXTS.iter().find(|(part, _)| text.contains(part));
    known.map(|(_, reason)| *reason)
}
