//! Expressions that mean something else than they look like: `A-z`, `web.example.com`, `^a|b$`.

use regex_syntax::ast::parse::ParserBuilder;
use regex_syntax::ast::{Ast, ClassSetItem, Concat, LiteralKind, Span, Visitor, visit};

use crate::policy::parameter::Kind;
use crate::policy::rule::Rule;

use super::{At, Found, code};

pub(super) fn check(rule: &Rule, found: &mut Vec<Found>) {
    for (index, parameter) in rule.parameters.iter().enumerate() {
        let Kind::Pattern(pattern) = parameter.kind() else { continue };
        let written = pattern.as_written();
        let Ok(ast) = ParserBuilder::new().nest_limit(32).build().parse(written) else { continue };
        let walk = Walk { index, written, found };
        // The visitor collects and never fails.
        let _: Result<(), ()> = visit(&ast, walk);
    }
}

struct Walk<'a> {
    index: usize,
    written: &'a str,
    found: &'a mut Vec<Found>,
}

impl Walk<'_> {
    fn say(&mut self, span: &Span, code: &'static str, message: String, help: &str) {
        let place = At::Value(self.index, Some(span.start.offset..span.end.offset));
        self.found.push(Found::new(place, code, message, help));
    }

    fn text(&self, span: &Span) -> &str {
        self.written.get(span.start.offset..span.end.offset).unwrap_or_default()
    }

    /// `^a|b$`: it seems to hold the whole to both ends, and holds each half to one.
    fn anchors(&mut self, span: &Span, branches: &[Ast]) {
        let begins = |ast: &Ast| at_edge(ast, true);
        let ends = |ast: &Ast| at_edge(ast, false);
        let uneven = |edge: &dyn Fn(&Ast) -> bool| branches.iter().any(edge) && !branches.iter().all(edge);
        if uneven(&begins) || uneven(&ends) {
            let message = format!("in `{}` the anchor belongs to one alternative only", self.text(span));
            let help = "leave `^` and `$` out: a value is matched whole anyway; and put alternatives that share a part in `(?:a|b)`";
            self.say(span, code::SLIP_ANCHOR, message, help);
        }
    }

    /// `web-1.example.com`, `10.0.0.\d+`: a dot between letters or digits that means any character.
    fn dots(&mut self, concat: &Concat) {
        for three in concat.asts.windows(3) {
            if let [before, Ast::Dot(span), after] = three
                && is_of_name(before)
                && is_of_name(after)
            {
                let message = "`.` stands for any character here, and `/` and blanks are some".to_owned();
                self.say(span, code::SLIP_DOT, message, "write `\\.` for the character");
            }
        }
    }
}

/// Whether an anchor stands at the beginning, or the end, of `ast`.
fn at_edge(ast: &Ast, beginning: bool) -> bool {
    match ast {
        Ast::Assertion(_) => true,
        Ast::Concat(all) => {
            let edge = if beginning { all.asts.first() } else { all.asts.last() };
            edge.is_some_and(|one| matches!(one, Ast::Assertion(_)))
        }
        _ => false,
    }
}

/// Whether `ast` is a letter or digit, or a class or group of such, as in the name of a host.
fn is_of_name(ast: &Ast) -> bool {
    match ast {
        Ast::Literal(literal) => literal.c.is_ascii_alphanumeric(),
        Ast::ClassPerl(_) | Ast::ClassBracketed(_) | Ast::Group(_) => true,
        Ast::Repetition(one) => is_of_name(&one.ast) && !matches!(*one.ast, Ast::Dot(_)),
        _ => false,
    }
}

impl Visitor for Walk<'_> {
    type Output = ();
    type Err = ();

    fn finish(self) -> Result<(), ()> {
        Ok(())
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), ()> {
        match ast {
            Ast::Alternation(all) => self.anchors(&all.span, &all.asts),
            Ast::Concat(all) => self.dots(all),
            _ => {}
        }
        Ok(())
    }

    fn visit_class_set_item_pre(&mut self, item: &ClassSetItem) -> Result<(), ()> {
        let ClassSetItem::Range(range) = item else { return Ok(()) };
        let (from, to) = (range.start.c, range.end.c);
        let like = |c: char| (c.is_ascii_digit(), c.is_ascii_lowercase(), c.is_ascii_uppercase());
        let plain = like(from) == like(to) && from.is_ascii_alphanumeric();
        // All of printable ASCII is meant as such, and an escaped end is a code and not a letter.
        let meant = matches!((from, to), (' ' | '!', '~')) || !range.start.kind.is_plain() || !from.is_ascii();
        if !plain && !meant {
            let between: String = (from..=to).filter(|c| !c.is_ascii_alphanumeric()).take(12).collect();
            let message = format!("the range `{}` takes in what stands between: `{between}`", self.text(&range.span));
            self.say(
                &range.span,
                code::SLIP_RANGE,
                message,
                "write each range by itself (`A-Za-z0-9`), and `-` as the last character of the class",
            );
        }
        Ok(())
    }
}

/// Whether a character stands there as itself.
trait Plain {
    fn is_plain(&self) -> bool;
}

impl Plain for LiteralKind {
    fn is_plain(&self) -> bool {
        !matches!(self, Self::HexFixed(_) | Self::HexBrace(_) | Self::Octal)
    }
}
