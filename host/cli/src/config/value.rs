//! Reads single values. An error is what was expected instead.

use hostler_daemon::engine::follow_up::FollowUp;
use hostler_daemon::engine::landing::LandingKind;
use hostler_daemon::engine::plan::Permission;
use hostler_daemon::engine::policy::VerifyRule;
use hostler_daemon::engine::sandbox::{Tier, Wish};
use hostler_daemon::engine::time::Millis;
use hostler_daemon::{Containment, Isolation};

/// More agents at once than any one machine does.
pub const MAX_SLOTS: u32 = 256;

/// More processors than any one machine has.
pub const MAX_CPUS: u32 = 4096;

/// Less memory than this starts no agent, in bytes.
pub const LEAST_MEMORY: u64 = 16 * MIB;

/// Memory is given in these.
const MIB: u64 = 1024 * 1024;

/// More tries than any task deserves.
pub const MAX_ATTEMPTS: u32 = 100;

/// Longest length of time: what the contract can say to a plugin, in whole days.
pub const MAX_DURATION: Millis = Millis::minutes(49 * 24 * 60);

/// Everything that may happen to finished work besides staying on its branch.
pub const ALL_LANDINGS: [LandingKind; 3] = [LandingKind::Push, LandingKind::PullRequest, LandingKind::Merge];

/// A value, or what was expected.
pub type Read<T> = Result<T, String>;

/// A whole number from 1.
pub fn positive(text: &str, most: u32) -> Read<u32> {
    let number = text.trim().parse().ok().filter(|number| (1..=most).contains(number));
    number.ok_or_else(|| format!("a whole number from 1 to {most}"))
}

/// How far finished work may land: a kind allows the lesser ones, too.
pub fn landings(text: &str) -> Read<Vec<LandingKind>> {
    match text.trim() {
        "leave" => Ok(Vec::new()),
        "push" => Ok(vec![LandingKind::Push]),
        "pull-request" => Ok(vec![LandingKind::Push, LandingKind::PullRequest]),
        "merge" => Ok(vec![LandingKind::Merge]),
        "granted" => Ok(ALL_LANDINGS.to_vec()),
        _ => Err("`granted`, `leave`, `push`, `pull-request` or `merge`".to_owned()),
    }
}

/// Whether verify commands of trackers are run.
pub fn verify(text: &str) -> Read<VerifyRule> {
    match text.trim() {
        "granted" => Ok(VerifyRule::Allow),
        "ignore" => Ok(VerifyRule::Ignore),
        "refuse" => Ok(VerifyRule::Refuse),
        _ => Err("`granted`, `refuse` or `ignore`".to_owned()),
    }
}

/// What coming back from a pull request has its task go on.
pub fn follow_up(text: &str) -> Read<FollowUp> {
    let known = FollowUp::ALL.into_iter().find(|follow_up| follow_up.name() == text.trim());
    known.ok_or_else(|| "`off`, `checks`, `reviews` or `all`".to_owned())
}

/// A number of tokens, or `none`.
pub fn tokens(text: &str) -> Read<Option<u64>> {
    let expected = || "a whole number of tokens such as 2000000, or `none`".to_owned();
    match text.trim() {
        "none" => Ok(None),
        number => {
            let number = number.replace('_', "").parse().ok().filter(|tokens| *tokens > 0);
            number.map(Some).ok_or_else(expected)
        }
    }
}

/// `512M`, `4G`, or `none`, as bytes.
pub fn bytes(text: &str) -> Read<Option<u64>> {
    let expected = || "an amount of memory of at least 16M, such as 512M or 4G, or `none`".to_owned();
    let text = text.trim();
    if text == "none" {
        return Ok(None);
    }
    let (number, unit) = if let Some(number) = text.strip_suffix('G') {
        (number, 1024 * MIB)
    } else {
        (text.strip_suffix('M').ok_or_else(expected)?, MIB)
    };
    let bytes = number.trim().parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    bytes.filter(|bytes| *bytes >= LEAST_MEMORY).map(Some).ok_or_else(expected)
}

/// A whole number of processors, or `none`.
pub fn processors(text: &str) -> Read<Option<u32>> {
    match text.trim() {
        "none" => Ok(None),
        number => positive(number, MAX_CPUS).map(Some).map_err(|expected| format!("{expected}, or `none`")),
    }
}

/// `auto`, `namespace` or `sweep`.
pub fn containment(text: &str) -> Read<Containment> {
    [Containment::Auto, Containment::Namespace, Containment::Sweep]
        .into_iter()
        .find(|containment| containment_word(*containment) == text.trim())
        .ok_or_else(|| "one of `auto`, `namespace`, `sweep`".to_owned())
}

/// As it stands in a file.
pub const fn containment_word(containment: Containment) -> &'static str {
    match containment {
        Containment::Auto => "auto",
        Containment::Namespace => "namespace",
        Containment::Sweep => "sweep",
    }
}

/// `worktree` or `clone`.
pub fn isolation(text: &str) -> Read<Isolation> {
    [Isolation::Worktree, Isolation::Clone]
        .into_iter()
        .find(|isolation| isolation_word(*isolation) == text.trim())
        .ok_or_else(|| "one of `worktree`, `clone`".to_owned())
}

/// As it stands in a file.
pub const fn isolation_word(isolation: Isolation) -> &'static str {
    match isolation {
        Isolation::Worktree => "worktree",
        Isolation::Clone => "clone",
    }
}

