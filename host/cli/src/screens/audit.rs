//! `host audit`.

use hostler_daemon::audit::{By, Entry, Event, Verified};
use hostler_daemon::engine::task::RunId;

use crate::page::Page;
use crate::paint::Tone;
use crate::table::{Cell, draw, heading};
use crate::text::{count, short_digest as short};

/// A table, newest last, or what to do if there is nothing to show.
pub fn draw_entries(page: &Page, entries: &[Entry]) -> String {
    if entries.is_empty() {
        return "No such entries in the audit log. `host run` and `host plugin allow` write them.\n"
            .to_owned();
    }
    let head = heading(&["N", "WHEN", "KIND", "RUN", "WHAT"]);
    let rows: Vec<_> = std::iter::once(head).chain(entries.iter().map(|entry| row(page, entry))).collect();
    draw(&rows, page.paint, page.width)
}

fn row(page: &Page, entry: &Entry) -> Vec<Cell> {
    let run = entry.event.run().map(|id| RunId(id.to_owned()).short().to_owned());
    vec![
        Cell::new(entry.n.to_string()).right(),
        Cell::new(page.moment(entry.at)).tone(Tone::Quiet),
        Cell::new(entry.event.kind()).tone(tone(&entry.event)),
        Cell::new(run.unwrap_or_default()),
        Cell::new(what(&entry.event)),
    ]
}

const fn tone(event: &Event) -> Tone {
    match event {
        Event::Denied { .. } | Event::Withdrawn { .. } | Event::Healed { .. } => Tone::Warning,
        Event::Broken { .. } => Tone::Bad,
        Event::Grant { .. } | Event::Revoke { .. } | Event::Launch { .. } | Event::Landing { .. } => {
            Tone::Strong
        }
        _ => Tone::Quiet,
    }
}

fn what(event: &Event) -> String {
    match event {
        Event::HostStarted { tracker, providers, permission_ceiling, containment } => format!(
            "tracker {tracker}, providers {}, up to {permission_ceiling}, containment {containment}",
            providers.join(", ")
        ),
        Event::HostStopped { why } => why.clone(),
        Event::Admitted { plugin, digest, contract, signer } => {
            let signer =
                signer.as_ref().map_or("nobody's signature".to_owned(), |name| format!("signed by {name}"));
            format!("{plugin} {}, {contract}, {signer}", short(digest))
        }
        Event::Policy { path, sha256 } => {
            format!("{path} {}", sha256.as_deref().map_or("which cannot be read", short))
        }
        Event::Grant { plugin, digest, rights, by } => {
            format!("{plugin} {} by {}: {}", short(digest), who(by), rights.join("; "))
        }
        Event::Revoke { plugin, digest, by } => format!("{plugin} {} by {}", short(digest), who(by)),
        Event::Withdrawn { plugin } => format!("{plugin} is not used any more"),
        Event::Denied { plugin, effect, reason, times } => {
            format!("{plugin}: {effect}, {reason}, {}", count(*times, "time"))
        }
        Event::Verified { passed, exit, .. } => {
            let exit = exit.map_or_else(String::new, |code| format!(", exit code {code}"));
            format!("{}{exit}", if *passed { "passed" } else { "failed" })
        }
        Event::Reported { state, accepted, .. } => {
            format!("{state}, {}", if *accepted { "accepted" } else { "not accepted" })
        }
        Event::Collected { through } => format!("entries up to {} were removed for their age", through.n),
        Event::Healed { bytes, .. } => {
            format!("half a line of {} was cut off after a crash", count(*bytes, "byte"))
        }
        Event::Broken { problem } => problem.clone(),
        Event::Unknown => "written by a later version; see it with --json".to_owned(),
        Event::Launch { .. } | Event::Verify { .. } | Event::Landing { .. } | Event::Landed { .. } => {
            deed(event)
        }
    }
}

/// What a run did.
fn deed(event: &Event) -> String {
    match event {
        Event::Launch {
            attempt,
            command,
            provider,
            digest,
            permission,
            permission_by,
            capped_by,
            containment,
            sandbox,
            ..
        } => {
            let cap = capped_by.as_ref().map_or_else(String::new, |line| format!(" (no more by {line})"));
            format!(
                "attempt {attempt}: {provider} {} ({command}), {permission} by {permission_by}{cap}, containment \
                 {containment}, sandbox {sandbox}",
                short(digest)
            )
        }
        Event::Verify { command, .. } => format!("command {}", short(command)),
        Event::Landing { landing, repository, branch, to, .. } => {
            let to = to.as_ref().map_or_else(String::new, |to| format!(" to {to}"));
            format!("{landing}: {branch} of {repository}{to}")
        }
        Event::Landed { landing, head, url, .. } => {
            let parts = [Some(landing.as_str()), head.as_deref().map(short), url.as_deref()];
            parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
        }
        _ => String::new(),
    }
}

