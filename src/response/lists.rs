//! Lists: what of them the caller could use.

use core::ops::Range;
use std::borrow::Cow;

use super::splice::Splice;
use super::withheld::Withheld;
use crate::config::ObtainableEntries;
use crate::json::has_duplicate;
use crate::json::letters::same_letters;
use crate::json::raw::{self, RawObject};
use crate::json::walk::Walk;
use crate::oauth::Identity;
use crate::policy::Entry;
use crate::site::Site;

/// The lists of MCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListKind {
    /// `tools/list`
    Tools,
    /// `prompts/list`
    Prompts,
    /// `resources/list`
    Resources,
    /// `resources/templates/list`
    Templates,
}

impl ListKind {
    pub(super) const ALL: [Self; 4] =
        [Self::Tools, Self::Prompts, Self::Resources, Self::Templates];

    /// The list that a method asks for.
    pub fn of(method: &str) -> Option<Self> {
        Some(match method {
            "tools/list" => Self::Tools,
            "prompts/list" => Self::Prompts,
            "resources/list" => Self::Resources,
            "resources/templates/list" => Self::Templates,
            _ => return None,
        })
    }

    /// The member of a result that is the list.
    pub(super) const fn member(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Prompts => "prompts",
            Self::Resources => "resources",
            Self::Templates => "resourceTemplates",
        }
    }

    /// The member of an entry that calls of it name.
    const fn identifier(self) -> &'static str {
        match self {
            Self::Tools | Self::Prompts => "name",
            Self::Resources => "uri",
            Self::Templates => "uriTemplate",
        }
    }

    const fn entry(self, identifier: &str) -> Entry<'_> {
        match self {
            Self::Tools => Entry::Tool(identifier),
            Self::Prompts => Entry::Prompt(identifier),
            Self::Resources => Entry::Resource(identifier),
            Self::Templates => Entry::Template(identifier),
        }
    }
}

/// Filters every list in a result (or in the parameters of a notification),
/// as edits of the message that it stands in. `asked` is the list that was
/// asked for, which then has to be there. The number of entries that were
/// taken out.
///
/// # Errors
/// [`Withheld::NotUnderstood`]
pub(super) fn filter(
    members: &RawObject<'_>,
    asked: Option<ListKind>,
    identity: &Identity,
    site: &Site,
    splice: &mut Splice<'_>,
) -> Result<u32, Withheld> {
    let policy = &site.server.policy;
    if policy.audit_only() {
        return Ok(0);
    }
    let obtainable = site.server.obtainable_entries == ObtainableEntries::Shown;
    let mut viewer = policy.viewer(identity, obtainable);
    filter_by(members, asked, |entry| viewer.shows(entry), splice)
}

