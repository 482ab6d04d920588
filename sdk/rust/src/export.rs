//! The macros that make a crate a plugin.
//!
//! They export only where a component is built: on any other target the exports
//! have names no linker accepts, and `cargo test` must link.

/// Makes the crate a tracker plugin: exports the [`Tracker`](crate::Tracker) and
/// packs `plugin.toml`, which stands beside the crate's `Cargo.toml`.
#[macro_export]
macro_rules! tracker {
    ($tracker:ty) => {
        $crate::__export_tracker!($tracker);
        $crate::__pack_manifest!();
    };
}

/// Makes the crate a provider plugin: exports the
/// [`Provider`](crate::Provider) and packs `plugin.toml`, which stands beside
/// the crate's `Cargo.toml`.
#[macro_export]
macro_rules! provider {
    ($provider:ty) => {
        $crate::__export_provider!($provider);
        $crate::__pack_manifest!();
    };
}

/// Makes the crate a plugin for both a tracker and a provider.
#[macro_export]
macro_rules! tracker_and_provider {
    ($tracker:ty, $provider:ty) => {
        $crate::__export_tracker!($tracker);
        $crate::__export_provider!($provider);
        $crate::__pack_manifest!();
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __export_tracker {
    ($tracker:ty) => {
        const _: () = {
            #[allow(dead_code, reason = "only a component exports it")]
            type Exported = $crate::tracker::Export<$tracker>;
            #[cfg(target_arch = "wasm32")]
    $crate::bindings::tracker::export_tracker!(Exported with_types_in $crate::bindings::tracker);
        };
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __export_provider {
    ($provider:ty) => {
        const _: () = {
            #[allow(dead_code, reason = "only a component exports it")]
            type Exported = $crate::provider::Export<$provider>;
            #[cfg(target_arch = "wasm32")]
    $crate::bindings::provider::export_provider!(Exported with_types_in $crate::bindings::provider);
        };
    };
}

/// The manifest becomes a custom section of the plugin, where the host reads it
/// without running anything.
#[doc(hidden)]
#[macro_export]
macro_rules! __pack_manifest {
    () => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            const MANIFEST: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/plugin.toml"));
            #[used]
            #[unsafe(link_section = "hostler:manifest")]
            static PACKED: [u8; MANIFEST.len()] =
                *include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/plugin.toml"));
        };
    };
}
