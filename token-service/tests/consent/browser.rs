//! A browser as far as the flow needs one: cookies, pages, forms.

use std::collections::BTreeMap;

use reqwest::header::{HeaderMap, LOCATION, SET_COOKIE};
use reqwest::{Client, Method, RequestBuilder};
use url::Url;

pub(crate) struct Browser {
    client: Client,
    /// Where the service really listens: replicas have one public address.
    at: String,
    pub(crate) cookies: BTreeMap<String, String>,
}

#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Browser {
    pub(crate) fn new(at: impl std::fmt::Display) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self {
            client: Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
                .build()
                .unwrap(),
            at: format!("http://{at}"),
            cookies: BTreeMap::new(),
        }
    }

    /// The next request goes to another replica.
    pub(crate) fn go_to(&mut self, at: impl std::fmt::Display) {
        self.at = format!("http://{at}");
    }

    pub(crate) async fn get(&mut self, address: impl AsRef<str>) -> Page {
        let request = self.request(Method::GET, address.as_ref());
        self.send(request.header("sec-fetch-site", "none")).await
    }

    /// Sends a form of the page at this address.
    pub(crate) async fn post(&mut self, address: impl AsRef<str>, fields: &[(&str, &str)]) -> Page {
        let headers = [("sec-fetch-site", "same-origin"), ("origin", "null")];
        self.post_with(address, fields, &headers).await
    }

    pub(crate) async fn post_with(
        &mut self,
        address: impl AsRef<str>,
        fields: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Page {
        let mut request = self
            .request(Method::POST, address.as_ref())
            .form(&fields.to_vec());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request).await
    }

    pub(crate) async fn method(&mut self, method: Method, address: impl AsRef<str>) -> Page {
        let request = self.request(method, address.as_ref());
        self.send(request).await
    }

    fn request(&self, method: Method, address: &str) -> RequestBuilder {
        let path = match Url::parse(address) {
            Ok(url) => match url.query() {
                Some(query) => format!("{}?{query}", url.path()),
                None => url.path().to_owned(),
            },
            Err(_) => address.to_owned(),
        };
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let request = self.client.request(method, format!("{}{path}", self.at));
        if cookies.is_empty() {
            return request;
        }
        request.header("cookie", cookies.join("; "))
    }

    async fn send(&mut self, request: RequestBuilder) -> Page {
        let response = request.send().await.unwrap();
        for cookie in response.headers().get_all(SET_COOKIE) {
            let cookie = cookie.to_str().unwrap();
            let (name, rest) = cookie.split_once('=').unwrap();
            let (value, flags) = rest.split_once(';').unwrap();
            if flags.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        Page {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.text().await.unwrap(),
        }
    }
}

impl Page {
    /// Where the browser is sent on.
    pub(crate) fn location(&self) -> Url {
        assert_eq!(self.status, 303, "{}", self.text);
        let location = self.headers[LOCATION].to_str().unwrap();
        Url::parse(location).unwrap()
    }

    /// The value of a hidden field.
    pub(crate) fn hidden(&self, name: &str) -> String {
        let before = format!("<input type=\"hidden\" name=\"{name}\" value=\"");
        let rest = self.text.split(&before).nth(1);
        let rest = rest.unwrap_or_else(|| panic!("no {name}: {}", self.text));
        rest.split('"').next().unwrap().to_owned()
    }

    #[track_caller]
    pub(crate) fn says(&self, status: u16, words: &str) {
        assert_eq!(self.status, status, "{}", self.text);
        assert!(self.text.contains(words), "no {words:?}: {}", self.text);
    }

    #[track_caller]
    pub(crate) fn does_not_say(&self, words: &str) {
        assert!(!self.text.contains(words), "{words:?}: {}", self.text);
    }
}
