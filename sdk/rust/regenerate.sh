#!/bin/sh
# Makes src/bindings anew from the contract in wit/.
# Needs: cargo install wit-bindgen-cli --version 0.61.1
set -eu
cd "$(dirname "$0")"
bindings=src/bindings

generate() { # world, name of the export macro, module, further options
    world=$1 macro=$2 module=$3
    shift 3
    wit-bindgen rust ../../wit --world "$world" --format --out-dir "$bindings" \
        --generate-all --generate-unused-types --pub-export-macro \
        --export-macro-name "$macro" \
        --default-bindings-module "hostler_sdk::bindings::$module" \
        --runtime-path ::hostler_sdk::wit_bindgen::rt \
        --additional-derive-attributes PartialEq "$@"
    mv "$bindings/$(echo "$world" | tr - _).rs" "$bindings/$module.rs"
}

generate tracker-plugin export_tracker tracker
generate provider-plugin export_provider provider \
    --with hostler:plugin/types@0.1.0=crate::bindings::tracker::hostler::plugin::types
rm -f "$bindings"/wit/*.wit
mkdir -p "$bindings/wit"
cp ../../wit/*.wit "$bindings/wit/"
