//! Texts that go out, most of which nobody has to make anew for a request.

use core::fmt;
use core::ops::Deref;
use std::rc::Rc;

/// A text of the code's, of something that outlives the request, or of the
/// request.
#[derive(Clone, Debug)]
pub enum Text {
    /// Known to the code.
    Fixed(&'static str),
    /// Known to the configuration, say.
    Shared(Rc<str>),
    /// Made for this request.
    Own(String),
}

impl Text {
    /// Its characters.
    pub fn as_str(&self) -> &str {
        self
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Fixed(text) => text,
            Self::Shared(text) => text,
            Self::Own(text) => text,
        }
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Text {}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        **self == *other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        **self == **other
    }
}

impl PartialEq<Text> for String {
    fn eq(&self, other: &Text) -> bool {
        **self == **other
    }
}

impl Default for Text {
    fn default() -> Self {
        Self::Fixed("")
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl From<&'static str> for Text {
    fn from(text: &'static str) -> Self {
        Self::Fixed(text)
    }
}

impl From<&Rc<str>> for Text {
    fn from(text: &Rc<str>) -> Self {
        Self::Shared(Rc::clone(text))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::Own(text)
    }
}
