//! What is written down of every run, and what can be told and decided again from it.

pub mod audit;
pub mod audited;
pub mod calls;
pub mod copying;
pub mod denied;
pub mod events;
pub mod explained;
pub mod history;
pub mod json_lines;
pub mod projection;
pub mod recovery;
pub mod replay;
pub mod told;
