//! Whether a host that goes on working goes on growing. Pure.
//!
//! The soak is cut into fifths by the tasks that have ended. The host may grow while
//! caches and pools fill, in the first two; the memory it takes in the last one is
//! compared with the second. Descriptors and threads come and go with each agent, so
//! they are compared while it has nothing to do: before the first task, after the last.

use super::drive::Sample;
use super::vitals::Vitals;

/// Parts of a soak.
pub const PARTS: usize = 5;

/// Part of the memory by which it may grow, in percent: allocators keep some of what was freed.
const GROWTH_PERCENT: u64 = 15;

/// Or so many KiB, whichever is more: a small host is not measured more exactly.
const GROWTH_KIB: u64 = 8 << 10;

/// Descriptors that may stay: connections to the server that wait for the next request.
const STAYING_DESCRIPTORS: usize = 8;

/// Threads that may stay: workers that wait a while for more work, at most four for each
/// of eight agents. One for each task would be more, even in the shortest soak.
const STAYING_THREADS: usize = 32;

/// What the host took in a fifth of the soak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// The median, in KiB: a single look may meet a burst.
    pub resident_kib: u64,
    /// The most.
    pub descriptors: Option<usize>,
    /// The most.
    pub threads: Option<usize>,
}

/// One part for each fifth in which the host was looked at, in order.
pub fn parts(samples: &[Sample], tasks: usize) -> Vec<Part> {
    let of = |part: usize| {
        let within = move |sample: &&Sample| (sample.done * PARTS / tasks.max(1)).min(PARTS - 1) == part;
        let vitals: Vec<_> = samples.iter().filter(within).map(|sample| sample.vitals).collect();
        let mut resident: Vec<u64> = vitals.iter().map(|vitals| vitals.resident_kib).collect();
        resident.sort_unstable();
        Some(Part {
            resident_kib: *resident.get(resident.len() / 2)?,
            descriptors: vitals.iter().filter_map(|vitals| vitals.descriptors).max(),
            threads: vitals.iter().filter_map(|vitals| vitals.threads).max(),
        })
    };
    (0..PARTS).filter_map(of).collect()
}

/// How much too much the memory grew between the second fifth and the last, in words.
pub fn growth(parts: &[Part]) -> Option<String> {
    let [_, early, _, _, late] = parts else {
        return Some("the host was not looked at often enough to see whether it grows".to_owned());
    };
    let (early, late) = (early.resident_kib, late.resident_kib);
    let allowed = GROWTH_KIB.max(early * GROWTH_PERCENT / 100);
    let grown = late > early + allowed;
    grown.then(|| format!("its memory grew from {early} to {late} KiB, by more than {allowed}"))
}

/// What stayed that should have been given back, in words.
pub fn remains(before: &Vitals, after: &Vitals) -> Vec<String> {
    let counts = [
        ("descriptors", before.descriptors, after.descriptors, STAYING_DESCRIPTORS),
        ("threads", before.threads, after.threads, STAYING_THREADS),
    ];
    let grown = |(what, before, after, allowed): (&str, Option<usize>, Option<usize>, usize)| {
        let (before, after) = (before?, after?);
        let text = || format!("without work it has {after} {what}; before it worked it had {before}");
        (after > before + allowed).then(text)
    };
    counts.into_iter().filter_map(grown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grows(early: u64, late: u64) -> bool {
        let part = |resident_kib| Part { resident_kib, descriptors: None, threads: None };
        growth(&[part(1), part(early), part(early), part(early), part(late)]).is_some()
    }

    #[test]
    fn memory_may_grow_by_its_bound_and_not_by_one_more() {
        assert!(!grows(10_000, 10_000 + GROWTH_KIB));
        assert!(grows(10_000, 10_001 + GROWTH_KIB));
        assert!(!grows(100_000, 115_000));
        assert!(grows(100_000, 115_001));
    }

    #[test]
    fn descriptors_and_threads_may_stay_up_to_their_bound_and_not_one_more() {
        let took = |descriptors, threads| Vitals {
            resident_kib: 1,
            descriptors: Some(descriptors),
            threads: Some(threads),
        };
        let stayed = |descriptors, threads| remains(&took(9, 9), &took(9 + descriptors, 9 + threads)).len();
        assert_eq!(stayed(STAYING_DESCRIPTORS, STAYING_THREADS), 0);
        assert_eq!(stayed(STAYING_DESCRIPTORS + 1, STAYING_THREADS), 1);
        assert_eq!(stayed(STAYING_DESCRIPTORS, STAYING_THREADS + 1), 1);
    }

    #[test]
    fn a_host_that_was_hardly_looked_at_is_no_proof() {
        let part = Part { resident_kib: 1, descriptors: None, threads: None };
        assert!(growth(&[part; PARTS - 1]).is_some());
        assert!(growth(&[part; PARTS]).is_none());
    }

    #[test]
    fn a_part_is_the_median_of_memory_and_the_most_of_the_rest() {
        let sample = |done, resident_kib, count| {
            let vitals = Vitals { resident_kib, descriptors: Some(count), threads: None };
            Sample { done, vitals }
        };
        let samples = [sample(0, 5, 9), sample(1, 900, 7), sample(1, 6, 8), sample(10, 50, 4)];
        let parts = parts(&samples, 10);
        assert_eq!(parts.len(), 2, "fifths without a look are left out");
        assert_eq!(parts[0], Part { resident_kib: 6, descriptors: Some(9), threads: None });
        assert_eq!(parts[1], Part { resident_kib: 50, descriptors: Some(4), threads: None });
    }
}
