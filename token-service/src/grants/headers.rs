//! Headers from keys and templates.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::types::{KeptText, OverrideError, OverrideValue};
use crate::secret::Secret;
use crate::servers::{Authentication, HeaderAuthentication, Template, TemplatePart};

/// Headers, names in lower case.
pub(super) type Headers = Vec<(String, Secret)>;

/// The form in which an override is kept, sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum KeptOverride {
    One(KeptText),
    Each(BTreeMap<String, KeptText>),
}

/// A longer value does not fit into a request.
const LONGEST: usize = 8192;

/// The headers of a template with values for its placeholders; `None`: one is
/// missing.
pub(super) fn fill(
    authentication: &HeaderAuthentication,
    value: impl Fn(&str) -> Option<Secret>,
) -> Option<Headers> {
    let filled = |Template(parts): &Template| {
        let mut text = Zeroizing::new(Vec::new());
        for part in parts {
            match part {
                TemplatePart::Text(fixed) => text.extend_from_slice(fixed.as_bytes()),
                TemplatePart::Placeholder(name) => text.extend_from_slice(value(name)?.expose()),
            }
        }
        Some(Secret::new(text.as_slice()))
    };
    authentication
        .headers
        .iter()
        .map(|(name, template)| Some((name.clone(), filled(template)?)))
        .collect()
}

/// The headers of an override. Where the server's own headers have
/// placeholders, it fills them; else it is the whole value of the first of
/// them, or of `authorization`.
pub(super) fn overridden(authentication: &Authentication, value: &KeptOverride) -> Option<Headers> {
    if let Authentication::Header(header) = authentication {
        match (header.placeholders().len(), value) {
            (0, _) => {}
            (1, KeptOverride::One(text)) => return fill(header, |_| Some(text.secret())),
            // It was set for another form of the headers.
            (_, KeptOverride::One(_)) => return None,
            (_, KeptOverride::Each(values)) => {
                return fill(header, |name| values.get(name).map(KeptText::secret));
            }
        }
    }
    let KeptOverride::One(text) = value else {
        return None;
    };
    let name = match authentication {
        Authentication::Header(header) => header.headers.first().map(|(name, _)| name.as_str()),
        _ => None,
    };
    let name = name.unwrap_or("authorization").to_owned();
    Some(vec![(name, text.secret())])
}

