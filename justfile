# Short names for what people type here. `just` is optional: each line is an ordinary command.

# Everything that CI runs.
check:
    scripts/test

# The tests alone; `just test store` for those whose name holds "store".
test *filter:
    cargo test --release --locked {{filter}}

# A gigabyte through the bastion and back, fifty times: an hour or more. `just soak 4 64` for four times 64 MiB.
soak runs="50" mib="1024":
    DOORWARD_SOAK_RUNS={{runs}} DOORWARD_SOAK_MIB={{mib}} cargo test --release --locked --test bulk transfers_one_after

# Format and lints.
lint:
    cargo fmt --check
    cargo clippy --release --all-targets --locked -- -D warnings

fmt:
    cargo fmt

# The crate's documentation, in a browser.
doc:
    cargo doc --release --locked --no-deps --document-private-items --open

# The main job on loopback, with commands to paste.
demo:
    cargo run --release --locked -- demo

# The same as a story that checks itself.
tour:
    cargo run --release --locked -- demo --tour

# libFuzzer on one target of fuzz/src/targets (needs `cargo install cargo-fuzz`). New inputs stay out of git. No AddressSanitizer:
# our code forbids `unsafe`, and without it the same minute tries several times as much.
fuzz target seconds="60":
    mkdir -p fuzz/target/corpus/{{target}}
    RUSTC_BOOTSTRAP=1 cargo fuzz run --sanitizer none {{target}} fuzz/target/corpus/{{target}} fuzz/corpus/{{target}} -- -max_total_time={{seconds}} -timeout=10 -rss_limit_mb=4096

# The same for every target, one after the other.
fuzz-all seconds="60":
    for target in $(ls fuzz/corpus); do just fuzz "$target" {{seconds}} || exit 1; done

# doorward beside the installed OpenSSH, in alternation (docs/benchmarks.md); `just bench --only a,c` for some of it.
bench *options:
    cargo bench --locked --bench doorward -- {{options}}

# The dependency policy in full; the tests hold the part that matters offline.
deny:
    cargo deny check bans licenses sources
