//! Challenges, read back by a parser that knows nothing of how they are made.

use proptest::prelude::*;

use crate::oauth::Scopes;
use crate::oauth::challenge::{Challenge, ChallengeError};
use crate::oauth::token_error::TokenError;

const METADATA: &str = "https://gate.example/.well-known/oauth-protected-resource/mcp";

#[test]
fn without_a_token_there_is_no_error() {
    let scope = Scopes::parse("mcp:read").unwrap();
    let challenge = Challenge {
        error: None,
        description: None,
        scope: Some(&scope),
        resource_metadata: METADATA,
    };
    assert_eq!(
        challenge.header_value(),
        format!("Bearer scope=\"mcp:read\", resource_metadata=\"{METADATA}\"")
    );
}

#[test]
fn error_description_scope_and_metadata_come_in_this_order() {
    let scope = Scopes::parse("b a").unwrap();
    let challenge = Challenge {
        error: Some(ChallengeError::InsufficientScope),
        description: Some("More is needed"),
        scope: Some(&scope),
        resource_metadata: METADATA,
    };
    assert_eq!(
        challenge.header_value(),
        format!(
            "Bearer error=\"insufficient_scope\", error_description=\"More is needed\", \
             scope=\"a b\", resource_metadata=\"{METADATA}\""
        )
    );
}

#[test]
fn an_empty_scope_and_an_empty_description_are_left_out() {
    let scope = Scopes::default();
    let challenge = Challenge {
        error: Some(ChallengeError::InvalidRequest),
        description: Some(""),
        scope: Some(&scope),
        resource_metadata: METADATA,
    };
    assert_eq!(
        challenge.header_value(),
        format!("Bearer error=\"invalid_request\", resource_metadata=\"{METADATA}\"")
    );
}

#[test]
fn every_refusal_makes_a_legal_challenge_with_its_own_words() {
    for error in TokenError::ALL {
        let challenge = Challenge {
            error: Some(ChallengeError::InvalidToken),
            description: Some(error.description()),
            scope: None,
            resource_metadata: METADATA,
        };
        let parameters = parse(&challenge.header_value()).unwrap();
        assert_eq!(
            parameters,
            [
                ("error".to_owned(), "invalid_token".to_owned()),
                (
                    "error_description".to_owned(),
                    error.description().to_owned()
                ),
                ("resource_metadata".to_owned(), METADATA.to_owned()),
            ]
        );
    }
}

proptest! {
    #[test]
    fn any_texts_make_a_challenge_that_parses_and_cannot_be_broken_out_of(
        description: String,
        scopes in "[!#-\\[\\]-~ ]{0,40}",
        url: String,
    ) {
        let scopes = Scopes::parse(&scopes).unwrap();
        let value = Challenge {
            error: Some(ChallengeError::InvalidToken),
            description: Some(&description),
            scope: Some(&scopes),
            resource_metadata: &url,
        }
        .header_value();
        let parameters = parse(&value).unwrap();
        let names: Vec<&str> = parameters.iter().map(|(name, _)| name.as_str()).collect();
        let mut expected = vec!["error"];
        if !description.is_empty() {
            expected.push("error_description");
        }
        if !scopes.is_empty() {
            expected.push("scope");
        }
        expected.push("resource_metadata");
        prop_assert_eq!(names, expected);
        for (name, text) in parameters {
            let legal = text.bytes().all(|b| match name.as_str() {
                // RFC 6750, section 3.
                "error_description" => matches!(b, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e),
                "scope" => b == b' ' || matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e),
                _ => matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e),
            });
            prop_assert!(legal, "{}: {:?}", name, text);
            if name == "scope" {
                prop_assert_eq!(text, scopes.to_string());
            }
        }
    }
}

/// `Bearer 1*SP auth-param *( "," SP auth-param )` with quoted strings only
/// (RFC 9110, sections 5.6.4 and 11.2), a character at a time.
fn parse(value: &str) -> Option<Vec<(String, String)>> {
    let mut input = value.strip_prefix("Bearer ")?.chars().peekable();
    let mut parameters = Vec::new();
    loop {
        let mut name = String::new();
        while let Some(character) = input.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
            name.push(character);
        }
        if name.is_empty() || input.next()? != '=' || input.next()? != '"' {
            return None;
        }
        let mut text = String::new();
        loop {
            match input.next()? {
                '"' => break,
                '\\' => text.push(input.next()?),
                character @ (' '..='~' | '\t') => text.push(character),
                _ => return None,
            }
        }
        parameters.push((name, text));
        match input.next() {
            None => return Some(parameters),
            Some(',') if input.next()? == ' ' => {}
            Some(_) => return None,
        }
    }
}
