//! The Authorization header and the query.

use proptest::prelude::*;

use super::support::from_header;
use crate::http::Headers;
use crate::oauth::bearer::{
    BearerError, bearer_token, bearer_token_of, presented_token, query_has_access_token,
    query_without_access_token,
};

#[test]
fn one_bearer_token_in_any_case_of_the_scheme_after_one_or_more_spaces_is_taken() {
    for value in ["Bearer abc", "bearer abc", "BEARER   abc", "bEaReR  abc"] {
        assert_eq!(from_header(value).unwrap().as_str(), "abc", "{value}");
    }
    assert_eq!(
        from_header("Bearer aZ0-._~+/==").unwrap().as_str(),
        "aZ0-._~+/=="
    );
}

#[test]
fn no_header_and_another_scheme_are_a_request_without_credentials() {
    assert_eq!(bearer_token(&[]), Ok(None));
    for value in ["Basic YTpi", "DPoP abc", "Negotiate", "Bearerx abc"] {
        assert_eq!(bearer_token(&[value.as_bytes()]), Ok(None), "{value}");
    }
}

#[test]
fn more_than_one_credential_and_malformed_ones_are_refused() {
    for value in [
        &b"Bearer a,Bearer b"[..],
        b"Bearer a, Bearer b",
        b"Bearer a,",
        b"Basic YTpi, Bearer b",
        b"Bearer b, Basic YTpi",
        b"Bearer",
        b"Bearer ",
        b"Bearer   ",
        b"Bearer a b",
        b"Bearer a ",
        b" Bearer a",
        b"Bearer\ta",
        b"Bearer \ta",
        b"Bearer a=b",
        b"Bearer ==",
        b"Bearer \"a\"",
        b"Bearer a\0",
        b"Bearer \xc3\xa9",
        b"Bearer \xff",
        b"\xffearer a",
        b"Bearer: a",
        b"",
        b" ",
        b",",
    ] {
        assert_eq!(bearer_token(&[value]), Err(BearerError), "{value:?}");
    }
    assert_eq!(bearer_token(&[b"Bearer a", b"Bearer a"]), Err(BearerError));
    assert_eq!(
        bearer_token(&[b"Bearer a", b"Basic YTpi"]),
        Err(BearerError)
    );
    assert_eq!(bearer_token(&[b"", b"Bearer a"]), Err(BearerError));
}

fn headers(values: &[impl AsRef<[u8]>]) -> Headers {
    let pairs = values
        .iter()
        .map(|value| ("authorization".to_owned(), value.as_ref().to_vec()));
    Headers::new(pairs.collect())
}

#[test]
fn of_two_headers_no_token_is_looked_up() {
    let none: &[&str] = &[];
    for values in [
        none,
        &["Bearer a", "Bearer a"],
        &["Basic YTpi"],
        &["Bearer"],
    ] {
        assert_eq!(presented_token(&headers(values)), None, "{values:?}");
    }
    assert_eq!(bearer_token_of(&headers(none)), Ok(None));
    let two = headers(&["Bearer a", "Bearer a"]);
    assert_eq!(bearer_token_of(&two), Err(BearerError));
}

#[test]
fn a_token_is_not_printed() {
    let token = from_header("Bearer secret").unwrap();
    assert!(!format!("{token:?}").contains("secret"));
}

#[test]
fn a_token_in_the_query_is_found_in_any_encoding_and_taken_out() {
    for (query, rest) in [
        ("access_token=x", ""),
        ("access_token", ""),
        ("a=1&access_token=x", "a=1"),
        ("access_token=x&a=1", "a=1"),
        ("a=1&access_token=x&b=%20", "a=1&b=%20"),
        ("a=1;access_token=x;b=2", "a=1;b=2"),
        ("%61ccess%5Ftoken=x&a", "a"),
        ("access_token=x&access_token=y", ""),
        ("a=1&access_token=x&access_token=y", "a=1"),
    ] {
        assert!(query_has_access_token(query), "{query}");
        assert_eq!(query_without_access_token(query), rest, "{query}");
    }
    for query in [
        "",
        "a=1&b=2&",
        "Access_Token=x",
        "a=access_token",
        "a=access_token=b",
        "xaccess_token=1",
        "access%255Ftoken=x",
        "access+token=x",
        "&&",
    ] {
        assert!(!query_has_access_token(query), "{query}");
        assert_eq!(query_without_access_token(query), query);
    }
}

proptest! {
    #[test]
    fn what_is_taken_is_one_token68_and_nothing_panics(value: Vec<u8>) {
        if let Ok(Some(token)) = bearer_token(&[&value]) {
            prop_assert!(token.as_str().bytes().all(|b| b.is_ascii_graphic() && b != b','));
        }
    }

    #[test]
    fn what_is_looked_up_is_the_token_that_would_be_read(
        value in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..20),
            "(Bearer|bearer|BEARER|Basic)?[ ,]{0,3}[a-zA-Z0-9.=, -]{0,20}".prop_map(String::into_bytes),
        ],
    ) {
        let headers = headers(&[&value]);
        prop_assert_eq!(bearer_token_of(&headers), bearer_token(&[&value]));
        if let Ok(Some(token)) = bearer_token(&[&value]) {
            prop_assert_eq!(presented_token(&headers), Some(token.as_str().as_bytes()));
        }
    }

    #[test]
    fn any_bytes_after_the_scheme_that_are_no_token68_are_refused(rest in "[ -~]{0,20}") {
        let value = format!("Bearer {rest}");
        let valid = {
            let rest = rest.trim_start_matches(' ');
            let body = rest.trim_end_matches('=');
            !body.is_empty() && body.chars().all(|c| c.is_ascii_alphanumeric() || "-._~+/".contains(c))
        };
        prop_assert_eq!(bearer_token(&[value.as_bytes()]).is_ok(), valid);
    }

    #[test]
    fn a_query_without_the_token_has_no_token(query in "(&|;|=|a|access_token|%61ccess_token|%|1){0,12}") {
        let rest = query_without_access_token(&query);
        prop_assert!(!query_has_access_token(&rest));
        if !query_has_access_token(&query) {
            prop_assert_eq!(rest, query);
        }
    }
}

#[test]
fn each_byte_of_a_token_is_judged_alike_wherever_it_stands() {
    for byte in 0..=u8::MAX {
        let may_stand = byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
        for place in 0..40 {
            let mut value = [b"Bearer ".as_slice(), &[b'a'; 40]].concat();
            value[7 + place] = byte;
            // A space before the token is none of it, and `=` may end it.
            let is_taken = may_stand || byte == b'=' && place == 39 || byte == b' ' && place == 0;
            let read = bearer_token(&[&value]);
            assert_eq!(matches!(read, Ok(Some(_))), is_taken, "{byte} at {place}");
        }
    }
}
