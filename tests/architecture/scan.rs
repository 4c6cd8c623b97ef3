//! Reads Rust as far as "who names whom" needs it: comments and strings blanked, words with their lines, `use` trees, module
//! blocks, what is test code. No syntax tree: a parser would be a dependency larger than the rule.

use std::collections::BTreeMap;

/// A word or one character of punctuation, with its line from 1. `::` is one token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) line: usize,
}

/// A path somebody names, written out in full from the crate's root or from an outside crate.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Mention {
    pub(crate) path: Vec<String>,
    pub(crate) line: usize,
}

/// What one file says.
#[derive(Debug, Default)]
pub(crate) struct Scanned {
    /// Every path outside test code.
    pub(crate) mentions: Vec<Mention>,
    /// `pub use` of a module file: the name as others see it, and what it stands for.
    pub(crate) exports: BTreeMap<String, Vec<String>>,
    /// Names of `#[cfg(test)] mod NAME;`.
    pub(crate) test_modules: Vec<String>,
    /// All tokens, test code too.
    pub(crate) tokens: Vec<Token>,
}

/// `text` with comments, strings and character literals replaced by blanks; lines stay where they are.
pub(crate) fn strip(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    let blank = |from: usize, to: usize, out: &mut String| {
        chars[from..to.min(chars.len())].iter().for_each(|&c| out.push(if c == '\n' { '\n' } else { ' ' }));
    };
    while at < chars.len() {
        let rest = &chars[at..];
        let end = match rest {
            ['/', '/', ..] => at + rest.iter().position(|&c| c == '\n').unwrap_or(rest.len()),
            ['/', '*', ..] => at + block_comment(rest),
            ['"', ..] => at + quoted(rest),
            ['r', '"' | '#', ..] if !continues_word(&chars, at) => match raw_string(rest) {
                Some(length) => at + length,
                None => at,
            },
            ['\'', '\\', ..] => {
                at + 2 + rest[2..].iter().skip(1).position(|&c| c == '\'').map_or(rest.len(), |n| n + 2)
            }
            ['\'', _, '\'', ..] => at + 3,
            _ => at,
        };
        if end == at {
            out.push(chars[at]);
            at += 1;
        } else {
            blank(at, end, &mut out);
            at = end;
        }
    }
    out
}

fn continues_word(chars: &[char], at: usize) -> bool {
    // `br"…"` begins a raw string too; any other letter before the `r` makes it the end of a name.
    let before = |n: usize| at.checked_sub(n).map(|i| chars[i]);
    let word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let prefixed = matches!(before(1), Some('b' | 'c')) && !word(before(2));
    word(before(1)) && !prefixed
}

