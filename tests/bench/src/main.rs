//! What Hostler costs, as ratios against a floor measured in the same run.
//!
//! `cargo xtask bench` builds this in release mode and runs it. Each figure is the
//! median of many interleaved rounds, so that whatever else the machine does falls
//! on both sides.

mod calls;
mod overhead;
mod parsing;
mod rounds;
mod supervisor;

use std::process::ExitCode;

use rounds::Figure;

fn main() -> ExitCode {
    // The host under measurement starts this program as its supervisor.
    if std::env::args().nth(1).as_deref() == Some("shim") {
        return hostler_daemon::shim_main();
    }
    match measure() {
        Ok(figures) => {
            print(&figures);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> anyhow::Result<Vec<Figure>> {
    let mut figures = calls::measure()?;
    figures.extend(parsing::measure()?);
    figures.extend(overhead::measure()?);
    figures.extend(supervisor::measure()?);
    Ok(figures)
}

fn print(figures: &[Figure]) {
    if std::env::args().any(|argument| argument == "--json") {
        let list: Vec<_> = figures.iter().map(Figure::json).collect();
        println!("{}", serde_json::json!({ "figures": list }));
        return;
    }
    let width = figures.iter().map(|figure| figure.name.len()).max().unwrap_or_default();
    for figure in figures {
        println!("{:width$}  {}", figure.name, figure.text());
    }
}
