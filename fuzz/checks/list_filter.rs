//! A filtered list is JSON with the entries that are shown, says besides what
//! it said, and differs from what came only by what was cut out.

use std::collections::HashMap;

use mcp_auth_filter::json::raw::{array, object, string};
use mcp_auth_filter::policy::Entry;
use mcp_auth_filter::response::{ListKind, filter_text};
use serde_json::value::RawValue;

const LISTS: [(&str, &str); 4] = [
    ("tools", "name"),
    ("prompts", "name"),
    ("resources", "uri"),
    ("resourceTemplates", "uriTemplate"),
];

/// The bytes are a result, asked for or found by its shape.
pub(crate) fn check(bytes: &[u8]) {
    for method in ["", "tools/list", "resources/templates/list"] {
        let asked = ListKind::of(method);
        let Ok((text, hidden)) = filter_text(bytes, asked, shows) else {
            continue;
        };
        check_filtered(bytes, asked, &text, hidden);
        let (again, more) = filter_text(&text, asked, shows).expect("a result still");
        assert_eq!((again, more), (text, 0), "filtered once for all");
    }
}

fn shows(entry: Entry<'_>) -> bool {
    let (Entry::Tool(name) | Entry::Prompt(name) | Entry::Resource(name) | Entry::Template(name)) =
        entry;
    is_shown(name)
}

fn is_shown(name: &str) -> bool {
    name.len() % 2 == 1
}

fn check_filtered(bytes: &[u8], asked: Option<ListKind>, text: &[u8], hidden: u32) {
    let before = object(bytes).expect("what was read");
    let after = object(text).expect("still JSON, and an object");
    let (mut removed, mut is_list) = (0, false);
    for (name, value) in before.iter() {
        let now = after.get(name).expect("no member is lost");
        let identifier = LISTS
            .iter()
            .find_map(|(list, identifier)| (*list == name).then_some(*identifier));
        let elements = array(value.as_bytes()).ok().filter(|elements| {
            asked.is_some() || elements.iter().any(|element| element.starts_with('{'))
        });
        let (Some(identifier), Some(elements)) = (identifier, elements) else {
            assert!(now == value || name == "cacheScope", "{name} is changed");
            continue;
        };
        is_list = true;
        let kept: Vec<&str> = elements
            .iter()
            .filter(|element| is_shown(&identified(element, identifier)))
            .copied()
            .collect();
        removed += elements.len() - kept.len();
        assert_eq!(array(now.as_bytes()).as_deref(), Ok(&*kept));
    }
    assert_eq!(before.iter().count(), after.iter().count());
    assert_eq!(usize::try_from(hidden), Ok(removed));
    match (before.get("cacheScope"), after.get("cacheScope")) {
        (Some(_), Some(scope)) if is_list => assert_eq!(string(scope).as_deref(), Some("private")),
        (before, after) => {
            assert_eq!(before, after);
            assert!(is_cut_from(text, bytes), "only cuts");
            assert_eq!(text.len() == bytes.len(), removed == 0);
        }
    }
}

/// As another parser reads it, which keeps the last of two members of the
/// same name.
fn identified(entry: &str, identifier: &str) -> String {
    let entry: HashMap<String, &RawValue> =
        serde_json::from_str(entry).expect("an entry is an object");
    serde_json::from_str(entry[identifier].get()).expect("each has a name")
}

/// Whether nothing was put in or moved.
fn is_cut_from(text: &[u8], whole: &[u8]) -> bool {
    let mut whole = whole.iter();
    text.iter().all(|byte| whole.any(|other| other == byte))
}
