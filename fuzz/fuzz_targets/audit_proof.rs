//! libFuzzer around `audit_proof` of `fuzz/src/targets/`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = doorward_fuzz::targets::run("audit_proof", data);
});
