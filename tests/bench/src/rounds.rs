//! Interleaved measuring, and how a figure is said.

use std::time::{Duration, Instant};

/// One measured figure.
pub struct Figure {
    /// What was measured.
    pub name: &'static str,
    /// The measured thing.
    pub measured: f64,
    /// The floor it is held against.
    pub floor: f64,
    /// Of both.
    pub unit: &'static str,
    /// What the ratio should be, if there is an aim: `<= 1.25` or `>= 0.5`.
    pub aim: &'static str,
    /// What the floor is.
    pub against: &'static str,
}

impl Figure {
    /// Measured divided by floor.
    pub fn ratio(&self) -> f64 {
        self.measured / self.floor
    }

    /// For people.
    pub fn text(&self) -> String {
        let aim = if self.aim.is_empty() { String::new() } else { format!(", aim {}", self.aim) };
        format!(
            "{:.2} {unit}, {:.2} × {} ({:.2} {unit}){aim}",
            self.measured,
            self.ratio(),
            self.against,
            self.floor,
            unit = self.unit
        )
    }

    /// For programs.
    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "name": self.name,
            "measured": self.measured,
            "floor": self.floor,
            "unit": self.unit,
            "ratio": self.ratio(),
            "aim": self.aim,
            "against": self.against,
        })
    }
}

/// Runs both sides in turn and gives the median time of each.
pub fn in_turn(
    rounds: usize,
    mut one: impl FnMut() -> anyhow::Result<()>,
    mut other: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<(Duration, Duration)> {
    let (mut ones, mut others) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        ones.push(timed(&mut one)?);
        others.push(timed(&mut other)?);
    }
    Ok((median(ones), median(others)))
}

fn timed(work: &mut impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<Duration> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed())
}

/// The middle one.
pub fn median<T: Ord + Copy + Default>(mut values: Vec<T>) -> T {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or_default()
}
