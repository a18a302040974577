//! Lists, cut down to what is to be shown.

use core::fmt::Write as _;
use std::rc::Rc;

use proptest::prelude::*;

use super::super::lists::{ListKind, filter, filter_text};
use super::super::splice::Splice;
use super::super::withheld::Withheld;
use crate::config;
use crate::json::raw;
use crate::oauth::Identity;
use crate::policy::Entry;
use crate::site::{Site, Sites};

/// What is named after something small is shown.
fn filtered(result: &str, asked: Option<ListKind>) -> Result<(String, u32), Withheld> {
    let shows = |entry: Entry<'_>| {
        let (Entry::Tool(name)
        | Entry::Prompt(name)
        | Entry::Resource(name)
        | Entry::Template(name)) = entry;
        !name.starts_with('X')
    };
    filter_text(result.as_bytes(), asked, shows)
        .map(|(text, hidden)| (String::from_utf8(text).unwrap(), hidden))
}

fn becomes(result: &str, wanted: &str, hidden: u32) {
    for asked in [None, Some(ListKind::Tools)] {
        let found = filtered(result, asked);
        assert_eq!(found, Ok((wanted.to_owned(), hidden)), "{result}");
    }
}

#[test]
fn what_is_hidden_is_cut_out_with_one_comma_and_the_rest_stays_to_the_byte() {
    for (list, wanted, hidden) in [
        (r#"[ {"name":"a"} ]"#, r#"[ {"name":"a"} ]"#, 0),
        (r#"[ {"name":"X"} ]"#, "[  ]", 1),
        (
            "[\n{\"name\":\"X\"}\n,\n{\"name\":\"Y\"}]",
            "[\n{\"name\":\"Y\"}]",
            1,
        ),
        (r#"[{"name":"a"} , {"name":"X"} ]"#, r#"[{"name":"a"} ]"#, 1),
        (
            r#"[ {"name":"X1"},{"name":"a"} ,{"name":"X2"}, {"name":"X3"} , {"name":"b"},{"name":"X4"}]"#,
            r#"[ {"name":"a"} , {"name":"b"}]"#,
            4,
        ),
        (r#"[{"name":"X1"}, {"name":"X2"}]"#, "[]", 2),
        (
            r#"[{"name":"a","x":"]},{\"name\":\"X\"","y":[[{"name":"X"}]],"z":{"name":"X","name":1}}]"#,
            r#"[{"name":"a","x":"]},{\"name\":\"X\"","y":[[{"name":"X"}]],"z":{"name":"X","name":1}}]"#,
            0,
        ),
        (
            r#"[{"x":-1.50e3 ,"name" : "\u0058"},{"n\u0061me":"\u0061"}]"#,
            r#"[{"n\u0061me":"\u0061"}]"#,
            1,
        ),
    ] {
        let with =
            |list: &str| format!("{{ \"nextCursor\":\"c\\u0063\" ,\"tools\": {list},\"x\":1.0 }}");
        becomes(&with(list), &with(wanted), hidden);
    }
}

#[test]
fn every_list_of_a_result_is_filtered() {
    becomes(
        r#"{"tools":[{"name":"X"}],"prompts":[{"name":"X"},{"name":"p"}],
            "resources":[{"name":"r","uri":"X:1"}],"resourceTemplates":[{"uriTemplate":"X{a}"},{"uriTemplate":"{a}"}]}"#,
        r#"{"tools":[],"prompts":[{"name":"p"}],
            "resources":[],"resourceTemplates":[{"uriTemplate":"{a}"}]}"#,
        4,
    );
}

#[test]
fn a_list_is_for_its_caller_only() {
    for scope in [r#""public""#, "null", r#""Private""#, r#""priv\u0061te!""#] {
        becomes(
            &format!(r#"{{"tools":[{{"name":"a"}}],"cacheScope": {scope} }}"#),
            r#"{"tools":[{"name":"a"}],"cacheScope": "private" }"#,
            0,
        );
    }
    let already = r#"{"tools":[{"name":"a"}],"cacheScope":"priv\u0061te"}"#;
    becomes(already, already, 0);
    let none = r#"{"contents":[],"tools":["a"],"cacheScope":"public"}"#;
    assert_eq!(filtered(none, None), Ok((none.to_owned(), 0)));
    let lookalike = r#"{"tools":[{"name":"a"}],"cachescope":"public"}"#;
    assert_eq!(filtered(lookalike, None), Err(Withheld::NotUnderstood));
}

#[test]
fn a_list_that_cannot_be_understood_is_withheld() {
    for result in [
        r#"{"tools":[{"name":"a"},1]}"#,
        r#"{"tools":[{"name":"a"},{}]}"#,
        r#"{"tools":[{"title":"a"}]}"#,
        r#"{"tools":[{"name":1}]}"#,
        r#"{"tools":[{"name":null}]}"#,
        r#"{"tools":[{"name":"a","name":"X"}]}"#,
        r#"{"tools":[{"name":"a","n\u0061me":"X"}]}"#,
        r#"{"tools":[{"name":"a","Name":"X"}]}"#,
        r#"{"tools":[{"NAME":"a"}]}"#,
        r#"{"tools":[{"name":"a","x":1,"x":1}]}"#,
        r#"{"tools":[{"name":"\ud800"}]}"#,
        r#"{"tools":[{"name":"a","\ud800":1}]}"#,
        r#"{"Tools":[{"name":"a"}],"tools":[]}"#,
        r#"{"tools":[],"tool\u017f":[]}"#,
        r#"{"tools":[],"tools":[]}"#,
        r#"{"tools":[],"resourcetemplates":[]}"#,
        "[]",
        "",
    ] {
        for asked in [None, Some(ListKind::Tools)] {
            let found = filtered(result, asked);
            assert_eq!(found, Err(Withheld::NotUnderstood), "{result}");
        }
    }
}

#[test]
fn what_was_asked_for_has_to_be_a_list_and_what_was_not_need_not_be() {
    for result in [
        r#"{"tools":{"a":{"name":"X"}}}"#,
        r#"{"tools":["X"]}"#,
        r#"{"tools":[[{"name":"X"}]]}"#,
        r#"{"prompts":[],"tools":1}"#,
        "{}",
    ] {
        let asked = filtered(result, Some(ListKind::Tools));
        assert_eq!(asked, Err(Withheld::NotUnderstood), "{result}");
        assert_eq!(filtered(result, None), Ok((result.to_owned(), 0)));
    }
    let other = r#"{"prompts":[{"name":"X"}]}"#;
    assert_eq!(
        filtered(other, Some(ListKind::Tools)),
        Err(Withheld::NotUnderstood)
    );
    assert_eq!(
        filtered(r#"{"tools":[]}"#, Some(ListKind::Tools))
            .unwrap()
            .1,
        0
    );
}

#[test]
fn null_is_a_list_without_entries() {
    for asked in [None, Some(ListKind::Tools)] {
        for (result, passes) in [
            (r#"{"tools":null}"#, r#"{"tools":null}"#),
            (
                r#"{"tools":null,"cacheScope":"public"}"#,
                r#"{"tools":null,"cacheScope":"private"}"#,
            ),
        ] {
            assert_eq!(filtered(result, asked), Ok((passes.to_owned(), 0)));
        }
    }
}

pub(super) fn site(fields: &str) -> Rc<Site> {
    let text = format!(
        r#"{{"issuers":[{{"id":"demo","issuer":"https://issuer.example","algorithms":["RS256"],
             "keys":{{"discovery":{{"cluster":"as"}}}}}}],
            "servers":[{{"id":"s","resource":"https://mcp.example/s","issuers":["demo"],{fields},
              "obtainable_scopes":[{{"scopes":["w"]}}],"rules":[
              {{"id":"r","what":{{"tools":["read-*"]}}}},
              {{"id":"w","who":{{"scopes":["w"]}},"what":{{"tools":["write-*"]}}}}]}}]}}"#
    );
    let config = config::parse(text.as_bytes(), &|_| None).unwrap();
    let sites = Sites::new(&config);
    Rc::clone(sites.find("mcp.example", "/s").unwrap().0)
}

