//! The scripted agent: one program that plays any coding CLI.
//!
//! A test installs it under the name of a real CLI ([`install`]) together with a
//! [`Script`]. The host starts it as it would start the real one, with whatever
//! flags that CLI takes; the script says what it does instead of thinking: print
//! a recorded transcript, write files, commit, hang, leave children behind, die.
//!
//! It needs nothing from its environment, because the host gives agents almost
//! none: the script lies beside the program. What each start was given
//! (arguments, environment, folder, standard input) is written to a log beside
//! the script, from where the test reads it as [`Start`]s.

mod answers;
mod children;
mod ending;
pub mod imitations;
mod install;
mod locate;
mod main;
mod output;
mod player;
mod script;
mod signals;
mod starts;
mod step;
mod tricks;

pub use install::{InstallError, Installed, install, transcript};
pub use main::main;
pub use script::{Answer, Attempt, Counting, Script, ScriptError};
pub use starts::{Ended, Start, StartsError, read_starts};
pub use step::{ChildKind, Pace, Replacement, SignalName, Step, Stream};
pub use tricks::Trick;
