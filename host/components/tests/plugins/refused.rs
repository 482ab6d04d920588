//! Files that are not loaded, each with its reason in one sentence.

use hostler_components::{Fault, Fingerprint, LoadError, Refusal, inspect};

use crate::guest::{Guest, append_section, manifest};
use crate::guests::Host;

fn refusal(bytes: &[u8]) -> Refusal {
    Host::new().load_bytes(bytes).unwrap_err().refusal
}

#[test]
fn a_missing_file_is_named_with_its_path() {
    let host = Host::new();
    let path = host.folder.path().join("absent.wasm");
    let LoadError { path: named, refusal } = host.runtime.load(&path).unwrap_err();
    assert_eq!(named, path);
    assert!(matches!(refusal, Refusal::Unreadable(_)));
}

#[test]
fn a_file_above_64_mib_is_not_even_read() {
    let host = Host::new();
    let path = host.folder.path().join("huge.wasm");
    std::fs::File::create(&path).unwrap().set_len((64 << 20) + 1).unwrap();
    let refusal = host.runtime.load(&path).unwrap_err().refusal;
    assert!(matches!(refusal, Refusal::TooLarge(67_108_865)), "{refusal}");
    std::fs::File::create(&path).unwrap().set_len(64 << 20).unwrap();
    let refusal = host.runtime.load(&path).unwrap_err().refusal;
    assert!(matches!(refusal, Refusal::NotWasm), "{refusal}");
}

#[test]
fn a_truncated_plugin_is_damaged_wherever_it_was_cut() {
    let whole = Guest::provider().build();
    for length in [9, 100, whole.len() / 2, whole.len() - 1] {
        let refusal = refusal(&whole[..length]);
        assert!(matches!(refusal, Refusal::Invalid(_)), "{length}: {refusal}");
    }
}

#[test]
fn damage_inside_of_a_function_is_found_by_the_compiler() {
    let mut bytes = Guest::provider().build();
    // An unknown instruction in place of `if (then unreachable)` in `$ensure`.
    let code = bytes.windows(3).position(|window| window == [0x04, 0x40, 0x00]).unwrap();
    bytes[code + 2] = 0xff;
    let refusal = refusal(&bytes);
    assert!(matches!(refusal, Refusal::Compile(_)), "{refusal}");
}

#[test]
fn a_core_module_and_native_code_are_told_apart_from_components() {
    assert!(matches!(refusal(&wat::parse_str("(module)").unwrap()), Refusal::CoreModule));
    let native = {
        let host = Host::new();
        host.load(&Guest::provider());
        let cached = std::fs::read_dir(host.folder.path().join("cache")).unwrap().next().unwrap();
        std::fs::read(cached.unwrap().path()).unwrap()[32..].to_vec()
    };
    assert!(matches!(refusal(&native), Refusal::NativeCode));
}

