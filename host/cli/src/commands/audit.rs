//! `host audit`.

use hostler_daemon::audit::{self, Damage, Entry, Head};
use hostler_daemon::engine::time::Timestamp;
use serde_json::json;

use super::find_run;
use crate::arguments::{AuditArgs, AuditCommand, EntriesArgs};
use crate::context::{Context, now};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;
use crate::screens::audit::{draw_entries, draw_verified};

/// Lists the audit log, proves it, or prints its head.
pub fn audit(args: &AuditArgs, context: &Context) -> Result<(), Failure> {
    match &args.command {
        None => list(&args.entries, context),
        Some(AuditCommand::Verify { head, json }) => verify(*head, *json, context),
        Some(AuditCommand::Head) => head(context),
    }
}

fn list(args: &EntriesArgs, context: &Context) -> Result<(), Failure> {
    let wanted = Wanted::of(args, context, now());
    let (mut lines, mut entries) = (Vec::new(), Vec::new());
    audit::log(&context.home).read(|line| {
        // What cannot be read is for `host audit verify` to tell.
        if let Ok(entry) = serde_json::from_str::<Entry>(line)
            && wanted.has(&entry)
        {
            lines.push(line.to_owned());
            entries.push(entry);
        }
    })?;
    if args.json {
        return lines.iter().try_for_each(output::line);
    }
    output::print(&draw_entries(&context.page(), &entries))
}

/// What is asked for.
struct Wanted {
    kinds: Vec<String>,
    run: Option<String>,
    since: Timestamp,
}

impl Wanted {
    /// The log outlives the journal: a run that is not in the record any more is looked
    /// for by what was typed.
    fn of(args: &EntriesArgs, context: &Context, now: Timestamp) -> Self {
        let id = |name: &String| find_run(name, context).map_or_else(|_| name.clone(), |(_, run)| run.id);
        let age = args.since.map(|age| i64::try_from(age.0).unwrap_or(i64::MAX));
        let since = age.map_or(Timestamp(i64::MIN), |age| Timestamp(now.0.saturating_sub(age)));
        Self { kinds: args.kind.clone(), run: args.run.as_ref().map(id), since }
    }

    fn has(&self, entry: &Entry) -> bool {
        let kind = entry.event.kind();
        (self.kinds.is_empty() || self.kinds.iter().any(|wanted| wanted == kind))
            && self
                .run
                .as_ref()
                .is_none_or(|run| entry.event.run().is_some_and(|id| id.contains(run.as_str())))
            && entry.at >= self.since.0
    }
}

fn verify(by_hand: Option<Head>, as_json: bool, context: &Context) -> Result<(), Failure> {
    let verified = match audit::verify(&context.home, by_hand)? {
        Ok(verified) => verified,
        Err(damage) if as_json => {
            output::json(&damaged(&damage))?;
            return Err(Failure::shown(Exit::Tampered));
        }
        Err(damage) => return Err(Failure::new(Exit::Tampered, damage)),
    };
    if as_json {
        return output::json(&json!({ "whole": true, "first": verified.first, "head": verified.head }));
    }
    output::print(&draw_verified(&verified, by_hand.is_some()))
}

fn damaged(damage: &Damage) -> serde_json::Value {
    let Damage { fault, place } = damage;
    json!({ "whole": false, "problem": fault.to_string(), "file": place.file, "line": place.line })
}

fn head(context: &Context) -> Result<(), Failure> {
    match audit::log(&context.home).last()? {
        Some(head) => output::line(head),
        None => {
            Err(Failure::new(Exit::Failed, "the audit log has no entries yet; `host run` makes the first"))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn wanted(kinds: &[&str], run: Option<&str>, since: i64) -> Wanted {
        let kinds = kinds.iter().map(|&kind| kind.to_owned()).collect();
        Wanted { kinds, run: run.map(str::to_owned), since: Timestamp(since) }
    }

    fn entry(event: &str) -> Entry {
        let hash = "0".repeat(64);
        let line = format!(r#"{{"n":1,"at":50,"host":"0.1.0",{event},"prev":"{hash}","hash":"{hash}"}}"#);
        serde_json::from_str(&line).unwrap()
    }

    #[test]
    fn entries_are_chosen_by_kind_run_and_age() {
        let landed = entry(r#""kind":"landed","run":"r-12345678","landing":"pushed","head":null,"url":null"#);
        let started = entry(r#""kind":"withdrawn","plugin":"tale""#);
        assert!(wanted(&[], None, 50).has(&landed) && !wanted(&[], None, 51).has(&landed));
        assert!(
            wanted(&["grant", "landed"], None, 0).has(&landed) && !wanted(&["grant"], None, 0).has(&landed)
        );
        assert!(wanted(&[], Some("3456"), 0).has(&landed) && !wanted(&[], Some("999"), 0).has(&landed));
        assert!(!wanted(&[], Some("3456"), 0).has(&started), "it is about no run");
    }
}