fn who(By { user, how }: &By) -> String {
    format!("{user}, {how}")
}

/// That the log is whole, and how far that is proven.
pub fn draw_verified(verified: &Verified, by_hand: bool) -> String {
    let (Some(first), Some(head)) = (verified.first, verified.head) else {
        return "The audit log has no entries yet, and nothing knows of any.\n".to_owned();
    };
    let known = if by_hand { "the head that you gave, " } else { "" };
    let advice = if by_hand {
        ""
    } else {
        "Write the head down elsewhere: `host audit verify --head` checks against it.\n"
    };
    format!(
        "Entries {first} to {} are as they were written; so say {known}the log and the journal.\nHead: {head}\n{advice}",
        head.n
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::page::tests::page;

    const RUN: &str = "r-0198f3f0-1111-7222-8333-21ace2630000";

    /// One of each kind, as they stand in the log.
    fn one_of_each() -> Vec<Entry> {
        let digest = "6ec1".repeat(16);
        let bodies = [
            r#""kind":"host-started","tracker":"folder","providers":["claude-code","command"],"permission_ceiling":"auto-edits","containment":"auto""#.to_owned(),
            format!(r#""kind":"admitted","plugin":"folder","digest":"{digest}","contract":"hostler:plugin@0.1.0","signer":null"#),
            format!(r#""kind":"admitted","plugin":"tale","digest":"{digest}","contract":"hostler:plugin@0.1.0","signer":"ada""#),
            format!(r#""kind":"policy","path":"/etc/hostler/policy.toml","sha256":"{digest}""#),
            format!(r#""kind":"grant","plugin":"tale","digest":"{digest}","rights":["send GET requests to https://tale.example/","have `key` sent as header `authorization` to https://tale.example"],"by":{{"user":"ada (uid 1000)","how":"/dev/pts/3"}}"#),
            format!(r#""kind":"revoke","plugin":"tale","digest":"{digest}","by":{{"user":"ada (uid 1000)","how":"no terminal"}}"#),
            r#""kind":"withdrawn","plugin":"tale""#.to_owned(),
            r#""kind":"denied","plugin":"tale","effect":"http","reason":"http-origin","times":10"#.to_owned(),
            format!(r#""kind":"launch","run":"{RUN}","attempt":1,"program":"/usr/bin/claude","command":"start","slots":{{"prompt":"{digest}"}},"provider":"claude-code","digest":"{digest}","permission":"auto-edits","permission_by":"operator","capped_by":"line 12 of /etc/hostler/policy.toml","containment":"auto","sandbox":"none""#),
            format!(r#""kind":"verify","run":"{RUN}","command":"{digest}""#),
            format!(r#""kind":"verified","run":"{RUN}","command":"{digest}","passed":false,"exit":3"#),
            format!(r#""kind":"landing","run":"{RUN}","landing":"pull-request","repository":"app","branch":"hostler/hello-21ace263","to":"https://github.com/acme/api.git""#),
            format!(r#""kind":"landed","run":"{RUN}","landing":"pull-request","head":"{digest}","url":"https://github.com/acme/api/pull/1""#),
            format!(r#""kind":"reported","run":"{RUN}","state":"succeeded","accepted":true"#),
            r#""kind":"host-stopped","why":"done""#.to_owned(),
            format!(r#""kind":"collected","through":{{"n":7,"hash":"{digest}"}}"#),
            format!(r#""kind":"healed","bytes":41,"sha256":"{digest}""#),
            r#""kind":"broken","problem":"the lines before this one cannot be read""#.to_owned(),
            r#""kind":"teleported","where":"elsewhere""#.to_owned(),
        ];
        let entry = |(body, n): (&String, u64)| {
            let line = format!(
                r#"{{"n":{n},"at":1780000000000,"host":"0.1.0",{body},"prev":"{digest}","hash":"{digest}"}}"#
            );
            serde_json::from_str(&line).unwrap()
        };
        bodies.iter().zip(1..).map(entry).collect()
    }

    #[test]
    fn every_kind_of_entry_is_one_line() {
        insta::assert_snapshot!(draw_entries(&page(), &one_of_each()));
    }

    #[test]
    fn no_entries_say_where_they_come_from() {
        insta::assert_snapshot!(draw_entries(&page(), &[]));
    }

    #[test]
    fn a_whole_log_says_how_far_that_is_proven() {
        let head = format!("134:{}", "6ec1".repeat(16)).parse().unwrap();
        let verified = Verified { first: Some(1), head: Some(head) };
        let empty = Verified { first: None, head: None };
        let told =
            [draw_verified(&verified, false), draw_verified(&verified, true), draw_verified(&empty, false)];
        insta::assert_snapshot!(told.join("\n"));
    }
}
