//! In whatever parts a body comes, the same goes on.

use proptest::prelude::*;

use super::*;

fn settings() -> impl Strategy<Value = Setting> {
    let kind = prop::sample::select(vec![BodyKind::Events, BodyKind::Json, BodyKind::Untold]);
    let bound = || prop_oneof![16..80_usize, Just(4096)];
    (kind, bound(), bound()).prop_map(|(kind, limit, flow_from)| Setting {
        kind,
        limit,
        flow_from,
    })
}

fn assert_same(setting: Setting, text: &[u8], parts: &[Vec<u8>]) -> Result<(), TestCaseError> {
    let at_once = whole(setting, text, &by_words);
    let in_parts = run(setting, slices(parts), &by_words);
    prop_assert_eq!(at_once.was_cut, in_parts.was_cut);
    prop_assert_eq!(&at_once.read, &in_parts.read);
    prop_assert_eq!(&at_once.unread, &in_parts.unread);
    if at_once.was_cut {
        let (short, long) = if at_once.out.len() < in_parts.out.len() {
            (&at_once.out, &in_parts.out)
        } else {
            (&in_parts.out, &at_once.out)
        };
        prop_assert!(long.starts_with(short));
    } else {
        let shown = |out: &[u8]| out.escape_ascii().to_string();
        prop_assert_eq!(shown(&at_once.out), shown(&in_parts.out));
    }
    prop_assert!(in_parts.most_held <= setting.limit);
    prop_assert!(at_once.most_held == 0);
    let of_length = run_of_length(setting, text.len(), parts);
    prop_assert_eq!(at_once.was_cut, of_length.was_cut);
    prop_assert_eq!(&at_once.read, &of_length.read);
    prop_assert_eq!(&at_once.unread, &of_length.unread);
    prop_assert_eq!(in_parts.out, of_length.out);
    Ok(())
}

/// As [`run`], of a body whose length is known,
/// and whose end is told only behind its last part.
fn run_of_length(setting: Setting, length: usize, parts: &[Vec<u8>]) -> Outcome {
    let body = ResponseBody::flowing_from(setting.kind, setting.limit, setting.flow_from);
    let parts = slices(parts).chain([&b""[..]]);
    run_body(body.of_length(Some(length)), setting, parts, &by_words)
}

proptest! {
    #[test]
    fn a_body_cut_anywhere_gives_what_it_gives_uncut(
        setting in settings(),
        text in stream(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        assert_same(setting, &text, &cut_at(&text, &cuts))?;
    }

    #[test]
    fn a_body_that_comes_byte_by_byte_gives_what_it_gives_at_once(
        setting in settings(),
        text in stream(),
    ) {
        let bytes: Vec<_> = text.iter().map(|byte| vec![*byte]).chain([vec![]]).collect();
        assert_same(setting, &text, &bytes)?;
    }

    #[test]
    fn any_bytes_cut_anywhere_give_what_they_give_uncut(
        setting in settings(),
        text: Vec<u8>,
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        assert_same(setting, &text, &cut_at(&text, &cuts))?;
    }
}

#[test]
fn white_space_without_end_is_the_same_in_parts() {
    for kind in [BodyKind::Json, BodyKind::Untold] {
        for end in ["", "x", "{}", "{drop}", "data: {drop}\n\n"] {
            for blanks in [31, 32, 33, 100, 1023, 1024, 1025] {
                let setting = Setting {
                    kind,
                    limit: 32,
                    flow_from: 16,
                };
                let text = [" ".repeat(blanks).as_bytes(), end.as_bytes()].concat();
                let bytes: Vec<_> = text.iter().map(|byte| vec![*byte]).collect();
                let at_once = whole(setting, &text, &by_words);
                let in_parts = run(setting, slices(&bytes), &by_words);
                assert_eq!(at_once.out, in_parts.out, "{kind:?} {blanks} {end}");
            }
        }
    }
}

#[test]
fn a_stream_cut_at_each_byte_gives_what_it_gives_uncut() {
    let stream = "\u{feff}id: 1\ndata:\n\n: ping\r\n\r\nevent: message\r\nid: 2\r\ndata: {\"é\":\r\n\
        data:  \"swap\"}\r\n\r\ndata: {\"drop\":\"\u{1d11e}\"}\rid: 3\r\rdata: {}\n\ndata\ndata\n\n\
        data: not JSON\n\nretry: 10\ndata: [\"swap\"]\n\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\
        \"result\":{\"content\":[\"0123456789\"]}}\n\ndata: {\"x\"";
    for kind in [BodyKind::Events, BodyKind::Untold] {
        for flow_from in [16, 64, 4096] {
            for limit in [64, 4096] {
                let setting = Setting {
                    kind,
                    limit,
                    flow_from,
                };
                for at in 0..=stream.len() {
                    let (before, after) = stream.as_bytes().split_at(at);
                    let parts = [before.to_vec(), after.to_vec()];
                    assert_same(setting, stream.as_bytes(), &parts).unwrap();
                }
            }
        }
    }
}

#[test]
fn a_body_of_known_length_is_decided_on_when_all_of_it_is_there() {
    let text = br#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
    for kind in [BodyKind::Json, BodyKind::Untold] {
        let mut body = ResponseBody::new(kind, 4096).of_length(Some(text.len()));
        assert_eq!(body.feed(text, false, &mut AllPass), Fed::AsItCame);
        assert!(body.is_settled());
        assert_eq!(body.feed(b"", false, &mut AllPass), Fed::AsItCame);
        assert_eq!(body.feed(b"", true, &mut AllPass), Fed::AsItCame);
    }
    let mut body = ResponseBody::new(BodyKind::Json, 4096).of_length(Some(text.len() + 1));
    let nothing = Fed::Instead(Vec::new());
    assert_eq!(body.feed(text, false, &mut AllPass), nothing);
    let all = Fed::Instead([text, &b"\n"[..]].concat());
    assert_eq!(body.feed(b"\n", false, &mut AllPass), all);
}

#[test]
fn what_comes_behind_the_length_of_a_body_cuts_it_off() {
    for kind in [BodyKind::Json, BodyKind::Events, BodyKind::Untold] {
        for is_last in [false, true] {
            let mut body = ResponseBody::new(kind, 4096).of_length(Some(2));
            let all = body.feed(b"{}", false, &mut AllPass);
            assert!(!matches!(all, Fed::Cut(_)));
            assert_eq!(body.feed(b" ", is_last, &mut AllPass), Fed::Cut(Vec::new()));
            let after = body.feed(b"{}", true, &mut AllPass);
            assert_eq!(after, Fed::Instead(Vec::new()));
        }
    }
}
