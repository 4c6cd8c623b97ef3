//! The fuzz targets as a library, for the binaries in `fuzz_targets/`. `CONTRIBUTING.md` says how to run them.

pub mod targets;
