//! Whether a host that goes on working goes on growing. Pure.
//!
//! The soak is cut into fifths by the tasks that have ended. The host may grow while
//! caches and pools fill, in the first two; what it takes in the last one is compared
//! with the second.

use super::drive::Sample;

/// Parts of a soak.
pub const PARTS: usize = 5;

/// Part of the memory by which it may grow, in percent: allocators keep some of what was freed.
const GROWTH_PERCENT: u64 = 15;

/// Or so many KiB, whichever is more: a small host is not measured more exactly.
const GROWTH_KIB: u64 = 8 << 10;

/// Descriptors and threads by which it may grow: connections and workers come and go.
const GROWTH_COUNT: usize = 8;

/// What the host took in a fifth of the soak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// The median, in KiB: a single look may meet a burst.
    pub resident_kib: u64,
    /// The least: what is never given back shows here.
    pub descriptors: Option<usize>,
    /// The least.
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
            descriptors: vitals.iter().filter_map(|vitals| vitals.descriptors).min(),
            threads: vitals.iter().filter_map(|vitals| vitals.threads).min(),
        })
    };
    (0..PARTS).filter_map(of).collect()
}

/// What grew too much between the second fifth and the last, in words.
pub fn growth(parts: &[Part]) -> Vec<String> {
    let [_, early, _, _, late] = parts else {
        return vec!["the host was not looked at often enough to see whether it grows".to_owned()];
    };
    let allowed = GROWTH_KIB.max(early.resident_kib * GROWTH_PERCENT / 100);
    let mut grown = Vec::new();
    if late.resident_kib > early.resident_kib + allowed {
        let (early, late) = (early.resident_kib, late.resident_kib);
        grown.push(format!("its memory grew from {early} to {late} KiB, by more than {allowed}"));
    }
    let counts =
        [("descriptors", early.descriptors, late.descriptors), ("threads", early.threads, late.threads)];
    for (what, early, late) in counts {
        if let (Some(early), Some(late)) = (early, late)
            && late > early + GROWTH_COUNT
        {
            grown.push(format!("its {what} grew from {early} to {late}, by more than {GROWTH_COUNT}"));
        }
    }
    grown
}

#[cfg(test)]
mod tests {
    use super::super::vitals::Vitals;
    use super::*;

    fn part(resident_kib: u64, descriptors: usize, threads: usize) -> Part {
        Part { resident_kib, descriptors: Some(descriptors), threads: Some(threads) }
    }

    fn grown(early: Part, late: Part) -> usize {
        growth(&[part(1, 1, 1), early, early, early, late]).len()
    }

    #[test]
    fn memory_may_grow_by_its_bound_and_not_by_one_more() {
        assert_eq!(grown(part(10_000, 9, 9), part(10_000 + GROWTH_KIB, 9, 9)), 0);
        assert_eq!(grown(part(10_000, 9, 9), part(10_001 + GROWTH_KIB, 9, 9)), 1);
        assert_eq!(grown(part(100_000, 9, 9), part(115_000, 9, 9)), 0);
        assert_eq!(grown(part(100_000, 9, 9), part(115_001, 9, 9)), 1);
    }

    #[test]
    fn descriptors_and_threads_may_grow_by_their_bound_and_not_by_one_more() {
        assert_eq!(grown(part(1, 9, 9), part(1, 9 + GROWTH_COUNT, 9 + GROWTH_COUNT)), 0);
        assert_eq!(grown(part(1, 9, 9), part(1, 10 + GROWTH_COUNT, 10 + GROWTH_COUNT)), 2);
    }

    #[test]
    fn a_host_that_was_hardly_looked_at_is_no_proof() {
        assert_eq!(growth(&[part(1, 1, 1); 2]).len(), 1);
    }

    #[test]
    fn a_part_is_the_median_of_memory_and_the_least_of_the_rest() {
        let sample = |done, resident_kib, count| {
            let vitals = Vitals { resident_kib, descriptors: Some(count), threads: None };
            Sample { done, vitals }
        };
        let samples = [sample(0, 5, 9), sample(1, 900, 7), sample(1, 6, 8), sample(10, 50, 4)];
        let parts = parts(&samples, 10);
        assert_eq!(parts.len(), 2, "fifths without a look are left out");
        assert_eq!(parts[0], Part { resident_kib: 6, descriptors: Some(7), threads: None });
        assert_eq!(parts[1], Part { resident_kib: 50, descriptors: Some(4), threads: None });
    }
}
