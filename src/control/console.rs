//! The port to the screen of whoever typed the line, and how our lines look on it.

use async_trait::async_trait;

use crate::domain::text;

/// One client's output. `ssh` gives the real one.
#[async_trait]
pub trait Console: Send {
    /// Writes standard output; waits while the client is behind, drops it when the client is gone.
    async fn stdout(&mut self, text: &str);

    /// Writes standard error, as above.
    async fn stderr(&mut self, text: &str);

    /// Resolves when the client is gone (Ctrl-C, channel closed, connection lost). Cancel-safe.
    async fn gone(&self);
}

/// `message` for standard error: every line of it begins with `doorward: `, so that nobody takes it for a program's output.
#[must_use]
pub fn ours(message: &str) -> String {
    message.lines().map(|line| format!("doorward: {line}").trim_end().to_owned() + "\n").collect()
}

/// Plain aligned columns under a heading, two blanks between, nothing after the last. Cells are escaped here.
#[derive(Debug)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with this heading.
    #[must_use]
    pub fn new(heading: &[&str]) -> Self {
        Self { rows: vec![heading.iter().map(|&cell| cell.to_owned()).collect()] }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| text::escape(&cell).into_owned()).collect());
    }

    /// The text, a line a row.
    #[must_use]
    pub fn render(&self) -> String {
        let widths = self.widths();
        let mut out = String::new();
        for row in &self.rows {
            let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}")).collect();
            out.push_str(cells.join("  ").trim_end());
            out.push('\n');
        }
        out
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths = Vec::new();
        for row in &self.rows {
            widths.resize(widths.len().max(row.len()), 0);
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        widths
    }
}

/// One JSON document on one line. What could act on a terminal (direction overrides and the like, which JSON allows) is
/// written as `\uXXXX`: outside strings a document has none of it.
#[must_use]
pub fn json_line(document: &serde_json::Value) -> String {
    text::escape_json(&document.to_string()).into_owned() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_align_and_cannot_be_forged() {
        let mut table = Table::new(&["ID", "WHO"]);
        table.row(["r-1".to_owned(), "älice".to_owned()]);
        table.row(["r-1234".to_owned(), "a\nb\x1b[2J".to_owned()]);
        assert_eq!(table.render(), "ID      WHO\nr-1     älice\nr-1234  a\\nb\\u{1b}[2J\n");
    }

    #[test]
    fn json_shows_nothing_that_moves_text_and_still_reads_back() {
        let document = serde_json::json!({"reason": "a\u{202e}b\n\u{e0041}ü"});
        let line = json_line(&document);
        assert_eq!(line, "{\"reason\":\"a\\u202eb\\n\\udb40\\udc41ü\"}\n");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&line).unwrap(), document);
    }

    #[test]
    fn every_line_of_ours_says_so() {
        assert_eq!(ours("one\n\n  two"), "doorward: one\ndoorward:\ndoorward:   two\n");
    }
}
