//! What must be true of everything that reads text or bytes from outside, whatever
//! stands in them. Each module has one function, `check`, that panics where it is not.
//!
//! A fuzzer calls it with inputs that it thinks up (`cargo xtask fuzz`); `cargo test`
//! with every input that was ever worth keeping (`tests/kept.rs`).

pub mod address;
pub mod answers;
pub mod audit;
pub mod clone;
pub mod component;
pub mod egress;
pub mod frames;
pub mod grant;
pub mod lockfile;
pub mod manifest;
pub mod policy;
pub mod redaction;
pub mod transcript;

/// A target: its name, which is that of its folders below `corpus` and `regressions`,
/// and what is to be true.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 13] = [
    ("address", address::check),
    ("answers", answers::check),
    ("audit", audit::check),
    ("clone", clone::check),
    ("component", component::check),
    ("egress", egress::check),
    ("frames", frames::check),
    ("grant", grant::check),
    ("lockfile", lockfile::check),
    ("manifest", manifest::check),
    ("policy", policy::check),
    ("redaction", redaction::check),
    ("transcript", transcript::check),
];
