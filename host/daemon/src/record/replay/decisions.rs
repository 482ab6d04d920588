//! What the engine decided, decided again. Pure.

use hostler_engine::run::Run;
use hostler_engine::task::RunId;
use hostler_engine::time::Timestamp;
use hostler_engine::{Engine, Input};
use hostler_journal::Span;

use super::{Compared, Difference, Part};

/// Gives the engine every input of the run's time again; each must lead to the effects
/// that are recorded.
pub fn replay(span: Option<&Span>) -> Part {
    let (count, result) = match span {
        None => (0, Compared::Impossible("the journal has no entries of it any more".to_owned())),
        Some(span) if !span.whole => {
            (0, Compared::Impossible("entries of its time were pruned from the journal".to_owned()))
        }
        Some(span) => (span.entries.len(), again(span)),
    };
    Part { what: "engine".to_owned(), plugin: None, count, result }
}

/// The engine as it was before the span.
pub fn engine_before(span: &Span) -> Result<Engine, String> {
    match &span.before {
        None => Ok(Engine::default()),
        Some(snapshot) => serde_json::from_str(&snapshot.body).map_err(|error| {
            format!("the state after entry {} was written by another version ({error})", snapshot.seq)
        }),
    }
}

/// A run as the engine had it last within the span.
pub fn last_of(span: &Span, id: &RunId) -> Option<Run> {
    let mut engine = engine_before(span).ok().filter(|_| span.whole)?;
    let mut last = None;
    for entry in &span.entries {
        engine.apply(Timestamp(entry.at_ms), serde_json::from_str(&entry.input).ok()?);
        last = engine.run(id).cloned().or(last);
    }
    last
}

fn again(span: &Span) -> Compared {
    let mut engine = match engine_before(span) {
        Ok(engine) => engine,
        Err(why) => return Compared::Impossible(why),
    };
    for entry in &span.entries {
        let input: Input = match serde_json::from_str(&entry.input) {
            Ok(input) => input,
            Err(error) => {
                let why = format!("entry {} was written by another version ({error})", entry.seq);
                return Compared::Impossible(why);
            }
        };
        let effects = engine.apply(Timestamp(entry.at_ms), input);
        let replayed = serde_json::to_string(&effects).unwrap_or_default();
        if replayed != entry.effects {
            let place = format!("entry {}", entry.seq);
            return Compared::Differs(Difference { place, recorded: entry.effects.clone(), replayed });
        }
    }
    Compared::Equal
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostler_journal::{RecordedEntry, Seq};

    fn span(effects: &str) -> Span {
        let entry = |seq: i64, input: &str, effects: &str| RecordedEntry {
            seq: Seq::new(seq),
            at_ms: seq,
            input: input.to_owned(),
            effects: effects.to_owned(),
        };
        Span {
            before: None,
            first: Seq::new(1),
            entries: vec![
                entry(1, r#"{"input":"restarted"}"#, "[]"),
                entry(2, r#"{"input":"tick"}"#, effects),
            ],
            whole: true,
        }
    }

    #[test]
    fn equal_effects_are_equal_and_the_first_other_one_is_named() {
        assert_eq!(replay(Some(&span("[]"))).result, Compared::Equal);
        let Compared::Differs(difference) = replay(Some(&span("[1]"))).result else {
            panic!("no difference")
        };
        assert_eq!((difference.place.as_str(), difference.replayed.as_str()), ("entry 2", "[]"));
    }

    #[test]
    fn what_cannot_be_replayed_is_called_so_and_no_difference() {
        let impossible = |part: &Part| matches!(part.result, Compared::Impossible(_));
        assert!(impossible(&replay(None)));
        assert!(impossible(&replay(Some(&Span { whole: false, ..span("[]") }))));
        let mut foreign = span("[]");
        foreign.entries[1].input = r#"{"input":"from the future"}"#.to_owned();
        assert!(impossible(&replay(Some(&foreign))));
    }
}
