//! Parameters that let in more than a name: `/`, `..`, a blank, a leading `-`, `*`, anything.

use crate::policy::parameter::Kind;
use crate::policy::rule::Rule;

use super::escape::Told;
use super::line::{Line, Open, Slot};
use super::{At, Found, code, places};

pub(super) fn check(rule: &Rule, line: &Line<'_>, told: &Told, found: &mut Vec<Found>) {
    for slot in &line.slots {
        let Some(open) = slot.unknown() else { continue };
        dash(slot, open, told, found);
        if let Kind::Path(path) = open.parameter.kind() {
            self::path(open, &path.to_string(), rule.sudo, told.steps.contains(&slot.step), found);
        } else if !told.text.contains(&slot.step) && !told.steps.contains(&slot.step) {
            letters(slot, open, rule.sudo, told, found);
        }
    }
}

fn dash(slot: &Slot<'_>, open: &Open<'_>, told: &Told, found: &mut Vec<Found>) {
    if slot.fixed.is_empty() && open.shape.dash && !told.no_options.contains(&slot.step) {
        let message = format!("`{{{}}}` may begin with `-`, so that it can be any option of the program", open.name);
        let help = "take `dash = true` out; or list the options with `one_of`; or write `--` before the parameter, if the program knows it";
        found.push(Found::new(At::Value(open.index, None), code::DASH, message, help));
    }
}

fn path(open: &Open<'_>, written: &str, sudo: bool, told: bool, found: &mut Vec<Found>) {
    let place = At::Value(open.index, None);
    if places::is_wide(written) {
        if !told {
            let what =
                if written.contains("**") || written.contains("/*/") { "a whole tree" } else { "a whole folder" };
            let message = format!("`{written}` takes in {what} of the system, with secrets or devices in it");
            let help =
                format!("name the folder that is meant: `where.{} = {{ path = \"/var/log/nginx/*.log\" }}`", open.name);
            found.push(Found::new(place, code::PATH_WIDE, message, help));
        }
    } else if sudo && written.contains("**") {
        let message = format!(
            "root follows whatever link stands below `{written}`, and some of these folders belong to services"
        );
        let help = format!(
            "list the files with `one_of`, or name one folder that belongs to root: `where.{} = {{ one_of = [\"/var/log/syslog\"] }}`",
            open.name
        );
        found.push(Found::new(place, code::PATH_SYMLINK, message, help));
    } else if sudo && written.contains('*') {
        let message = format!(
            "root opens whatever stands in `{written}`: a service that may write there can put a link to any file"
        );
        let help = format!(
            "list the files: `where.{} = {{ one_of = [\"/var/log/nginx/error.log\"] }}`, or leave `sudo` out and give the account a group that may read them",
            open.name
        );
        found.push(Found::new(place, code::SUDO_PATH, message, help));
    }
}

fn letters(slot: &Slot<'_>, open: &Open<'_>, sudo: bool, told: &Told, found: &mut Vec<Found>) {
    let shape = open.shape;
    let place = || At::Value(open.index, None);
    let narrower = format!(
        "list the values: `where.{} = {{ one_of = [\"…\"] }}`, or say what they look like: `{{ pattern = '[a-z0-9-]{{1,40}}' }}`",
        open.name
    );
    if shape.anything && sudo {
        let message = format!("`{{{}}}` may be nearly any text, and root's program reads it", open.name);
        found.push(Found::new(place(), code::SUDO_TEXT, message, narrower));
        return;
    }
    if shape.anything {
        let message = format!(
            "`{{{}}}` may be nearly any text: a path, a list, an expression of the program's own language",
            open.name
        );
        found.push(Found::new(place(), code::ANYTHING, message, narrower));
        return;
    }
    let as_path =
        format!("take `/` out of the expression, or use a `path`: `where.{} = {{ path = \"/srv/app/*\" }}`", open.name);
    if shape.slash && sudo {
        let message = format!("`{{{}}}` may hold `/`, so that it can be a path, and root opens it", open.name);
        found.push(Found::new(place(), code::SUDO_PATH, message, as_path));
    } else if shape.dotdot {
        let message = format!("`{{{}}}` may be or hold `..`, which leads out of the folder that is meant", open.name);
        let help = format!(
            "do not let a name begin with a dot: `where.{} = {{ pattern = '[a-z0-9][a-z0-9.-]{{0,60}}' }}`, or use a `path`",
            open.name
        );
        found.push(Found::new(place(), code::DOTDOT, message, help));
    } else if shape.slash {
        let message = format!("`{{{}}}` may hold `/`, so that it can be any path", open.name);
        found.push(Found::new(place(), code::SLASH, message, as_path));
    }
    if shape.blank {
        let message = format!(
            "`{{{}}}` may hold blanks: a program that splits its arguments again finds several words",
            open.name
        );
        let help = "take the blank (or `\\s`) out of the expression";
        found.push(Found::new(place(), code::BLANK, message, help));
    }
    if shape.glob && told.globs.contains(&slot.step) {
        let message =
            format!("`{{{}}}` may hold `*`, which this program expands by itself to everything that fits", open.name);
        let help = "take `*` out of the expression, or list the values with `one_of`";
        found.push(Found::new(place(), code::GLOB, message, help));
    }
}
