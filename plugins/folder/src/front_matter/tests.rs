use proptest::prelude::*;

use super::*;

const FILE: &str = "---\ntitle: \"Fix: login\"  # soon\n# a comment\ntags:\n  - web\nstatus: todo # now\n---\n# Login\n\nText\n";

#[test]
fn a_value_is_read_without_quotes_and_comment() {
    let file = FrontMatter::parse(FILE);
    assert_eq!(file.get("title").as_deref(), Some("Fix: login"));
    assert_eq!(file.get("STATUS").as_deref(), Some("todo"));
    assert_eq!(file.get("tags"), None);
    assert_eq!(file.get("absent"), None);
    assert_eq!(file.body(), "# Login\n\nText\n");
}

#[test]
fn a_value_is_set_in_its_place_and_the_rest_stays() {
    let mut file = FrontMatter::parse(FILE);
    file.set("status", "doing");
    file.set("run", "run_1");
    let wanted = FILE.replace("status: todo # now\n", "status: doing # now\nrun: run_1\n");
    assert_eq!(file.text(), wanted);
    file.remove("run");
    file.set("status", "todo");
    assert_eq!(file.text(), FILE);
}

#[test]
fn a_file_without_front_matter_gets_it_in_its_own_line_ends() {
    let mut file = FrontMatter::parse("# Login\r\nText\r\n");
    file.set("status", "doing");
    assert_eq!(file.text(), "---\r\nstatus: doing\r\n---\r\n# Login\r\nText\r\n");
}

#[test]
fn front_matter_that_is_never_closed_is_body() {
    let file = FrontMatter::parse("---\nstatus: todo\n");
    assert_eq!((file.get("status"), file.body()), (None, "---\nstatus: todo\n"));
}

#[test]
fn an_empty_value_is_filled_before_its_comment() {
    let mut file = FrontMatter::parse("---\nstatus: # none yet\nrun:\n---\n");
    assert_eq!(file.get("status"), None);
    file.set("status", "doing");
    file.set("run", "r");
    assert_eq!(file.text(), "---\nstatus: doing # none yet\nrun: r\n---\n");
}

#[test]
fn a_byte_order_mark_stays_where_it_was() {
    let mut file = FrontMatter::parse("\u{feff}---\nstatus: todo\n---\n");
    file.set("status", "done");
    assert_eq!(file.text(), "\u{feff}---\nstatus: done\n---\n");
}

#[test]
fn a_closing_fence_without_a_line_end_gets_one_before_a_body() {
    let mut file = FrontMatter::parse("---\nstatus: todo\n---");
    file.append("text");
    assert_eq!(file.text(), "---\nstatus: todo\n---\ntext");
}

/// Texts that look like front matter more often than chance would have it.
fn files() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        Just("---".to_owned()),
        Just("status: todo # x".to_owned()),
        Just("\"a\": 'b".to_owned()),
        "[a-z#:'\" \\\\-]{0,12}",
        "\\PC{0,12}",
    ];
    let end = prop_oneof![Just("\n"), Just("\r\n"), Just("\r"), Just("")];
    prop::collection::vec((line, end), 0..12)
        .prop_map(|lines| lines.into_iter().flat_map(|(line, end)| [line, end.to_owned()]).collect())
}

proptest! {
    #[test]
    fn taking_apart_and_putting_together_changes_no_byte(text in files()) {
        prop_assert_eq!(FrontMatter::parse(&text).text(), text);
    }

    #[test]
    fn what_was_set_is_read_after_a_round_trip(text in files(), value in "[^\\p{C}]{0,20}") {
        let value = value.trim().to_owned();
        let mut file = FrontMatter::parse(&text);
        let body = file.body().to_owned();
        file.set("status", &value);
        let again = FrontMatter::parse(&file.text());
        prop_assert_eq!(again.get("status").unwrap_or_default(), value);
        prop_assert_eq!(again.body(), body);
    }

    #[test]
    fn setting_one_field_leaves_all_other_lines_alone(text in files()) {
        let mut file = FrontMatter::parse(&text);
        file.set("run", "r");
        file.set("run", "s");
        file.remove("run");
        let others = |file: &FrontMatter| file.fields.clone();
        let mut before = others(&FrontMatter::parse(&text));
        before.retain(|line| key_of(line) != Some("run"));
        prop_assert_eq!(others(&file), before);
    }
}
