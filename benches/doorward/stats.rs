//! Medians, spreads and the order of legs. Pure arithmetic.

/// The samples of one leg, in the order in which they were taken.
#[derive(Clone, Debug)]
pub struct Samples(pub Vec<f64>);

impl Samples {
    /// The value below which `part` (0 to 1) of the samples lie, between neighbours in proportion.
    pub fn quantile(&self, part: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
        let place = part * last as f64;
        let (below, above) = (place.floor() as usize, place.ceil() as usize);
        sorted[below] + (sorted[above] - sorted[below]) * place.fract()
    }

    /// The middle one.
    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// Where half of the samples lie; with fewer than eight, where all of them lie.
    pub fn spread(&self) -> (f64, f64) {
        if self.0.len() < 8 {
            (self.quantile(0.0), self.quantile(1.0))
        } else {
            (self.quantile(0.25), self.quantile(0.75))
        }
    }

    /// The means of each `size` neighbours, for what is too small to be read one by one.
    pub fn means_of(&self, size: usize) -> Self {
        Self(self.0.chunks_exact(size).map(|chunk| chunk.iter().sum::<f64>() / size as f64).collect())
    }

    /// Ours over theirs, pair by pair: neighbours in time saw the same machine.
    pub fn over(&self, theirs: &Self) -> Self {
        Self(self.0.iter().zip(&theirs.0).map(|(ours, theirs)| ours / theirs).collect())
    }
}

/// As [`in_turns`], after one sample of each leg that does not count.
///
/// # Errors
/// The first leg that fails.
pub fn alternate<T>(
    rounds: usize,
    mut ours: impl FnMut() -> Result<T, String>,
    mut theirs: impl FnMut() -> Result<T, String>,
) -> Result<(Vec<T>, Vec<T>), String> {
    let (_, _) = (ours()?, theirs()?);
    in_turns(rounds, ours, theirs)
}

/// Takes `rounds` samples of each leg in turns. Who goes first changes with each round, so that a machine that gets slower or
/// faster favours nobody.
///
/// # Errors
/// The first leg that fails.
pub fn in_turns<T>(
    rounds: usize,
    mut ours: impl FnMut() -> Result<T, String>,
    mut theirs: impl FnMut() -> Result<T, String>,
) -> Result<(Vec<T>, Vec<T>), String> {
    let (mut our, mut their) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        if round % 2 == 0 {
            our.push(ours()?);
            their.push(theirs()?);
        } else {
            their.push(theirs()?);
            our.push(ours()?);
        }
    }
    Ok((our, their))
}