fn names_for(site: &Site, scopes: &str, result: &str) -> Result<(String, u32), Withheld> {
    let identity = Identity::for_test("somebody", scopes, "{}");
    let members = raw::object(result.as_bytes()).unwrap();
    let mut splice = Splice::new(result.as_bytes());
    let asked = Some(ListKind::Tools);
    let hidden = filter(&members, asked, &identity, site, &mut splice)?;
    Ok((String::from_utf8(splice.apply().unwrap()).unwrap(), hidden))
}

#[test]
fn the_servers_policy_decides_and_its_entry_says_whether_what_is_obtainable_is_shown() {
    let result = r#"{"tools":[{"name":"read-a"},{"name":"write-a"},{"name":"run-a"}]}"#;
    let read = r#"{"tools":[{"name":"read-a"}]}"#;
    let write = r#"{"tools":[{"name":"read-a"},{"name":"write-a"}]}"#;
    for (fields, scopes, wanted) in [
        (r#""lists":{"obtainable":"shown"}"#, "", (write, 1)),
        (r#""lists":{"obtainable":"hidden"}"#, "", (read, 2)),
        (r#""lists":{"obtainable":"hidden"}"#, "w", (write, 1)),
        (r#""audit_only":true"#, "", (result, 0)),
    ] {
        let found = names_for(&site(fields), scopes, result);
        assert_eq!(found, Ok((wanted.0.to_owned(), wanted.1)), "{fields}");
    }
    let odd = r#"{"Tools":1,"tools":7,"cacheScope":"public"}"#;
    let found = names_for(&site(r#""audit_only":true"#), "", odd);
    assert_eq!(found, Ok((odd.to_owned(), 0)));
}

/// A list of tools, each of about 400 bytes.
fn long_list(tools: usize) -> String {
    let mut text = String::from(r#"{"tools":["#);
    for index in 0..tools {
        let comma = if index == 0 { "" } else { "," };
        write!(
            text,
            r#"{comma}{{"name":"{}-{index}","title":"A tool of many","description":"What this tool does is told here in a sentence, as long as such sentences are: \"so\".","inputSchema":{{"type":"object","properties":{{"a":{{"type":"number","description":"The first number"}},"b":{{"type":"string","enum":["one","two","three"]}}}},"required":["a","b"]}},"annotations":{{"readOnlyHint":true}}}}"#,
            if index % 2 == 0 { "read" } else { "run" },
        )
        .unwrap();
    }
    text.push_str("]}");
    text
}

#[test]
fn a_list_of_a_thousand_tools_is_filtered() {
    let text = long_list(1000);
    let (after, hidden) = names_for(&site(r#""scopes":["s"]"#), "s", &text).unwrap();
    assert_eq!(hidden, 500);
    let list = raw::object(after.as_bytes()).unwrap().get("tools").unwrap();
    assert_eq!(raw::array(list.as_bytes()).unwrap().len(), 500);
}

proptest! {
    #[test]
    fn any_text_is_filtered_or_withheld_without_a_panic(
        bytes: Vec<u8>,
        list in r#"[\[\]{}",:a1 \\]{0,24}"#,
    ) {
        let _ = filter_text(&bytes, None, |_| false);
        let _ = filter_text(format!(r#"{{"tools":[{list}]}}"#).as_bytes(), None, |_| false);
        let _ = filter_text(format!(r#"{{"tools":[{{"name":"a",{list}}}]}}"#).as_bytes(), None, |_| false);
    }

    #[test]
    fn what_stays_is_what_is_shown_in_its_order(
        names in prop::collection::vec("X?[a-c\"\\\\\u{e9}]{0,3}", 0..9),
        space in "[ \n\t]{0,2}",
    ) {
        let list = |names: &[&String]| {
            let entries: Vec<String> = names
                .iter()
                .map(|name| format!(r#"{{"x":[{space}],"name":{space}{}}}"#, serde_json::to_string(name).unwrap()))
                .collect();
            format!(r#"{{"tools":{space}[{}],"y":1}}"#, entries.join(","))
        };
        let all: Vec<&String> = names.iter().collect();
        let shown: Vec<&String> = names.iter().filter(|name| !name.starts_with('X')).collect();
        let hidden = names.iter().filter(|name| name.starts_with('X')).count();
        let found = filtered(&list(&all), Some(ListKind::Tools));
        prop_assert_eq!(found, Ok((list(&shown), u32::try_from(hidden).unwrap())));
    }
}
