//! The arithmetic of the benchmarks. That their legs work is shown by the quick run in `scripts/test`; no figure is asserted.
#![allow(unreachable_pub, clippy::indexing_slicing, reason = "the module belongs to the benchmarks' program")]

#[path = "../benches/doorward/stats.rs"]
mod stats;

use std::cell::RefCell;

use stats::{Samples, alternate, in_turns};

#[test]
fn medians_and_spreads_are_those_of_the_sorted_samples() {
    for (samples, median, spread) in [
        (vec![3.0], 3.0, (3.0, 3.0)),
        (vec![9.0, 1.0], 5.0, (1.0, 9.0)),
        (vec![5.0, 100.0, 1.0], 5.0, (1.0, 100.0)),
        ((1..=9).rev().map(f64::from).collect(), 5.0, (3.0, 7.0)),
    ] {
        let samples = Samples(samples);
        assert_eq!((samples.median(), samples.spread()), (median, spread), "{samples:?}");
    }
    assert!(Samples(Vec::new()).median().is_nan());
    assert_eq!(Samples(vec![1.0, 3.0, 5.0, 9.0, 7.0]).means_of(2).0, [2.0, 7.0]);
    assert_eq!(Samples(vec![1.0, 6.0]).over(&Samples(vec![2.0, 3.0])).0, [0.5, 2.0]);
}

#[test]
fn who_goes_first_changes_and_the_first_of_each_does_not_count() {
    let order = RefCell::new(String::new());
    let leg = |name: char| {
        let order = &order;
        move || {
            order.borrow_mut().push(name);
            Ok(order.borrow().len())
        }
    };
    let (ours, theirs) = in_turns(3, leg('o'), leg('t')).unwrap_or_default();
    assert_eq!((order.take().as_str(), ours, theirs), ("ottoot", vec![1, 4, 5], vec![2, 3, 6]));
    let (ours, theirs) = alternate(1, leg('o'), leg('t')).unwrap_or_default();
    assert_eq!((order.take().as_str(), ours, theirs), ("otot", vec![3], vec![4]));
    let failed = alternate(1, || Ok(()), || Err("no way".to_owned()));
    assert_eq!(failed, Err("no way".to_owned()));
}
