//! Files that are heavy or damaged by design: taken or refused at once, without harm.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hostler_components::limits::{CORE_INSTANCES, MEMORIES, TABLES};
use hostler_components::{Refusal, inspect};

use crate::guest::{Guest, append, append_section};
use crate::guests::Host;

/// Set where a missing plugin must not pass for a good one.
const REQUIRED: &str = "HOSTLER_REQUIRE_PLUGINS";

/// Far more than any of these files takes on a busy machine, and far less than harm.
const AT_ONCE: Duration = Duration::from_secs(5);

/// The kinds of sections that hold a module, instances of modules, and a component
/// inside of a component.
const MODULE: u8 = 1;
const INSTANCES: u8 = 2;
const COMPONENT: u8 = 4;

fn at_once<T>(work: impl FnOnce() -> T) -> T {
    let since = Instant::now();
    let done = work();
    assert!(since.elapsed() < AT_ONCE, "it took {:?}", since.elapsed());
    done
}

fn refusal(bytes: &[u8]) -> Refusal {
    at_once(|| Host::new().load_bytes(bytes).unwrap_err().refusal)
}

#[test]
fn a_million_empty_sections_are_only_weight() {
    let mut bytes = Guest::provider().build();
    let mut section = Vec::new();
    append_section(&mut section, "", b"");
    bytes.extend(section.repeat(1_000_000));
    let host = Host::new();
    let plugin = at_once(|| host.load_bytes(&bytes).unwrap());
    assert_eq!(plugin.detect("1").unwrap().version, "1");
}

#[test]
fn a_section_that_claims_more_than_the_file_holds_allocates_nothing() {
    let mut bytes = Guest::provider().build();
    // A custom section of 4 GiB, of which nothing follows.
    bytes.extend([0, 0xff, 0xff, 0xff, 0xff, 0x0f]);
    let refusal = refusal(&bytes);
    assert!(matches!(refusal, Refusal::Invalid(_)), "{refusal}");
}

#[test]
fn a_second_manifest_is_refused_however_deep_it_lies() {
    let mut inner = wat::parse_str("(component)").unwrap();
    append_section(&mut inner, "hostler:manifest", b"[plugin]\nid = \"innocent\"\n");
    let mut bytes = Guest::provider().build();
    append(&mut bytes, COMPONENT, &inner);
    let refusal = refusal(&bytes);
    assert!(matches!(refusal, Refusal::ManifestRepeated(2)), "{refusal}");
}

#[test]
fn ten_thousand_components_inside_of_each_other_overflow_no_stack() {
    let mut nested = wat::parse_str("(component)").unwrap();
    for _ in 0..10_000 {
        let mut outer = wat::parse_str("(component)").unwrap();
        append(&mut outer, COMPONENT, &nested);
        nested = outer;
    }
    let refusal = refusal(&nested);
    assert!(matches!(refusal, Refusal::Invalid(_)), "{refusal}");
}

#[test]
fn a_type_that_doubles_a_hundred_times_is_refused() {
    let double = |n: u32| format!("(type $t{n} (tuple $t{0} $t{0}))", n - 1);
    let doublings: Vec<String> = (1..100).map(double).collect();
    let text = format!("(component (type $t0 (tuple u8 u8)) {})", doublings.concat());
    let refusal = refusal(&wat::parse_str(text).unwrap());
    assert!(matches!(refusal, Refusal::Invalid(_)), "{refusal}");
}

/// A good plugin, which is one instance with one memory, and so many instances more.
fn with_instances(module: &str, count: usize) -> Vec<u8> {
    let mut bytes = Guest::provider().build();
    append(&mut bytes, MODULE, &wat::parse_str(module).unwrap());
    // Each of the second module, and without arguments.
    let mut section = vec![u8::try_from(count).unwrap()];
    section.extend([0, 1, 0].repeat(count));
    append(&mut bytes, INSTANCES, &section);
    bytes
}

#[test]
fn as_many_parts_as_are_allowed_are_made_and_not_one_more() {
    let two_tables = "(module (table 0 funcref) (table 0 funcref))";
    for (module, most) in
        [("(module)", CORE_INSTANCES - 1), ("(module (memory 0))", MEMORIES - 1), (two_tables, TABLES / 2)]
    {
        let host = Host::new();
        let plugin = at_once(|| host.load_bytes(&with_instances(module, most)).unwrap());
        assert_eq!(plugin.detect("1").unwrap().version, "1", "{module}");
        let refusal = refusal(&with_instances(module, most + 1));
        assert!(matches!(refusal, Refusal::Start(_)), "{module}: {refusal:?}");
    }
}

/// Plugins of this repository, if they were built.
fn built() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins");
    let entries = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    let mut plugins: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|end| end == "wasm")).collect();
    plugins.sort();
    let message = "no plugin is built, run `cargo xtask plugins`";
    assert!(!plugins.is_empty() || std::env::var_os(REQUIRED).is_none(), "{message}");
    if plugins.is_empty() {
        eprintln!("skipped: {message}");
    }
    plugins
}

/// A sequence that looks random and is the same in every run (xorshift).
fn dice(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed | 1;
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    }
}

#[test]
fn real_plugins_with_flipped_bits_are_inspected_without_harm() {
    for path in built() {
        let whole = std::fs::read(&path).unwrap();
        let mut dice = dice(whole.len() as u64);
        let mut refused = 0;
        for _ in 0..100 {
            let mut bytes = whole.clone();
            (0..=dice(8)).for_each(|_| bytes[dice(whole.len())] ^= 1 << dice(8));
            let sound = inspect(&bytes).is_ok_and(|found| found.refusal.is_none());
            refused += usize::from(!sound);
        }
        assert!(refused > 0, "{}: no damage was seen", path.display());
    }
}

#[test]
fn real_plugins_cut_anywhere_are_damaged_and_whole_ones_are_not() {
    for path in built() {
        let whole = std::fs::read(&path).unwrap();
        assert_eq!(inspect(&whole).unwrap().refusal, None, "{}", path.display());
        let mut dice = dice(whole.len() as u64);
        for _ in 0..50 {
            let length = dice(whole.len());
            let sound = inspect(&whole[..length]).is_ok_and(|found| found.refusal.is_none());
            assert!(!sound, "{} cut at {length}", path.display());
        }
    }
}
