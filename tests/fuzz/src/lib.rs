//! What must be true of everything that reads text or bytes from outside, whatever
//! stands in them. Each module has one function, `check`, that panics where it is not.
//!
//! A fuzzer calls it with inputs that it thinks up (`cargo xtask fuzz`); `cargo test`
//! with every input that was ever worth keeping (`tests/kept.rs`).

pub mod address;
pub mod answers;
pub mod component;
pub mod frames;
pub mod grant;
pub mod manifest;
pub mod policy;
pub mod transcript;

/// A target: its name, which is that of its folders below `corpus` and `regressions`,
/// and what is to be true.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 8] = [
    ("address", address::check),
    ("answers", answers::check),
    ("component", component::check),
    ("frames", frames::check),
    ("grant", grant::check),
    ("manifest", manifest::check),
    ("policy", policy::check),
    ("transcript", transcript::check),
];
