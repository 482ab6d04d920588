//! Who stands behind a command, as the audit log names them.

use std::ffi::CString;

use hostler_daemon::audit::By;
use hostler_daemon::consent::Consent;

use crate::context::{Context, now};

/// The user, and how they confirmed it: `--yes`, the terminal they typed at, or none.
/// The number is the system's; the name is what the environment says.
fn by(yes: bool, context: &Context) -> By {
    let name = ["USER", "LOGNAME"].into_iter().find_map(|name| context.environment.get(name));
    let name = name.map_or("?", String::as_str);
    By { user: format!("{name} (uid {})", rustix::process::getuid().as_raw()), how: how(yes, terminal()) }
}

/// The same, as one who gives and takes back grants now.
pub fn consent(yes: bool, context: &Context) -> Consent {
    Consent::new(&context.home, by(yes, context), now())
}

/// A grant that follows from the one that an earlier build has.
pub fn carried_over(context: &Context) -> Consent {
    let by = By { how: "carried over".to_owned(), ..by(false, context) };
    Consent::new(&context.home, by, now())
}

fn how(yes: bool, terminal: Option<String>) -> String {
    match (yes, terminal) {
        (true, _) => "--yes".to_owned(),
        (false, Some(terminal)) => terminal,
        (false, None) => "no terminal".to_owned(),
    }
}

/// Where the person types, such as `/dev/pts/3`.
fn terminal() -> Option<String> {
    let name = rustix::termios::ttyname(std::io::stdin(), Vec::new()).ok();
    name.map(CString::into_string).and_then(Result::ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_yes_said_beforehand_is_told_apart_from_one_that_was_typed() {
        let terminal = || Some("/dev/pts/3".to_owned());
        assert_eq!(how(true, terminal()), "--yes");
        assert_eq!(how(false, terminal()), "/dev/pts/3");
        assert_eq!(how(false, None), "no terminal");
    }
}
