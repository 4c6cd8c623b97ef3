//! Lines put together to rules: at every place the values that stood there.

use std::collections::{BTreeMap, BTreeSet};

use crate::policy::file::MOST_ENTRIES;

use super::shape::{Place, Shaped, places};

/// A rule: the product of the values at its places.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Product {
    pub(super) sudo: bool,
    pub(super) program: String,
    /// Whether the program's path was made up.
    pub(super) guessed: bool,
    /// After the program, the values of each place.
    pub(super) places: Vec<BTreeSet<String>>,
    /// How many lines are in it.
    pub(super) lines: usize,
    /// How often they were run.
    pub(super) runs: u64,
}

impl Product {
    fn of(shaped: &Shaped) -> Self {
        Self {
            sudo: shaped.sample.sudo,
            program: shaped.vector.first().cloned().unwrap_or_default(),
            guessed: shaped.guessed,
            places: shaped.vector.iter().skip(1).map(|word| BTreeSet::from([word.clone()])).collect(),
            lines: 1,
            runs: shaped.sample.runs,
        }
    }

    /// What rules are sorted by.
    pub(super) fn order(&self) -> (&str, bool, &[BTreeSet<String>]) {
        (&self.program, self.sudo, &self.places)
    }

    /// Takes the values of `other` in, place by place.
    fn take(&mut self, other: &Self) {
        self.places.iter_mut().zip(&other.places).for_each(|(mine, theirs)| mine.extend(theirs.iter().cloned()));
        self.lines += other.lines;
        self.runs += other.runs;
        self.guessed |= other.guessed;
    }

    fn fits(&self) -> bool {
        self.places.iter().all(|values| values.len() <= MOST_ENTRIES)
    }
}

/// The rules for `lines`; with `exact` none of them allows a line that is not among these.
pub(super) fn products(lines: &[Shaped], exact: bool) -> Vec<Product> {
    let single = lines.iter().map(Product::of);
    let products = if exact {
        single.collect()
    } else {
        let mut groups: BTreeMap<(bool, &str, Vec<Place>), Vec<Product>> = BTreeMap::new();
        for (shaped, product) in lines.iter().zip(single) {
            let program = shaped.vector.first().map_or("", String::as_str);
            let into = groups.entry((shaped.sample.sudo, program, places(&shaped.vector))).or_default();
            take_or_push(into, product);
        }
        groups.into_values().flatten().collect()
    };
    merged(products)
}

/// Into the last of `products` if its lists have room, else as one more.
fn take_or_push(products: &mut Vec<Product>, product: Product) {
    if let Some(last) = products.last_mut() {
        let mut both = last.clone();
        both.take(&product);
        if both.fits() {
            *last = both;
            return;
        }
    }
    products.push(product);
}

/// Puts together what differs at one place alone: the product of the result is exactly what the two allowed.
///
/// Options stay apart, because a list of options to choose from is hard to judge.
fn merged(mut products: Vec<Product>) -> Vec<Product> {
    loop {
        let before = products.len();
        let longest = products.iter().map(|product| product.places.len()).max().unwrap_or(0);
        // From the last to the first, so that the word that says what to do stays one word if it can.
        for place in (0..longest).rev() {
            products = merged_at(products, place);
        }
        if products.len() == before {
            return products;
        }
    }
}

/// What products have in common that differ at one place alone: sudo, program, the other places, and what may be listed there.
type AllButOne = (bool, String, Vec<BTreeSet<String>>, String);

fn merged_at(products: Vec<Product>, place: usize) -> Vec<Product> {
    let mut groups: BTreeMap<AllButOne, Vec<Product>> = BTreeMap::new();
    let mut kept = Vec::new();
    for product in products {
        let mut rest = product.places.clone();
        let Some(values) = rest.get_mut(place).map(std::mem::take) else {
            kept.push(product);
            continue;
        };
        // Values of one kind: plain words, or one option glued to its values.
        let kinds: BTreeSet<&str> = values.iter().map(|value| kind(value)).collect();
        match kinds.into_iter().collect::<Vec<_>>()[..] {
            [only] if !is_option(only) => {
                let key = (product.sudo, product.program.clone(), rest, only.to_owned());
                take_or_push(groups.entry(key).or_default(), product);
            }
            _ => kept.push(product),
        }
    }
    kept.extend(groups.into_values().flatten());
    kept
}

/// What a value may be listed with: nothing for a plain word, `--lines=` for `--lines=5`, the option itself for an option.
fn kind(value: &str) -> &str {
    if !value.starts_with('-') {
        return "";
    }
    value.find('=').and_then(|at| value.get(..=at)).unwrap_or(value)
}

fn is_option(kind: &str) -> bool {
    kind.starts_with('-') && !kind.ends_with('=')
}
