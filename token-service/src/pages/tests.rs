use super::*;
use axum::http::header;

const HTML: &str = "<img src=x onerror=alert(1)>\"'&";

fn rendered(page: &impl Template) -> String {
    page.render().unwrap()
}

fn field(name: &str) -> Field<'_> {
    Field {
        name: name.to_owned(),
        label: name,
    }
}

fn connect<'a>(sources: Vec<Source<'a>>) -> Connect<'a> {
    Connect {
        server: HTML,
        person: HTML,
        person_host: HTML,
        handle: HTML,
        csrf: HTML,
        sources,
        leave: Some(HTML),
    }
}

#[test]
fn whatever_a_page_is_given_is_text() {
    let scopes = [HTML.to_owned()];
    let agree = Source {
        id: HTML,
        name: HTML,
        problem: Some(HTML.to_owned()),
        step: Step::Agree {
            host: Some(HTML.to_owned()),
            scopes: &scopes,
        },
    };
    let enter = Source {
        step: Step::Enter {
            fields: vec![field(HTML), field(HTML)],
        },
        ..agree.clone()
    };
    let pages = [
        rendered(&connect(vec![agree, enter])),
        rendered(&SignIn {
            server: HTML,
            issuer_host: HTML,
            handle: HTML,
        }),
        rendered(&WrongPerson {
            person: HTML,
            person_host: HTML,
            handle: HTML,
        }),
        rendered(&Message {
            title: HTML.to_owned(),
            text: HTML.to_owned(),
            link: Some(Link {
                target: HTML.to_owned(),
                text: "On",
            }),
            request_id: Some(HTML.to_owned()),
            ..Message::default()
        }),
    ];
    for html in pages {
        assert!(!html.contains("<img"), "{html}");
        assert!(!html.contains("\"'&"), "{html}");
    }
}

#[test]
fn every_page_says_its_language_title_and_one_heading() {
    let html = rendered(&connect(vec![]));
    assert!(html.starts_with("<!doctype html>\n<html lang=\"en\">"));
    assert_eq!(html.matches("<h1>").count(), 1);
    assert!(html.contains("<title>Connect "));
}

#[test]
fn every_input_that_is_seen_has_a_label() {
    let key = |fields| Source {
        id: "jira",
        name: "Jira",
        problem: None,
        step: Step::Enter { fields },
    };
    let one = vec![field("API_KEY")];
    let two = vec![field("USER"), field("TOKEN")];
    let html = rendered(&connect(vec![key(one), key(two)]));
    for (id, name) in [
        ("key-1-1", "API_KEY"),
        ("key-2-1", "USER"),
        ("key-2-2", "TOKEN"),
    ] {
        let label = format!("<label for=\"{id}\">{name}</label>");
        let input = format!("<input id=\"{id}\" name=\"{name}\"");
        assert_eq!(html.matches(&label).count(), 1, "{html}");
        assert_eq!(html.matches(&input).count(), 1, "{html}");
    }
    assert!(html.contains("type=\"password\" autocomplete=\"off\""));
}

#[test]
fn the_policy_permits_the_style_of_the_page_and_nothing_else() {
    use base64::Engine;
    use sha2::Digest;
    let response = page(StatusCode::OK, &connect(vec![]), &[]);
    let headers = response.headers();
    let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    let html = rendered(&connect(vec![]));
    let style = html.split("<style>").nth(1).unwrap();
    let style = style.split("</style>").next().unwrap();
    let hash = base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(style));
    assert_eq!(
        policy,
        format!(
            "default-src 'none'; style-src 'sha256-{hash}'; img-src data:; base-uri 'none'; \
             frame-ancestors 'none'; form-action 'self'"
        )
    );
    assert_eq!(headers[header::CACHE_CONTROL], "no-store");
    assert_eq!(headers[header::REFERRER_POLICY], "no-referrer");
    assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
}

#[test]
fn forms_may_lead_to_https_and_to_the_http_addresses_that_are_named() {
    let http = Url::parse("http://127.0.0.1:9001/auth?x=1;y").unwrap();
    let https = Url::parse("https://provider.example/auth").unwrap();
    let response = page(StatusCode::OK, &connect(vec![]), &[&http, &https, &http]);
    let policy = response.headers()[header::CONTENT_SECURITY_POLICY].clone();
    let policy = policy.to_str().unwrap();
    assert!(
        policy.ends_with("form-action 'self' http://127.0.0.1:9001 https:"),
        "{policy}"
    );
}