/// `auto`, or the name of a tier.
pub fn sandbox(text: &str) -> Read<Wish> {
    let exactly = || Tier::ALL.into_iter().find(|tier| tier.name() == text.trim()).map(Wish::Exactly);
    match text.trim() {
        "auto" => Ok(Wish::Auto),
        _ => exactly().ok_or_else(|| "one of `auto`, `none`, `basic`, `contained`".to_owned()),
    }
}

/// As it stands in a file.
pub const fn sandbox_word(wish: Wish) -> &'static str {
    match wish {
        Wish::Auto => "auto",
        Wish::Exactly(tier) => tier.name(),
    }
}

/// US dollars, or `none`.
pub fn dollars(text: &str) -> Read<Option<f64>> {
    let expected = || "an amount in US dollars such as 2.50, or `none`".to_owned();
    match text.trim() {
        "none" => Ok(None),
        number => {
            let number: Option<f64> = number.trim_start_matches('$').parse().ok();
            number.filter(|cost| cost.is_finite() && *cost > 0.0).map(Some).ok_or_else(expected)
        }
    }
}

/// `90s`, `60m`, `1h30m`, or `none`.
pub fn duration(text: &str) -> Read<Option<Millis>> {
    let expected = || "a length of time with its unit, such as 90s, 60m or 1h30m, or `none`".to_owned();
    let text = text.trim();
    if text == "none" {
        return Ok(None);
    }
    let total = sum_of_parts(text).filter(|length| length.0 > 0).ok_or_else(expected)?;
    if total > MAX_DURATION {
        return Err("at most 49d, or `none`".to_owned());
    }
    Ok(Some(total))
}

/// `1h30m` and the like, without a word for no limit.
pub fn sum_of_parts(text: &str) -> Option<Millis> {
    let mut seconds: u64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|character: char| !character.is_ascii_digit())?;
        let (number, tail) = rest.split_at(digits);
        let unit = match tail.as_bytes().first()? {
            b's' => 1,
            b'm' => 60,
            b'h' => 3600,
            b'd' => 86_400,
            _ => return None,
        };
        seconds = seconds.checked_add(number.parse::<u64>().ok()?.checked_mul(unit)?)?;
        rest = tail.get(1..)?.trim_start();
    }
    Some(Millis::seconds(seconds))
}

/// `safe`, `auto-edits` or `full-auto`.
pub fn permission(text: &str) -> Read<Permission> {
    [Permission::Safe, Permission::AutoEdits, Permission::FullAuto]
        .into_iter()
        .find(|permission| permission.name() == text.trim())
        .ok_or_else(|| "one of `safe`, `auto-edits`, `full-auto`".to_owned())
}

/// `true` or `false`.
pub fn truth(text: &str) -> Read<bool> {
    text.trim().parse().map_err(|_| "true or false".to_owned())
}

/// Any text that is not empty.
pub fn text(text: &str) -> Read<String> {
    let text = text.trim();
    if text.is_empty() { Err("some text".to_owned()) } else { Ok(text.to_owned()) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn lengths_of_time_need_a_unit() {
        assert_eq!(duration("90s"), Ok(Some(Millis::seconds(90))));
        assert_eq!(duration("1h30m"), Ok(Some(Millis::minutes(90))));
        assert_eq!(duration(" 1h 30m "), Ok(Some(Millis::minutes(90))));
        assert_eq!(duration("none"), Ok(None));
        for wrong in ["60", "", "m", "0s", "1w", "-5m", "1.5h", "5m5", "99999999999999999999s"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn limits_hold_at_their_edge() {
        assert_eq!(positive("256", MAX_SLOTS), Ok(256));
        assert!(positive("257", MAX_SLOTS).is_err());
        assert!(positive("0", MAX_SLOTS).is_err());
        assert_eq!(positive("100", MAX_ATTEMPTS), Ok(100));
        assert!(positive("101", MAX_ATTEMPTS).is_err());
        assert_eq!(duration("49d"), Ok(Some(MAX_DURATION)));
        assert!(duration("49d1s").is_err());
        assert_eq!(processors("4096"), Ok(Some(MAX_CPUS)));
        assert!(processors("4097").is_err() && processors("0").is_err());
        assert_eq!(bytes("16M"), Ok(Some(LEAST_MEMORY)));
        assert!(bytes("15M").is_err());
    }

    #[test]
    fn memory_needs_a_unit_and_containment_a_known_word() {
        assert_eq!((bytes("2G"), bytes("none")), (Ok(Some(2048 * MIB)), Ok(None)));
        for wrong in ["512", "", "4T", "-1G", "1.5G", "99999999999999999999G"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
        assert_eq!(containment(" sweep "), Ok(Containment::Sweep));
        assert!(containment("jail").is_err());
        assert_eq!(isolation("clone "), Ok(Isolation::Clone));
        assert!(isolation("copy").is_err());
    }

    #[test]
    fn money_and_tokens_are_positive_or_unbounded() {
        assert_eq!(dollars("$2.50"), Ok(Some(2.5)));
        assert_eq!(tokens("2_000_000"), Ok(Some(2_000_000)));
        assert_eq!((dollars("none"), tokens("none")), (Ok(None), Ok(None)));
        for wrong in ["0", "-1", "NaN", "inf", "much"] {
            assert!(dollars(wrong).is_err() && tokens(wrong).is_err(), "{wrong}");
        }
    }
}