fn block_comment(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match &rest[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    at
}

fn quoted(rest: &[char]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    at
}

fn raw_string(rest: &[char]) -> Option<usize> {
    let hashes = rest[1..].iter().take_while(|&&c| c == '#').count();
    if rest.get(1 + hashes) != Some(&'"') {
        return None;
    }
    let mut close = vec!['"'];
    close.resize(1 + hashes, '#');
    let body = 2 + hashes;
    let found = rest[body..].windows(close.len()).position(|window| window == close);
    Some(found.map_or(rest.len(), |n| body + n + close.len()))
}

fn tokens(stripped: &str) -> Vec<Token> {
    let mut found = Vec::new();
    for (number, line) in stripped.lines().enumerate() {
        let mut rest = line;
        while let Some(first) = rest.chars().next() {
            let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            let length = if word > 0 {
                word
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            let (text, tail) = rest.split_at(length);
            if !text.trim().is_empty() {
                found.push(Token { text: text.to_owned(), line: number + 1 });
            }
            rest = tail;
        }
    }
    found
}

fn is_word(text: &str) -> bool {
    text.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_')
}

/// Reads the file of the module `module` (empty for the crate's root).
pub(crate) fn scan(text: &str, module: &[String]) -> Scanned {
    let all = tokens(&strip(text));
    let mut scanned = Scanned::default();
    let live = without_tests(&all, &mut scanned.test_modules);
    let mut reader =
        Reader { tokens: &live, at: 0, file: module, inline: Vec::new(), depth: 0, aliases: BTreeMap::new() };
    reader.read(&mut scanned);
    scanned.tokens = all;
    scanned
}

fn matching(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.text.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    tokens.len() - 1
}

fn starts_with(tokens: &[Token], words: &[&str]) -> bool {
    tokens.len() >= words.len() && tokens.iter().zip(words).all(|(token, word)| token.text == *word)
}

/// The tokens without items under `#[cfg(test)]`.
fn without_tests(all: &[Token], test_modules: &mut Vec<String>) -> Vec<Token> {
    let mut live = Vec::new();
    let mut at = 0;
    while at < all.len() {
        if !starts_with(&all[at..], &["#", "[", "cfg", "(", "test", ")", "]"]) {
            live.push(all[at].clone());
            at += 1;
            continue;
        }
        at += 7;
        // To the end of the item: its block, or its semicolon if that comes first.
        while at < all.len() && all[at].text != "{" && all[at].text != ";" {
            if matches!(all[at].text.as_str(), "(" | "[") {
                at = matching(all, at);
            } else if all[at].text == "mod" && all.get(at + 2).is_some_and(|after| after.text == ";") {
                test_modules.push(all[at + 1].text.clone());
            }
            at += 1;
        }
        if all.get(at).is_some_and(|token| token.text == "{") {
            at = matching(all, at);
        }
        at += 1;
    }
    live
}

struct Reader<'a> {
    tokens: &'a [Token],
    at: usize,
    file: &'a [String],
    /// Module blocks we are inside of, with the depth of braces outside.
    inline: Vec<(usize, String)>,
    depth: usize,
    /// Names that `use` brought into this file.
    aliases: BTreeMap<String, Vec<String>>,
}

impl Reader<'_> {
    fn text(&self, ahead: usize) -> &str {
        self.tokens.get(self.at + ahead).map_or("", |token| token.text.as_str())
    }

    fn read(&mut self, scanned: &mut Scanned) {
        let mut others = Vec::new();
        while self.at < self.tokens.len() {
            match self.text(0) {
                "{" => self.depth += 1,
                "}" => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.inline.last().is_some_and(|(depth, _)| *depth == self.depth) {
                        self.inline.pop();
                    }
                }
                "mod" if self.text(2) == "{" => {
                    self.inline.push((self.depth, self.text(1).to_owned()));
                    self.depth += 1;
                    self.at += 2;
                }
                "use" => {
                    let public = self.at > 0 && matches!(self.tokens[self.at - 1].text.as_str(), "pub" | ")");
                    self.at += 1;
                    let mut leaves = Vec::new();
                    self.tree(&[], &mut leaves);
                    for (name, mention) in leaves {
                        if public && self.inline.is_empty() {
                            scanned.exports.insert(name.clone(), mention.path.clone());
                        }
                        self.aliases.insert(name, mention.path.clone());
                        scanned.mentions.push(mention);
                    }
                    continue;
                }
                word if is_word(word) && self.text(1) == "::" && !self.follows_path() => {
                    others.push(self.path());
                    continue;
                }
                _ => {}
            }
            self.at += 1;
        }
        // A name may be used above the `use` that brings it in.
        for mention in others {
            let path = match self.aliases.get(&mention.path[0]) {
                Some(full) => full.iter().chain(&mention.path[1..]).cloned().collect(),
                None => mention.path,
            };
            scanned.mentions.push(Mention { path, line: mention.line });
        }
    }

    fn follows_path(&self) -> bool {
        // `<T as Trait>::name::more` goes on from a type, not from a root.
        self.at > 0 && self.tokens[self.at - 1].text == "::"
    }

    fn path(&mut self) -> Mention {
        let line = self.tokens[self.at].line;
        let mut path = vec![self.text(0).to_owned()];
        self.at += 1;
        while self.text(0) == "::" && is_word(self.text(1)) {
            path.push(self.text(1).to_owned());
            self.at += 2;
        }
        Mention { path: self.absolute(path), line }
    }

    /// One branch of a `use` tree up to its end; gives each leaf with the name it gets.
    fn tree(&mut self, prefix: &[String], leaves: &mut Vec<(String, Mention)>) {
        let mut path = prefix.to_vec();
        loop {
            match self.text(0) {
                "::" => self.at += 1,
                "{" => {
                    self.at += 1;
                    while self.text(0) != "}" && self.at < self.tokens.len() {
                        self.tree(&path, leaves);
                        if self.text(0) == "," {
                            self.at += 1;
                        }
                    }
                    self.at += 1;
                    return;
                }
                "*" => {
                    let line = self.tokens[self.at].line;
                    self.at += 1;
                    leaves.push(("*".to_owned(), Mention { path: self.absolute(path), line }));
                    return;
                }
                word if is_word(word) => {
                    let (word, line) = (word.to_owned(), self.tokens[self.at].line);
                    self.at += 1;
                    if word != "self" || path.is_empty() {
                        path.push(word);
                    }
                    if self.text(0) == "::" {
                        continue;
                    }
                    let mut name = path.last().cloned().unwrap_or_default();
                    if self.text(0) == "as" {
                        name = self.text(1).to_owned();
                        self.at += 2;
                    }
                    leaves.push((name, Mention { path: self.absolute(path), line }));
                    return;
                }
                _ => {
                    self.at += 1;
                    return;
                }
            }
        }
    }

    /// The path from the crate's root (`crate` first), or as it stands if it begins with something else.
    fn absolute(&self, path: Vec<String>) -> Vec<String> {
        let mut here: Vec<String> = self.file.to_vec();
        here.extend(self.inline.iter().map(|(_, name)| name.clone()));
        let mut rest = path.as_slice();
        match rest.first().map(String::as_str) {
            Some("crate" | "doorward") => {
                let mut path = path;
                path[0] = "crate".to_owned();
                return path;
            }
            Some("self") => rest = &rest[1..],
            Some("super") => {
                while rest.first().is_some_and(|word| word == "super") {
                    here.pop();
                    rest = &rest[1..];
                }
            }
            _ => return path,
        }
        let mut full = vec!["crate".to_owned()];
        full.extend(here);
        full.extend(rest.iter().cloned());
        full
    }
}
