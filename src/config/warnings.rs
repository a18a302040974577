//! What is allowed but cannot be meant: rules that never match.

use super::reader::Node;
use crate::mcp::Revision;
use crate::mcp::call::{is_callable, untargeted};
use crate::oauth::{Scopes, SubjectType};
use crate::policy::{Effect, Obtainable, Pattern, Rule, What, pattern_is_ambiguous};

/// What is around the rules of a server.
pub(super) struct Around<'a> {
    pub(super) base: &'a Scopes,
    pub(super) obtainable: &'a [Obtainable],
    pub(super) extra_methods: &'a [Pattern],
    pub(super) versions: &'a [Revision],
    /// The kinds of subject that its issuers' tokens can have.
    pub(super) subject_types: Vec<SubjectType>,
}

/// Looks at the rules of a server; `node` is their array.
pub(super) fn of_rules(node: &Node<'_>, rules: &[Rule], around: &Around<'_>) {
    if rules.is_empty() {
        node.warning("there is no rule, so every call is denied");
    }
    let denials: Vec<&Rule> = rules.iter().filter(|rule| is_for_everyone(rule)).collect();
    for (index, rule) in rules.iter().enumerate() {
        of_patterns(node, index, rule, &denials);
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
            if !names_a_method(pattern, around) {
                node.warning_at(
                    &format!("{index}/what/methods/{place}"),
                    "never matches: neither a method of MCP that names no tool, prompt or \
                     resource, in a version that the server speaks, nor one of extra_methods",
                );
            }
        }
        for (place, wanted) in rule.who.subject_types.iter().flatten().enumerate() {
            if !around.subject_types.contains(wanted) {
                node.warning_at(
                    &format!("{index}/who/subject_types/{place}"),
                    "never matches: no issuer of this server gives it to anyone",
                );
            }
        }
        out_of_reach(node, index, rule, around);
    }
}

/// Whether it denies, whoever calls and with which arguments.
fn is_for_everyone(rule: &Rule) -> bool {
    rule.effect == Effect::Deny
        && !rule.audit_only
        && rule.who.is_everyone()
        && rule.arguments.is_empty()
        && rule.what.except_names.is_empty()
}

/// Patterns that match nothing, or only what is denied in any case. The last
/// is no error: a denial that is added in a hurry has to work as it is.
fn of_patterns(node: &Node<'_>, index: usize, rule: &Rule, denials: &[&Rule]) {
    type Kind = (&'static str, fn(&What) -> &[Pattern]);
    const KINDS: [Kind; 4] = [
        ("tools", |what| &what.tools),
        ("prompts", |what| &what.prompts),
        ("resources", |what| &what.resources),
        ("methods", |what| &what.methods),
    ];
    let what = &rule.what;
    for (kind, patterns) in KINDS {
        let except = match kind {
            "resources" => &what.except_uris,
            _ => &what.except_names,
        };
        for (place, pattern) in patterns(what).iter().enumerate() {
            let covers = |other: &Pattern| other.covers(pattern);
            let denial = denials
                .iter()
                .find(|denial| patterns(&denial.what).iter().any(covers));
            let message = if except.iter().any(covers) {
                "never matches: except leaves nothing of it".to_owned()
            } else if matches!(kind, "tools" | "prompts") && !is_name(pattern) {
                "never matches: a name with white space at its ends or control characters is \
                 always refused"
                    .to_owned()
            } else if rule.effect == Effect::Allow
                && let Some(denial) = denial
            {
                format!(
                    "allows nothing: the rule \"{}\" denies it to everyone",
                    denial.id
                )
            } else {
                continue;
            };
            node.warning_at(&format!("{index}/what/{kind}/{place}"), message);
        }
    }
}

/// Whether some name that a call may have fits the pattern.
fn is_name(pattern: &Pattern) -> bool {
    is_callable(&pattern.as_str().replace(['*', '?'], "x"))
}

/// Whether some method that rules on methods decide may fit the pattern.
fn names_a_method(pattern: &Pattern, around: &Around<'_>) -> bool {
    let versions = around.versions;
    untargeted(versions).any(|method| pattern.matches(method))
        || around
            .extra_methods
            .iter()
            .any(|extra| extra.overlaps(pattern))
}

fn out_of_reach(node: &Node<'_>, index: usize, rule: &Rule, around: &Around<'_>) {
    let reach = around
        .obtainable
        .iter()
        .fold(around.base.clone(), |reach, entry| {
            reach.union(&entry.scopes)
        });
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
