//! libFuzzer around `proxy_header` of `fuzz/src/targets/`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = doorward_fuzz::targets::run("proxy_header", data);
});
