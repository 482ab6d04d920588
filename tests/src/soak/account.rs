//! What a soak tells at its end: what is wrong, and a table.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::Plan;
use super::drive::Driven;
use super::faults;
use super::findings::Findings;
use super::growth::{self, Part};
use super::vitals::Vitals;

/// The result of a soak; printed, it is a table.
#[derive(Debug)]
pub struct Account {
    /// What is wrong, in words; empty if the soak went well.
    pub wrong: Vec<String>,
    plan: Plan,
    took: Duration,
    moved: Duration,
    /// From claim to end in real time, shortest first.
    durations: Vec<Duration>,
    requests: usize,
    faults: BTreeMap<&'static str, usize>,
    lost_claims: usize,
    starts: usize,
    kept: usize,
    before: Part,
    parts: Vec<Part>,
    after: Part,
}

impl Account {
    /// Draws up what was found.
    pub(super) fn of(plan: Plan, driven: &Driven, findings: Findings) -> Self {
        let Findings { mut wrong, requests, lost_claims, starts, kept } = findings;
        let parts = growth::parts(&driven.samples, plan.tasks);
        wrong.extend(growth::growth(&parts));
        wrong.extend(growth::remains(&driven.before, &driven.after));
        let mut durations: Vec<Duration> = driven.tasks.iter().filter_map(super::Dispatched::took).collect();
        durations.sort_unstable();
        let mut struck = BTreeMap::new();
        for fault in requests.iter().filter_map(|request| request.fault) {
            *struck.entry(faults::name(&fault)).or_default() += 1;
        }
        Self {
            wrong,
            plan,
            took: driven.took,
            moved: driven.moved,
            durations,
            requests: requests.len(),
            faults: struck,
            lost_claims,
            starts,
            kept,
            before: still(driven.before),
            parts,
            after: still(driven.after),
        }
    }

    fn row(&self, what: &str, of: impl Fn(&Part) -> Option<String>) -> String {
        let parts = [&self.before].into_iter().chain(&self.parts).chain([&self.after]);
        let cells = parts.map(|part| format!("{:>9}", of(part).unwrap_or("-".to_owned())));
        format!("{what:<19}{}", cells.collect::<String>())
    }
}

/// A single look at the host.
fn still(vitals: Vitals) -> Part {
    let Vitals { resident_kib, descriptors, threads } = vitals;
    Part { resident_kib, descriptors, threads }
}

/// The duration that so many percent do not exceed.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(at).copied().unwrap_or_default()
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Plan { tasks, parallel, faults, seed } = self.plan;
        let seconds = self.took.as_secs_f64();
        #[allow(clippy::cast_precision_loss, reason = "there are few tasks")]
        let pace = tasks as f64 * 60.0 / seconds.max(f64::MIN_POSITIVE);
        let struck: Vec<String> = self.faults.iter().map(|(name, count)| format!("{name} {count}")).collect();
        let kept = self.kept;
        let mibibytes = |part: &Part| Some(format!("{:.1}", megabytes(part.resident_kib)));
        writeln!(f, "tasks              {tasks}, {parallel} at once, {faults} % faults, seed {seed}")?;
        writeln!(f, "took               {seconds:.0} s, and {} s that were skipped", self.moved.as_secs())?;
        writeln!(f, "tasks per minute   {pace:.0}")?;
        writeln!(
            f,
            "claim to end       half within {} ms, 95 % within {} ms",
            percentile(&self.durations, 50).as_millis(),
            percentile(&self.durations, 95).as_millis()
        )?;
        writeln!(f, "agents started     {}; {kept} worktrees hold work and are kept", self.starts)?;
        let all: usize = self.faults.values().sum();
        writeln!(f, "requests           {}, of them struck {all}: {}", self.requests, struck.join(", "))?;
        writeln!(f, "claims lost        {}", self.lost_claims)?;
        let heads = (1..=self.parts.len()).map(|part| format!("{:>7} %", part * 100 / growth::PARTS));
        writeln!(f, "\nhost                  before{}    after", heads.collect::<String>())?;
        writeln!(f, "{}", self.row("memory, MiB", mibibytes))?;
        writeln!(f, "{}", self.row("descriptors", |part| part.descriptors.map(|count| count.to_string())))?;
        write!(f, "{}", self.row("threads", |part| part.threads.map(|count| count.to_string())))?;
        for wrong in &self.wrong {
            write!(f, "\nWRONG: {wrong}")?;
        }
        Ok(())
    }
}

#[allow(clippy::cast_precision_loss, reason = "no process is that large")]
fn megabytes(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_durations() {
        let sorted: Vec<Duration> = (1..=20).map(Duration::from_millis).collect();
        assert_eq!(percentile(&sorted, 50), Duration::from_millis(10));
        assert_eq!(percentile(&sorted, 95), Duration::from_millis(19));
        assert_eq!(percentile(&sorted[..1], 95), Duration::from_millis(1));
        assert_eq!(percentile(&[], 50), Duration::ZERO);
    }
}
