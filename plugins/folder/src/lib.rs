//! A tracker for people without a tracker: every Markdown file in a folder is a
//! task. Write one, and it is done; its report stands at its end.
//!
//! It never changes a byte of a file but the lines of front matter it sets and
//! the report it appends, and never overwrites what its owner saved meanwhile.
//!
//! Main types: [`Folder`], the tracker; [`FrontMatter`](front_matter::FrontMatter),
//! a file as it is read and written.

pub mod front_matter;
mod report;
mod task_file;
mod tracker;
mod wishes;

pub use tracker::Folder;

hostler_sdk::tracker!(Folder);