#[test]
fn whatever_a_plugin_imports_is_named() {
    for import in ["wasi:cli/environment@0.2.0", "acme:spy/listen@1.0.0"] {
        let text = format!(r#"(component (import "{import}" (instance (export "f" (func)))))"#);
        let refusal = refusal(&wat::parse_str(text).unwrap());
        assert!(refusal.to_string().contains(&format!("imports `{import}`")), "{refusal}");
    }
}

#[test]
fn a_component_for_something_else_is_refused() {
    let refusal = refusal(&wat::parse_str("(component)").unwrap());
    assert!(matches!(&refusal, Refusal::NoInterface(names) if names.is_empty()), "{refusal}");
}

#[test]
fn another_version_of_the_contract_names_the_interface_and_the_way_out() {
    let refusal = refusal(&Guest::provider().contract("@0.1.0", "@0.2.0").build());
    assert!(matches!(refusal, Refusal::WrongContract(_)));
    let text = refusal.to_string();
    for part in ["`hostler:plugin/provider@0.2.0`", "hostler:plugin@0.1.0", "rebuild it with hostler-sdk 0.1"]
    {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn a_contract_of_the_same_name_with_other_functions_is_refused() {
    let changed = Guest::provider().contract(
        "detect: func(version-output: string) -> capabilities;",
        "detect: func(version-output: string) -> string;",
    );
    let refusal = refusal(&changed.build());
    assert!(
        matches!(&refusal, Refusal::WrongTypes(what) if what.contains("expected `record` found `string`")),
        "{refusal}"
    );
}

#[test]
fn a_manifest_is_there_once_and_makes_sense() {
    let build = |manifest: Option<&str>| Guest::provider().manifest(manifest).build();
    assert!(matches!(refusal(&build(None)), Refusal::ManifestMissing));
    assert!(matches!(refusal(&build(Some("nonsense"))), Refusal::Manifest(_)));
    let mut twice = Guest::provider().build();
    append_section(&mut twice, "hostler:manifest", b"");
    assert!(matches!(refusal(&twice), Refusal::ManifestRepeated(2)));
}

#[test]
fn a_manifest_that_does_not_fit_its_component_is_a_lie() {
    let program = "[program]\nname = \"a\"\n[program.commands.start]\nargs = []\n";
    let http = "[[http]]\norigin = \"https://example.com\"\nmethods = [\"GET\"]\n";
    let cases = [
        (Guest::tracker(), manifest(program), "exports no provider"),
        (Guest::provider(), manifest(""), "has no `[program]`"),
        (Guest::provider(), manifest(&format!("{http}{program}")), "exports no tracker"),
    ];
    for (guest, manifest, reason) in cases {
        let refusal = refusal(&guest.manifest(Some(&manifest)).build());
        assert!(matches!(refusal, Refusal::ManifestLies(_)));
        assert!(refusal.to_string().contains(reason), "{refusal}");
    }
}

#[test]
fn a_giant_custom_section_is_only_weight() {
    let mut bytes = Guest::provider().build();
    append_section(&mut bytes, "ballast", &vec![7; 10 << 20]);
    let host = Host::new();
    assert_eq!(host.load_bytes(&bytes).unwrap().detect("1").unwrap().version, "1");
}

#[test]
fn more_memory_than_allowed_at_the_start_is_refused() {
    let bytes = Guest::provider().extra("(memory 2000)").build();
    let refusal = refusal(&bytes);
    assert!(
        matches!(&refusal, Refusal::Start(error) if matches!(error.fault, Fault::OutOfMemory { .. })),
        "{refusal}"
    );
}

#[test]
fn inspection_shows_a_good_plugin_without_running_it() {
    let bytes = Guest::provider().extra("(func $start unreachable) (start $start)").build();
    let found = inspect(&bytes).unwrap();
    assert_eq!(found.exports, ["hostler:plugin/provider@0.1.0"]);
    assert_eq!(found.imports, [""; 0]);
    assert_eq!(found.contract.as_deref(), Some("hostler:plugin@0.1.0"));
    assert_eq!(found.size, bytes.len() as u64);
    assert_eq!(found.refusal, None);
    let program = found.manifest.unwrap().rights.program.unwrap();
    assert_eq!(program.name.as_deref(), Some("agent"));
}

#[test]
fn inspection_shows_a_refused_plugin_as_well() {
    let old = inspect(&Guest::tracker().contract("@0.1.0", "@0.0.9").manifest(None).build()).unwrap();
    assert_eq!(old.contract.as_deref(), Some("hostler:plugin@0.0.9"));
    assert!(old.refusal.unwrap().contains("rebuild it"));
    assert!(old.manifest_error.unwrap().contains("has no manifest"));
    let spy =
        wat::parse_str(r#"(component (import "wasi:http/types@0.2.0" (instance (export "f" (func)))))"#);
    let spy = inspect(&spy.unwrap()).unwrap();
    assert_eq!(spy.imports, ["wasi:http/types@0.2.0"]);
    assert_eq!(serde_json::to_value(&spy).unwrap()["imports"][0], "wasi:http/types@0.2.0");
}

#[test]
fn a_fingerprint_tells_what_changed_between_two_builds() {
    let of = |guest: Guest| Fingerprint::of(&guest.build()).unwrap();
    let plain = of(Guest::tracker());
    assert_eq!(plain.contract, "hostler:plugin@0.1.0");
    let rebuilt = of(Guest::tracker().extra("(func (result i32) (i32.const 7))"));
    assert!(rebuilt.file != plain.file, "another build");
    assert_eq!((rebuilt.manifest, rebuilt.surface), (plain.manifest, plain.surface));
    let renamed = of(Guest::tracker().manifest(Some(&manifest("").replace("For tests.", "For more tests."))));
    assert!(renamed.manifest != plain.manifest && renamed.surface == plain.surface);
    let right =
        "[[http]]\norigin = \"https://a.example\"\nmethods = [\"GET\"]\npath = \"/\"\nreason = \"to ask\"\n";
    assert!(of(Guest::tracker().manifest(Some(&manifest(right)))).surface != plain.surface);
    assert!(matches!(Fingerprint::of(b"no plugin"), Err(Refusal::NotWasm)));
}
