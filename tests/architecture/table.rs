//! The table "Who may use whom" of `docs/architecture.md`, as data.

use std::collections::BTreeMap;

/// The layers, lowest first.
pub(crate) const LAYERS: [&str; 5] = ["words", "core", "use cases", "adapters", "wiring"];

/// One room's row.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) layer: usize,
    pub(crate) everything: bool,
    pub(crate) layers: Vec<usize>,
    /// Single rooms or names, as paths from the crate's root.
    pub(crate) paths: Vec<Vec<String>>,
}

/// Rooms by their path from the crate's root.
pub(crate) type Table = BTreeMap<Vec<String>, Room>;

pub(crate) fn path(text: &str) -> Vec<String> {
    text.split("::").map(str::to_owned).collect()
}

fn items(cell: &str) -> impl Iterator<Item = &str> {
    cell.split(',').map(str::trim).filter(|item| !item.is_empty())
}

fn quoted(item: &str) -> Option<&str> {
    item.strip_prefix('`')?.strip_suffix('`')
}

/// Reads the table, or says which row makes no sense.
pub(crate) fn read(document: &str) -> Result<Table, String> {
    let (_, after) = document.split_once("## Who may use whom").ok_or("no section `## Who may use whom`")?;
    let mut table = Table::new();
    let rows = after.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|')).skip(2);
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [layer, rooms, may_use] = cells.as_slice() else {
            return Err(format!("a row has three cells: {row}"));
        };
        let number = |name: &str| LAYERS.iter().position(|layer| *layer == name);
        let layer = number(layer).ok_or_else(|| format!("no layer is called {layer:?}"))?;
        for room in items(rooms) {
            let room = quoted(room).ok_or_else(|| format!("a room is written `room`, not {room}"))?;
            let mut entry = Room { layer, everything: false, layers: Vec::new(), paths: Vec::new() };
            for item in items(may_use) {
                match (item, quoted(item), number(item)) {
                    ("everything", _, _) => entry.everything = true,
                    ("nothing of ours", _, _) => {}
                    (_, Some(name), _) => entry.paths.push(path(name)),
                    (_, _, Some(layer)) => entry.layers.push(layer),
                    _ => return Err(format!("neither a layer nor a `room`: {item}")),
                }
            }
            if table.insert(path(room), entry).is_some() {
                return Err(format!("two rows for {room}"));
            }
        }
    }
    if table.is_empty() { Err("the table has no rows".to_owned()) } else { Ok(table) }
}
