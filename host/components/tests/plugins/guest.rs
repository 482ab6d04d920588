//! Builds small plugins from text: a core module whose functions do what a test
//! says, made a component by the same tools that real plugins are built with.

#![allow(dead_code)] // each test program uses its part

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{Resolve, SizeAlign, Type};

/// The contract as it stands in the repository.
pub fn contract() -> String {
    [
        include_str!("../../../../wit/types.wit"),
        include_str!("../../../../wit/tracker.wit"),
        include_str!("../../../../wit/provider.wit"),
    ]
    .join("\n")
}

/// A plugin under construction. Functions that are not set give small, valid
/// answers.
pub struct Guest {
    interface: &'static str,
    contract: String,
    bodies: Vec<(&'static str, String)>,
    extra: String,
    manifest: Option<String>,
}

/// Name, core signature and default body of each function. The return area at
/// 1024 is all zeros: an empty string, an empty list, `ok`, `none`.
type Function = (&'static str, &'static str, &'static str);

const PROVIDER: &[Function] = &[
    (
        "detect",
        "(param $text i32) (param $length i32) (result i32)",
        "(i32.store (i32.const 1024) (local.get $text))
         (i32.store (i32.const 1028) (local.get $length))
         (i32.const 1024)",
    ),
    ("launch", "(param $job i32) (result i32)", "(i32.const 2048)"),
    ("[constructor]session", "(param $job i32) (result i32)", "(call $new (i32.const 1))"),
    (
        "[method]session.lines",
        "(param $self i32) (param $source i32) (param $lines i32) (param $count i32) (result i32)",
        "(i32.const 2048)",
    ),
    (
        "[method]session.message",
        "(param $self i32) (param $text i32) (param $length i32) (result i32)",
        "(i32.const 2048)",
    ),
    (
        "[method]session.finish",
        "(param $self i32) (param i32 i32 i32 i32 i32 i32 i32) (result i32)",
        "(i32.const 2048)",
    ),
];

const TRACKER: &[Function] = &[
    (
        "[static]connection.open",
        "(param $config i32) (param $length i32) (param i32 i32 i32) (result i32)",
        "(i32.store (i32.const 1028) (call $new (i32.const 1))) (i32.const 1024)",
    ),
    ("[method]connection.begin", "(param $arguments i32) (result i32)", "(i32.const 2048)"),
    (
        "[method]connection.resume",
        "(param $self i32) (param i32 i32 i32 i32 i32 i32 i32 i32) (param f64) (result i32)",
        "(i32.const 2048)",
    ),
    (
        "[method]connection.receive",
        "(param $self i32) (param i32 i32 i32 i32 i32 i32) (param f64) (result i32)",
        "(i32.const 2048)",
    ),
    ("[method]connection.save", "(param $self i32) (result i32)", "(i32.const 2048)"),
    ("plan", "(param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)", "(i32.const 2048)"),
    ("prompt", "(param $arguments i32) (result i32)", "(i32.const 2048)"),
    (
        "retry",
        "(param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)",
        "(i32.const 2048)",
    ),
];

/// Where long answers are put: between the return areas and the heap.
pub const ANSWER: u32 = 1 << 20;

/// The module around the functions. Arguments are put on a heap that grows and is
/// never freed.
const FRAME: &str = r#"
    (memory (export "memory") 64)
    (global $heap (mut i32) (i32.const 4194304))
    (func (export "cabi_realloc") (param i32 i32) (param $align i32) (param $size i32) (result i32)
        (local $at i32)
        (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
        (global.set $heap (i32.add (local.get $at) (local.get $size)))
        (call $ensure (global.get $heap))
        (local.get $at))
    (func $ensure (param $end i32)
        (local $missing i32)
        (local.set $missing (i32.sub
            (i32.shr_u (i32.add (local.get $end) (i32.const 65535)) (i32.const 16))
            (memory.size)))
        (if (i32.gt_s (local.get $missing) (i32.const 0)) (then
            (if (i32.eq (memory.grow (local.get $missing)) (i32.const -1)) (then unreachable)))))
    ;; Writes `count` records of `stride` bytes with this discriminant, and a list of
    ;; them in the return area.
    (func $records (param $count i32) (param $stride i32) (param $case i32) (result i32)
        (local $at i32) (local $left i32)
        (local.set $at (i32.const 1048576))
        (local.set $left (local.get $count))
        (block $done (loop $next
            (br_if $done (i32.eqz (local.get $left)))
            (i32.store8 (local.get $at) (local.get $case))
            (local.set $at (i32.add (local.get $at) (local.get $stride)))
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br $next)))
        (i32.store (i32.const 1024) (i32.const 1048576))
        (i32.store (i32.const 1028) (local.get $count))
        (i32.const 1024))
"#;

impl Guest {
    /// A provider that does nothing wrong.
    pub fn provider() -> Self {
        Self::new(
            "provider",
            "[program]\nname = \"agent\"\n[program.commands.start]\nargs = [\"{prompt}\"]\n",
        )
    }

    /// A tracker that does nothing wrong.
    pub fn tracker() -> Self {
        Self::new("tracker", "")
    }

    fn new(interface: &'static str, rights: &str) -> Self {
        Self {
            interface,
            contract: contract(),
            bodies: Vec::new(),
            extra: String::new(),
            manifest: Some(manifest(rights)),
        }
    }

    /// Replaces the body of one function.
    pub fn body(mut self, function: &'static str, body: impl Into<String>) -> Self {
        self.bodies.push((function, body.into()));
        self
    }

    /// Adds definitions to the module.
    pub fn extra(mut self, text: &str) -> Self {
        self.extra.push_str(text);
        self
    }

    /// Replaces the manifest, or leaves it out.
    pub fn manifest(mut self, manifest: Option<&str>) -> Self {
        self.manifest = manifest.map(str::to_owned);
        self
    }

    /// Builds it against a changed contract.
    pub fn contract(mut self, from: &str, to: &str) -> Self {
        assert!(self.contract.contains(from));
        self.contract = self.contract.replace(from, to);
        self
    }

    /// The component.
    pub fn build(&self) -> Vec<u8> {
        let (resolve, package) = parse(&self.contract);
        let world = format!("{}-plugin", self.interface);
        let world = resolve.select_world(&[package], Some(&world)).unwrap();
        let mut module = wat::parse_str(self.module(&version(&self.contract))).unwrap();
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
        let mut encoder = ComponentEncoder::default().validate(true).module(&module).unwrap();
        let mut component = encoder.encode().unwrap();
        if let Some(manifest) = &self.manifest {
            append_section(&mut component, "hostler:manifest", manifest.as_bytes());
        }
        component
    }

    fn module(&self, version: &str) -> String {
        let name = format!("hostler:plugin/{}@{version}", self.interface);
        let (functions, resource) = match self.interface {
            "provider" => (PROVIDER, "session"),
            _ => (TRACKER, "connection"),
        };
        let functions: Vec<String> = functions
            .iter()
            .map(|(function, signature, default)| {
                let set = self.bodies.iter().find(|(name, _)| name == function);
                let body = set.map_or(*default, |(_, body)| body);
                format!(r#"(func (export "{name}#{function}") {signature} {body})"#)
            })
            .collect();
        format!(
            r#"(module (import "[export]{name}" "[resource-new]{resource}"
                (func $new (param i32) (result i32))) {FRAME} {} {})"#,
            self.extra,
            functions.concat()
        )
    }
}

fn parse(contract: &str) -> (Resolve, wit_parser::PackageId) {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("contract.wit", contract).unwrap();
    (resolve, package)
}

fn version(contract: &str) -> String {
    let line = contract.lines().find(|line| line.starts_with("package")).unwrap();
    line.split('@').nth(1).unwrap().trim_end_matches(';').to_owned()
}

/// Size of a type of the contract in a guest's memory.
pub fn size_of(interface: &str, name: &str) -> usize {
    let (resolve, package) = parse(&contract());
    let interface = resolve.packages[package].interfaces[interface];
    let mut sizes = SizeAlign::default();
    sizes.fill(&resolve);
    sizes.size(&Type::Id(resolve.interfaces[interface].types[name])).size_wasm32()
}

/// A manifest with these rights.
pub fn manifest(rights: &str) -> String {
    format!(
        "[plugin]\nid = \"test\"\nname = \"Test\"\nversion = \"1.0.0\"\n\
         contract = \"hostler:plugin@0.1.0\"\ndescription = \"For tests.\"\n{rights}"
    )
}

/// Appends a custom section.
pub fn append_section(wasm: &mut Vec<u8>, name: &str, content: &[u8]) {
    let mut section = Vec::new();
    leb(&mut section, name.len());
    section.extend_from_slice(name.as_bytes());
    section.extend_from_slice(content);
    append(wasm, 0, &section);
}

/// Appends a section of any kind.
pub fn append(wasm: &mut Vec<u8>, kind: u8, section: &[u8]) {
    wasm.push(kind);
    leb(wasm, section.len());
    wasm.extend_from_slice(section);
}

fn leb(out: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        out.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
        number >>= 7;
    }
    out.push(u8::try_from(number).unwrap());
}
