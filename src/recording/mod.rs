//! Recordings of role commands: what was typed in and what came back, as it streamed.
//!
//! [`asciicast`] is the pure encoder and reader of the file format (asciicast v2); [`recorder`] writes files while the
//! command runs and gives their digest to the audit log.

pub mod asciicast;
pub mod recorder;