/// What somebody sets, checked against the server's headers.
pub(super) fn parse_override(
    authentication: &Authentication,
    value: &OverrideValue,
) -> Result<KeptOverride, OverrideError> {
    let invalid = OverrideError::InvalidValue;
    if matches!(authentication, Authentication::None) {
        return Err(invalid("the server takes no credential"));
    }
    let text = |secret: &Secret| {
        let bytes = secret.expose();
        if bytes.is_empty() || bytes.len() > LONGEST {
            return Err(invalid("the value is empty or too long"));
        }
        let inner = bytes.iter().all(|byte| matches!(byte, 0x20..=0x7e));
        let edge = |byte: Option<&u8>| byte == Some(&b' ');
        if !inner || edge(bytes.first()) || edge(bytes.last()) {
            return Err(invalid("the value cannot stand in a header"));
        }
        KeptText::of(secret).ok_or(invalid("the value is not text"))
    };
    let names = match authentication {
        Authentication::Header(header) => header.placeholders(),
        _ => vec![],
    };
    let wanted = || names.iter().map(|name| (*name).to_owned()).collect();
    match value {
        OverrideValue::One(secret) if names.len() <= 1 => Ok(KeptOverride::One(text(secret)?)),
        OverrideValue::One(_) => Err(OverrideError::Placeholders(wanted())),
        OverrideValue::Each(values) => {
            let fits = |name: &&str| values.contains_key(*name);
            if names.is_empty() || values.len() != names.len() || !names.iter().all(fits) {
                return Err(OverrideError::Placeholders(wanted()));
            }
            let mut texts = BTreeMap::new();
            for (name, secret) in values {
                texts.insert(name.clone(), text(secret)?);
            }
            Ok(KeptOverride::Each(texts))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::servers::HeaderLevel;

    fn header(headers: &[(&str, &[TemplatePart])]) -> Authentication {
        Authentication::Header(HeaderAuthentication {
            headers: headers
                .iter()
                .map(|(name, parts)| ((*name).to_owned(), Template(parts.to_vec())))
                .collect(),
            level: HeaderLevel::PerUser,
        })
    }

    fn text(text: &str) -> TemplatePart {
        TemplatePart::Text(text.to_owned())
    }

    fn place(name: &str) -> TemplatePart {
        TemplatePart::Placeholder(name.to_owned())
    }

    fn one(value: &str) -> OverrideValue {
        OverrideValue::One(Secret::new(value))
    }

    fn each(values: &[(&str, &str)]) -> OverrideValue {
        let values = values.iter();
        OverrideValue::Each(
            values
                .map(|(name, value)| ((*name).to_owned(), Secret::new(*value)))
                .collect(),
        )
    }

    fn result(authentication: &Authentication, value: &OverrideValue) -> Vec<(String, String)> {
        let kept = parse_override(authentication, value).unwrap();
        let headers = overridden(authentication, &kept).unwrap().into_iter();
        headers
            .map(|(name, value)| (name, value.expose_text().unwrap().to_owned()))
            .collect()
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn an_override_fills_placeholders_or_is_the_whole_header() {
        let templated = header(&[
            ("authorization", &[text("Bearer "), place("KEY")]),
            ("x-version", &[text("1")]),
        ]);
        assert_eq!(
            result(&templated, &one("k")),
            [pair("authorization", "Bearer k"), pair("x-version", "1")]
        );
        let fixed = header(&[("x-key", &[text("shared")])]);
        assert_eq!(result(&fixed, &one("own")), [pair("x-key", "own")]);
        assert_eq!(
            result(&header(&[]), &one("Bearer t")),
            [pair("authorization", "Bearer t")]
        );
        assert!(parse_override(&Authentication::None, &one("Bearer t")).is_err());
    }

    #[test]
    fn several_placeholders_need_a_value_each() {
        let two = header(&[("authorization", &[place("USER"), text(":"), place("KEY")])]);
        let both = each(&[("USER", "u"), ("KEY", "k")]);
        assert_eq!(result(&two, &both), [pair("authorization", "u:k")]);
        for wrong in [
            one("k"),
            each(&[("KEY", "k")]),
            each(&[("KEY", "k"), ("OTHER", "o")]),
        ] {
            assert!(parse_override(&two, &wrong).is_err());
        }
        let needed = |authentication: &_, value: &_| match parse_override(authentication, value) {
            Err(OverrideError::Placeholders(names)) => names,
            other => panic!("{other:?}"),
        };
        assert_eq!(needed(&two, &one("k")), ["USER", "KEY"]);
        assert_eq!(needed(&header(&[]), &both), [""; 0]);
        assert_eq!(needed(&header(&[]), &each(&[])), [""; 0]);
    }

    #[test]
    fn what_was_set_for_other_placeholders_counts_as_nothing() {
        let single = header(&[("x-key", &[place("KEY")])]);
        let double = header(&[("x-user", &[place("USER")]), ("x-key", &[place("KEY")])]);
        let of_single = parse_override(&single, &one("k")).unwrap();
        let of_double = each(&[("USER", "u"), ("KEY", "k")]);
        let of_double = parse_override(&double, &of_double).unwrap();
        assert!(overridden(&double, &of_single).is_none());
        assert!(overridden(&header(&[]), &of_double).is_none());
        let other = header(&[("x-key", &[place("OTHER")])]);
        assert!(overridden(&other, &of_double).is_none());
    }

    #[test]
    fn what_cannot_stand_in_a_header_is_refused() {
        for value in ["", " k", "k ", "a\r\nb: c", "a\0", "é", "a\tb"] {
            assert!(parse_override(&header(&[]), &one(value)).is_err());
        }
        let long = "x".repeat(LONGEST + 1);
        assert!(parse_override(&header(&[]), &one(&long)).is_err());
    }
}
