//! `host logs`: what agents said and did.

use hostler_daemon::engine::event::{Event, Level, ToolState};
use hostler_daemon::events::Recorded;

use crate::page::Page;
use crate::paint::Tone;
use crate::text::{one_line, paragraph};

/// One event as one or more lines; `None` for what is not worth one.
pub fn draw_event(page: &Page, recorded: &Recorded) -> Option<String> {
    let time = page.tone(Tone::Quiet, &page.clock(recorded.at.0));
    let (tone, body) = match &recorded.event {
        Event::Text { text } => (None, block(text)?),
        Event::Finished { success, summary } => {
            let (tone, word) =
                if *success { (Tone::Good, "finished") } else { (Tone::Bad, "finished without success") };
            return Some(match block(summary) {
                Some(summary) => format!("{time}  {}\n          {summary}", page.tone(tone, word)),
                None => format!("{time}  {}", page.tone(tone, word)),
            });
        }
        event => (tone(event), one_line(&event.headline()?)),
    };
    let body = tone.map_or_else(|| body.clone(), |tone| page.tone(tone, &body));
    Some(format!("{time}  {body}"))
}

/// The line before the first event of an attempt.
pub fn draw_attempt(page: &Page, attempt: u32) -> String {
    page.tone(Tone::Strong, &format!("Attempt {attempt}"))
}

/// Text of several lines, indented below the time.
fn block(text: &str) -> Option<String> {
    let text = paragraph(text);
    let mut lines = text.trim().lines().map(str::trim_end);
    let first = lines.next()?.to_owned();
    Some(lines.fold(first, |block, line| match line {
        "" => block + "\n",
        line => format!("{block}\n          {line}"),
    }))
}

const fn tone(event: &Event) -> Option<Tone> {
    match event {
        Event::Started { .. } => Some(Tone::Strong),
        Event::Tool { state: ToolState::Started | ToolState::Finished, .. } => Some(Tone::Active),
        Event::Tool { .. } | Event::Question { .. } | Event::Quota { .. } | Event::Retrying { .. } => {
            Some(Tone::Warning)
        }
        Event::Notice { line } => match line.level {
            Level::Error => Some(Tone::Bad),
            Level::Warn => Some(Tone::Warning),
            Level::Info | Level::Debug => Some(Tone::Quiet),
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::tests::page;
    use hostler_daemon::engine::outcome::Usage;
    use hostler_daemon::engine::time::Timestamp;

    #[test]
    fn what_an_agent_did_reads_like_a_diary() {
        let tool = |summary: &str, state| Event::Tool {
            id: "1".to_owned(),
            name: "Bash".to_owned(),
            summary: summary.to_owned(),
            state,
        };
        let events = [
            Event::Started { session: None, model: Some("sonnet".to_owned()) },
            Event::Text { text: "First I look.\n\nThen I\u{1b}[2J edit.\n".to_owned() },
            tool("cargo test", ToolState::Started),
            tool("", ToolState::Finished),
            tool("cargo test", ToolState::Failed),
            Event::Usage { usage: Usage::default() },
            Event::Question { text: "Which one?".to_owned() },
            Event::Finished { success: true, summary: "Done.\nAll green.".to_owned() },
            Event::Finished { success: false, summary: String::new() },
        ];
        let lines = events.into_iter().enumerate().filter_map(|(second, event)| {
            let at = Timestamp(1_780_000_000_000 + i64::try_from(second).unwrap_or(0) * 1000);
            draw_event(&page(), &Recorded { at, attempt: 1, event })
        });
        let page = draw_attempt(&page(), 1);
        insta::assert_snapshot!(format!("{page}\n{}", lines.collect::<Vec<_>>().join("\n")));
    }
}
