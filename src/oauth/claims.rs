//! Finding claims in a token.

use crate::json::{Json, Object};

/// Where a claim stands: a member name, or a path of names with dots between
/// them (`realm_access.roles`, as Keycloak writes roles).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimPath {
    whole: String,
    segments: Vec<String>,
}

/// A path with an empty segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidClaimPath;

impl ClaimPath {
    /// From its written form.
    ///
    /// # Errors
    /// [`InvalidClaimPath`] for an empty text or an empty segment.
    pub fn parse(text: &str) -> Result<Self, InvalidClaimPath> {
        let segments: Vec<String> = text.split('.').map(str::to_owned).collect();
        if segments.iter().any(String::is_empty) {
            return Err(InvalidClaimPath);
        }
        Ok(Self {
            whole: text.to_owned(),
            segments,
        })
    }

    /// The written form.
    pub fn as_str(&self) -> &str {
        &self.whole
    }

    /// The claim. A top-level member with exactly the written name comes
    /// first: names such as `https://example.com/roles` contain dots.
    pub fn find<'a>(&self, claims: &'a Object<'a>) -> Option<&'a Json<'a>> {
        if let Some(value) = claims.get(&self.whole) {
            return Some(value);
        }
        let (first, rest) = self.segments.split_first()?;
        rest.iter().try_fold(claims.get(first)?, |value, segment| {
            value.as_object()?.get(segment)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::parse;

    #[test]
    fn a_path_walks_objects_and_a_whole_name_comes_first() {
        let claims = parse(br#"{"a":{"b":1},"a.b":2,"c":{"d":{"e":3}},"f":"x"}"#, 9).unwrap();
        let claims = claims.as_object().unwrap();
        let find = |path: &str| {
            ClaimPath::parse(path)
                .unwrap()
                .find(claims)
                .and_then(Json::as_u64)
        };
        assert_eq!(find("a.b"), Some(2));
        assert_eq!(find("c.d.e"), Some(3));
        assert_eq!(find("f.g"), None);
        assert_eq!(find("missing"), None);
        assert_eq!(ClaimPath::parse("a..b"), Err(InvalidClaimPath));
    }
}
