//! The verbs as people meet them: what they type, what they read, what they type next.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::*;

mod answers;
mod conditions;
mod requests;
mod world;

use world::{Screen, World};

const ASK: &str = "request web-restart --on web-1 --for 30m --reason INC-4711 nginx won't start";

async fn until(screen: &Screen, text: &str) {
    for _ in 0..500 {
        if screen.err().contains(text) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never said {text:?}:\n{}", screen.err());
}
