#![allow(clippy::unwrap_used)]

use super::*;

fn right(args: &[&str]) -> ProgramRight {
    let line = CommandLine { args: args.iter().map(|&word| word.to_owned()).collect() };
    ProgramRight { commands: BTreeMap::from([("start".to_owned(), line)]), ..ProgramRight::default() }
}

fn values(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|&(slot, value)| (slot.to_owned(), value.to_owned())).collect()
}

#[test]
fn slots_are_filled_and_words_with_an_unfilled_slot_left_out() {
    let right = right(&["-p", "--model={model}", "--resume={session}"]);
    let words = right.fill("start", &values(&[("model", "opus")])).unwrap();
    assert_eq!(words, ["-p", "--model=opus"]);
}

#[test]
fn a_value_can_never_become_an_option() {
    let plain = right(&["{task}"]);
    let evil = values(&[("task", "--dangerously-skip-permissions")]);
    assert_eq!(plain.fill("start", &evil), Err(FillError::LeadingDash("task".to_owned())));
    let attached = right(&["--task={task}"]);
    assert_eq!(attached.fill("start", &evil).unwrap(), ["--task=--dangerously-skip-permissions"]);
}

#[test]
fn a_value_stays_one_word_whatever_it_contains() {
    let right = right(&["{task}"]);
    let words = right.fill("start", &values(&[("task", "a b; rm -rf {model} \"x\"")])).unwrap();
    assert_eq!(words, ["a b; rm -rf {model} \"x\""]);
}

#[test]
fn only_granted_commands_and_slots_exist() {
    let right = right(&["{task}"]);
    assert_eq!(right.fill("other", &[]), Err(FillError::UnknownCommand("other".to_owned())));
    assert_eq!(right.fill("start", &values(&[("x", "1")])), Err(FillError::UnknownSlot("x".to_owned())));
}

#[test]
fn the_git_folder_is_named_by_the_host_in_a_sandbox_only_and_never_by_a_plugin() {
    let right = right(&["exec", "--add-dir={own-git}", "-"]);
    assert_eq!(right.fill("start", &[]).unwrap(), ["exec", "-"]);
    assert_eq!(right.with_own_git().fill("start", &[]).unwrap(), ["exec", "--add-dir=.git", "-"]);
    let elsewhere = values(&[(OWN_GIT, "/home/me/code/.git")]);
    for right in [&right, &right.with_own_git()] {
        assert_eq!(right.fill("start", &elsewhere), Err(FillError::UnknownSlot(OWN_GIT.to_owned())));
    }
}

#[test]
fn a_closed_set_refuses_everything_else() {
    let mut right = right(&["--mode={mode}"]);
    let rule = SlotRule { values: vec!["acceptEdits".to_owned()], ..SlotRule::default() };
    right.slots.insert("mode".to_owned(), rule);
    assert!(right.fill("start", &values(&[("mode", "acceptEdits")])).is_ok());
    assert!(matches!(
        right.fill("start", &values(&[("mode", "bypassPermissions")])),
        Err(FillError::NotAllowed { .. })
    ));
}

#[test]
fn a_value_of_the_limit_fits_and_one_byte_more_does_not() {
    let right = right(&["--x={x}"]);
    let of = |length: usize| values(&[("x", "a".repeat(length).as_str())]);
    assert!(right.fill("start", &of(DEFAULT_SLOT_BYTES)).is_ok());
    assert!(matches!(right.fill("start", &of(DEFAULT_SLOT_BYTES + 1)), Err(FillError::TooLong { .. })));
}

#[test]
fn a_wished_length_cannot_pass_the_hard_cap() {
    let mut right = right(&["--x={x}"]);
    right.slots.insert("x".to_owned(), SlotRule { max_length: Some(usize::MAX), ..SlotRule::default() });
    let of = |length: usize| values(&[("x", "a".repeat(length).as_str())]);
    assert!(right.fill("start", &of(MAX_SLOT_BYTES)).is_ok());
    assert!(matches!(right.fill("start", &of(MAX_SLOT_BYTES + 1)), Err(FillError::TooLong { .. })));
}

#[test]
fn a_nul_is_refused() {
    assert_eq!(right(&["{x}"]).fill("start", &values(&[("x", "a\0b")])), Err(FillError::Nul("x".to_owned())));
}

#[test]
fn a_template_is_split_before_it_is_filled() {
    let template = Template::parse(r#"my-agent --task {prompt} --dir="{cwd}" 'two words' a\ b"#).unwrap();
    assert_eq!(template.program, "my-agent");
    let right = right(&[]);
    let given = values(&[("prompt", "do; this && that"), ("cwd", "/a dir"), ("prompt_file", "unused")]);
    let words = right.fill_template(&template, &given).unwrap();
    assert_eq!(words, ["--task", "do; this && that", "--dir=/a dir", "two words", "a b"]);
}

#[test]
fn a_broken_template_says_what_is_wrong() {
    assert_eq!(Template::parse("  "), Err(TemplateError::Empty));
    assert!(matches!(Template::parse("a 'b"), Err(TemplateError::UnclosedQuote(_))));
    assert!(matches!(Template::parse("{prompt} x"), Err(TemplateError::ProgramIsSlot(_))));
}

#[test]
fn braces_that_hold_no_name_are_text() {
    let right = right(&["{}", "{a b}", "{x"]);
    assert_eq!(right.fill("start", &[]).unwrap(), ["{}", "{a b}", "{x"]);
}

#[test]
fn a_grant_covers_the_same_line_but_no_longer_list_of_names() {
    let granted = ProgramRight { env: vec!["A".to_owned()], ..right(&["-p"]) };
    assert!(granted.covers(&ProgramRight { reason: "other words".to_owned(), ..right(&["-p"]) }));
    assert!(!granted.covers(&ProgramRight { env: vec!["A".to_owned(), "B".to_owned()], ..right(&["-p"]) }));
    assert!(!granted.covers(&right(&["-p", "--yolo"])));
}
