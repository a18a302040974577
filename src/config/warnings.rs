//! What is allowed but cannot be meant: rules that never match.

use super::reader::Node;
use crate::mcp::call::untargeted;
use crate::oauth::Scopes;
use crate::policy::{Effect, Obtainable, Pattern, Rule, pattern_is_ambiguous};

/// Looks at the rules of a server; `node` is their array.
pub(super) fn of_rules(
    node: &Node<'_>,
    rules: &[Rule],
    base: &Scopes,
    obtainable: &[Obtainable],
    extra_methods: &[Pattern],
) {
    if rules.is_empty() {
        node.warning("there is no rule, so every call is denied");
    }
    for (index, rule) in rules.iter().enumerate() {
        excepted(node, index, rule);
        for (place, pattern) in rule.what.resources.iter().enumerate() {
            if pattern_is_ambiguous(pattern.as_str()) {
                node.warning_at(
                    &format!("{index}/what/resources/{place}"),
                    "never matches: a URI with dot segments, white space, control characters, \
                     a backslash, or an encoded dot, slash or backslash is always denied",
                );
            }
        }
        for (place, pattern) in rule.what.methods.iter().enumerate() {
            if !names_a_method(pattern, extra_methods) {
                node.warning_at(
                    &format!("{index}/what/methods/{place}"),
                    "never matches: neither a method of MCP that names no tool, prompt or \
                     resource, nor one of extra_methods",
                );
            }
        }
        out_of_reach(node, index, rule, base, obtainable);
    }
}

/// Patterns of which `except` leaves nothing.
fn excepted(node: &Node<'_>, index: usize, rule: &Rule) {
    let what = &rule.what;
    for (kind, patterns, except) in [
        ("tools", &what.tools, &what.except_names),
        ("prompts", &what.prompts, &what.except_names),
        ("resources", &what.resources, &what.except_uris),
        ("methods", &what.methods, &what.except_names),
    ] {
        for (place, pattern) in patterns.iter().enumerate() {
            if except.iter().any(|except| except.covers(pattern)) {
                node.warning_at(
                    &format!("{index}/what/{kind}/{place}"),
                    "never matches: except leaves nothing of it",
                );
            }
        }
    }
}

/// Whether some method that rules on methods decide may fit the pattern.
fn names_a_method(pattern: &Pattern, extra_methods: &[Pattern]) -> bool {
    untargeted().any(|method| pattern.matches(method))
        || extra_methods.iter().any(|extra| extra.overlaps(pattern))
}

fn out_of_reach(
    node: &Node<'_>,
    index: usize,
    rule: &Rule,
    base: &Scopes,
    obtainable: &[Obtainable],
) {
    let reach = obtainable
        .iter()
        .fold(base.clone(), |reach, entry| reach.union(&entry.scopes));
    let missing = rule.who.scopes.without(&reach);
    if rule.effect == Effect::Allow && !missing.is_empty() {
        node.warning_at(
            &format!("{index}/who/scopes"),
            format_args!(
                "{missing}: neither in scopes nor in obtainable_scopes of the server, so a \
                 caller without it is never told to sign in for it"
            ),
        );
    }
}