/// The text of a result with its lists filtered: with the entries that are to
/// be shown, and every other byte as it was, apart from a `cacheScope`. With it
/// the number of entries that were taken out.
///
/// # Errors
/// [`Withheld::NotUnderstood`]
pub fn filter_text(
    result: &[u8],
    asked: Option<ListKind>,
    shows: impl FnMut(Entry<'_>) -> bool,
) -> Result<(Vec<u8>, u32), Withheld> {
    let members = raw::object(result).map_err(|_| Withheld::NotUnderstood)?;
    let mut splice = Splice::new(result);
    let hidden = filter_by(&members, asked, shows, &mut splice)?;
    let text = splice.apply().ok_or(Withheld::NotUnderstood)?;
    Ok((text, hidden))
}

fn filter_by(
    members: &RawObject<'_>,
    asked: Option<ListKind>,
    mut shows: impl FnMut(Entry<'_>) -> bool,
    splice: &mut Splice<'_>,
) -> Result<u32, Withheld> {
    if asked.is_some_and(|kind| members.get(kind.member()).is_none()) {
        return Err(Withheld::NotUnderstood);
    }
    let mut hidden: Option<u32> = None;
    for (name, value) in members.iter() {
        let Some(kind) = kind_of_member(name)? else {
            continue;
        };
        // How servers in Go write an empty list.
        if value == "null" {
            hidden.get_or_insert(0);
            continue;
        }
        let list = List::read(kind, value, &mut shows).ok_or(Withheld::NotUnderstood)?;
        if asked.is_none() && !list.is_one_by_its_shape() {
            continue;
        }
        let removed = list.remove_hidden(value, splice)?;
        hidden = Some(hidden.unwrap_or_default().saturating_add(removed));
    }
    if hidden.is_some() {
        make_private(members, splice)?;
    }
    Ok(hidden.unwrap_or_default())
}

/// The list that a member is. A reader without regard to letter case would
/// take `Tools` for one as well.
fn kind_of_member(name: &str) -> Result<Option<ListKind>, Withheld> {
    let kind = ListKind::ALL
        .into_iter()
        .find(|kind| same_letters(kind.member(), name));
    match kind {
        Some(kind) if kind.member() != name => Err(Withheld::NotUnderstood),
        kind => Ok(kind),
    }
}

/// A list that depends on who asks must not be kept for others (MCP
/// 2026-07-28, "Caching").
fn make_private(members: &RawObject<'_>, splice: &mut Splice<'_>) -> Result<(), Withheld> {
    const NAME: &str = "cacheScope";
    for (name, value) in members.iter() {
        if !same_letters(name, NAME) {
            continue;
        }
        if name != NAME {
            return Err(Withheld::NotUnderstood);
        }
        if raw::string(value).as_deref() != Some("private") {
            splice
                .replace(value, "\"private\"")
                .ok_or(Withheld::NotUnderstood)?;
        }
    }
    Ok(())
}

/// A member that is a list by its name.
#[derive(Debug)]
enum List {
    /// An array.
    Array(Elements),
    /// Anything else.
    Other,
}

/// What the elements of a list are, and which of them are cut out.
#[derive(Debug, Default)]
struct Elements {
    /// There is one that is an object.
    has_object: bool,
    /// There is one that is no object, or does not clearly say what calls of
    /// it name.
    has_unclear: bool,
    cuts: Cuts,
}

#[derive(Debug)]
enum What<'a> {
    /// An object that says what calls of it name.
    Entry(Cow<'a, str>),
    /// An object that does not, or not clearly.
    Unclear,
    /// No object.
    NoObject,
}

impl List {
    /// `None` where the text is no JSON, which does not happen.
    fn read(kind: ListKind, text: &str, mut shows: impl FnMut(Entry<'_>) -> bool) -> Option<Self> {
        let mut walk = Walk::new(text);
        if !walk.takes(b'[') {
            return Some(Self::Other);
        }
        let mut elements = Elements::default();
        let mut names = Vec::new();
        let mut ends = walk.takes(b']');
        while !ends {
            walk.next()?;
            let start = walk.at();
            let what = What::read(&mut walk, kind.identifier(), &mut names)?;
            let place = start..walk.at();
            elements.push(&what, place, |identifier| shows(kind.entry(identifier)));
            ends = walk.ends(b']')?;
        }
        Some(Self::Array(elements))
    }

    /// Whether it is a list although none was asked for: every element that
    /// there is could be an entry. With some that could and some that could
    /// not it counts as one, which then is not understood.
    const fn is_one_by_its_shape(&self) -> bool {
        matches!(
            self,
            Self::Array(Elements {
                has_object: true,
                ..
            })
        )
    }

    /// Cuts out of its text what is not to be shown, each with one comma. How
    /// many that are.
    fn remove_hidden(self, text: &str, splice: &mut Splice<'_>) -> Result<u32, Withheld> {
        let Self::Array(Elements {
            has_unclear: false,
            cuts,
            ..
        }) = self
        else {
            return Err(Withheld::NotUnderstood);
        };
        let removed = cuts.removed;
        splice
            .cut_out(text, cuts.finish())
            .ok_or(Withheld::NotUnderstood)?;
        Ok(removed)
    }
}

impl Elements {
    fn push(&mut self, what: &What<'_>, place: Range<usize>, shows: impl FnOnce(&str) -> bool) {
        match what {
            What::Entry(_) | What::Unclear => self.has_object = true,
            What::NoObject => {}
        }
        match what {
            // Of a list that is not understood, nothing goes on.
            What::Entry(_) if self.has_unclear => {}
            What::Entry(identifier) if shows(identifier) => self.cuts.keep(&place),
            What::Entry(_) => self.cuts.remove(&place),
            What::Unclear | What::NoObject => self.has_unclear = true,
        }
    }
}

impl<'a> What<'a> {
    /// Goes over one element. `names` is room for the names of its members.
    fn read(
        walk: &mut Walk<'a>,
        identifier: &str,
        names: &mut Vec<(Cow<'a, str>, ())>,
    ) -> Option<Self> {
        if !walk.takes(b'{') {
            walk.value()?;
            return Some(Self::NoObject);
        }
        names.clear();
        let mut found = None;
        let mut unclear = false;
        let mut ends = walk.takes(b'}');
        while !ends {
            let name = walk.name()?;
            let value = walk.value()?;
            match name.read() {
                Some(name) if name == identifier => {
                    found = raw::string(value);
                    names.push((name, ()));
                }
                Some(name) if !same_letters(&name, identifier) => names.push((name, ())),
                // A name that stands for nothing in UTF-8 is gone over as well.
                _ => unclear = true,
            }
            ends = walk.ends(b'}')?;
        }
        Some(match found {
            Some(name) if !unclear && !has_duplicate(names) => Self::Entry(name),
            _ => Self::Unclear,
        })
    }
}

/// Which parts of a list are cut out: neighbours together, and with them the
/// comma before them, or behind them where nothing before them stays.
#[derive(Debug, Default)]
struct Cuts {
    done: Vec<Range<usize>>,
    /// Where the last entry that stays ends.
    kept: Option<usize>,
    /// What is cut out since then.
    open: Option<Range<usize>>,
    removed: u32,
}

impl Cuts {
    fn remove(&mut self, place: &Range<usize>) {
        let start = match (&self.open, self.kept) {
            (Some(open), _) => open.start,
            (None, Some(kept)) => kept,
            (None, None) => place.start,
        };
        self.open = Some(start..place.end);
        self.removed = self.removed.saturating_add(1);
    }

    fn keep(&mut self, place: &Range<usize>) {
        if let Some(open) = self.open.take() {
            let end = if self.kept.is_some() {
                open.end
            } else {
                place.start
            };
            self.done.push(open.start..end);
        }
        self.kept = Some(place.end);
    }

    fn finish(mut self) -> Vec<Range<usize>> {
        self.done.extend(self.open);
        self.done
    }
}
