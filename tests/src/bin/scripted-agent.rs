//! Plays any coding CLI in tests; see `hostler_tests::scripted_agent`.

fn main() {
    hostler_tests::scripted_agent::main()
}
