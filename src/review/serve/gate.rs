//! Who may ask: the token in the address, this host, this origin, this method, and no other.
//!
//! Other users of the machine can reach the port, so the address carries 256 random bits, compared in
//! constant time. Other sites in the same browser can send requests, so `Host` must be this address
//! (a name that an attacker points at 127.0.0.1 is turned away), `Origin` must be this page, and what
//! browsers say in `Sec-Fetch-*` (W3C Fetch Metadata) must fit. Nothing is changed by a `GET`.

use crate::error::{Error, Result};
use hyper::header::{self, HeaderMap, HeaderName};
use hyper::{Method, Request, StatusCode};
use subtle::ConstantTimeEq as _;

/// What may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// The document.
    Page,
    /// Where the review stands.
    State,
    /// An act.
    Act,
}

/// Why a request is turned away.
#[derive(Debug)]
pub struct Refusal {
    /// The HTTP status.
    pub status: StatusCode,
    /// In words.
    pub why: String,
    /// Methods that would do.
    pub allowed: Option<&'static str>,
}

impl Refusal {
    fn new(status: StatusCode, why: impl Into<String>) -> Self {
        Self {
            status,
            why: why.into(),
            allowed: None,
        }
    }
    /// The rules of the review do not allow it.
    pub fn conflict(why: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, why)
    }
    /// It failed here.
    pub fn failed(why: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, why)
    }
    /// It failed here, and there is nothing to say about it.
    pub fn broken() -> Self {
        Self::failed("the answer could not be made")
    }
    /// The body took too long.
    pub fn slow() -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "the request took too long")
    }
    /// The body is too large.
    pub fn large() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "the request is too large")
    }
    /// The body is no act.
    pub fn damaged(why: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, why)
    }
}

/// The gate of one server.
pub struct Gate {
    host: String,
    token: String,
}

impl Gate {
    /// A gate for the server on `port`, with a new token.
    ///
    /// # Errors
    /// When the kernel gives no random bytes.
    pub fn new(port: u16) -> Result<Self> {
        Ok(Self {
            host: format!("127.0.0.1:{port}"),
            token: random()?,
        })
    }

    /// The address of the page.
    pub fn url(&self) -> String {
        format!("http://{}/{}/", self.host, self.token)
    }

    /// What the request asks for, when it may.
    pub fn admit<B>(&self, request: &Request<B>) -> Result<Route, Refusal> {
        let headers = request.headers();
        let forbidden = |why| Refusal::new(StatusCode::FORBIDDEN, why);
        if single(headers, &header::HOST) != Some(&self.host) {
            return Err(Refusal::new(
                StatusCode::MISDIRECTED_REQUEST,
                "this server answers to its own address only",
            ));
        }
        let unknown = || Refusal::new(StatusCode::NOT_FOUND, "there is nothing here");
        let uri = request.uri();
        let (token, rest) = uri
            .path()
            .strip_prefix('/')
            .and_then(|path| path.split_once('/'))
            .ok_or_else(unknown)?;
        if !same(token, &self.token) || uri.query().is_some() || uri.authority().is_some() {
            return Err(unknown());
        }
        let route = match rest {
            "" => Route::Page,
            "state" => Route::State,
            "act" => Route::Act,
            _ => return Err(unknown()),
        };
        let (method, allowed) = match route {
            Route::Act => (Method::POST, "POST"),
            _ => (Method::GET, "GET"),
        };
        if request.method() != method {
            return Err(Refusal {
                allowed: Some(allowed),
                ..Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "another method is needed")
            });
        }
        let origin = format!("http://{}", self.host);
        match single(headers, &header::ORIGIN) {
            Some(from) if from == origin => {}
            None if !headers.contains_key(header::ORIGIN) && route != Route::Act => {}
            _ => return Err(forbidden("the request comes from another origin")),
        }
        let said = |name: &'static str| single(headers, &HeaderName::from_static(name));
        match said("sec-fetch-site") {
            None | Some("same-origin") => {}
            Some("none") if route == Route::Page => {}
            Some(_) => return Err(forbidden("the request comes from another site")),
        }
        if matches!(
            said("sec-fetch-dest"),
            Some("iframe" | "frame" | "object" | "embed" | "fencedframe")
        ) {
            return Err(forbidden("this page is not shown inside another"));
        }
        if route == Route::Act && single(headers, &header::CONTENT_TYPE) != Some("application/json")
        {
            return Err(Refusal::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "an act is sent as application/json",
            ));
        }
        Ok(route)
    }
}

/// A header that is there once and is plain text.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

/// Whether two secrets are equal, in a time that does not tell where they differ.
pub fn same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

/// 256 random bits in hex.
///
/// # Errors
/// When the kernel gives none.
pub fn random() -> Result<String> {
    let mut bytes = [0_u8; 32];
    let mut filled = 0;
    while filled < bytes.len() {
        let read =
            rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty())
                .map_err(|error| {
                    Error::usage("failed to get random bytes from the kernel")
                        .source(std::io::Error::from(error))
                })?;
        filled += read;
    }
    Ok(hex::encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate() -> Gate {
        Gate::new(4321).unwrap()
    }

    fn request(gate: &Gate, method: &str, rest: &str) -> hyper::http::request::Builder {
        let act = method == "POST";
        let builder = Request::builder()
            .method(method)
            .uri(format!("/{}/{rest}", gate.token))
            .header("host", "127.0.0.1:4321");
        match act {
            true => builder
                .header("origin", "http://127.0.0.1:4321")
                .header("content-type", "application/json"),
            false => builder,
        }
    }

    fn status(gate: &Gate, builder: hyper::http::request::Builder) -> u16 {
        match gate.admit(&builder.body(()).unwrap()) {
            Ok(_) => 200,
            Err(refusal) => refusal.status.as_u16(),
        }
    }

    #[test]
    fn the_three_requests_of_the_page_are_let_in() {
        let gate = gate();
        assert_eq!(
            status(
                &gate,
                request(&gate, "GET", "").header("sec-fetch-site", "none")
            ),
            200
        );
        assert_eq!(
            status(
                &gate,
                request(&gate, "GET", "state").header("sec-fetch-site", "same-origin")
            ),
            200
        );
        assert_eq!(status(&gate, request(&gate, "POST", "act")), 200);
    }

    #[test]
    fn what_is_not_the_page_is_turned_away() {
        let gate = gate();
        let other = |path: &str| {
            Request::builder()
                .uri(path.to_owned())
                .header("host", "127.0.0.1:4321")
        };
        // A guessed token: none, too short, one character off, in another case.
        let mut off = gate.token.clone().into_bytes();
        off[63] = if off[63] == b'0' { b'1' } else { b'0' };
        let off = String::from_utf8(off).unwrap();
        for path in [
            "/".to_owned(),
            "/x/".to_owned(),
            format!("/{off}/"),
            format!("/{}", gate.token),
            format!("/{}//", gate.token),
            format!("/{}/?x=1", gate.token),
            format!("/{}/other", gate.token),
        ] {
            assert_eq!(status(&gate, other(&path)), 404, "{path}");
        }
        for host in [
            "localhost:4321",
            "127.0.0.1",
            "attacker.example:4321",
            "127.0.0.1:4322",
        ] {
            let asked = Request::builder()
                .uri(format!("/{}/", gate.token))
                .header("host", host);
            assert_eq!(status(&gate, asked), 421, "{host}");
        }
        let twice = request(&gate, "GET", "").header("host", "127.0.0.1:4321");
        assert_eq!(status(&gate, twice), 421);
        assert_eq!(status(&gate, request(&gate, "GET", "act")), 405);
        assert_eq!(status(&gate, request(&gate, "POST", "state")), 405);
        assert_eq!(status(&gate, request(&gate, "HEAD", "")), 405);
        for site in ["cross-site", "same-site"] {
            assert_eq!(
                status(
                    &gate,
                    request(&gate, "GET", "").header("sec-fetch-site", site)
                ),
                403
            );
        }
        assert_eq!(
            status(
                &gate,
                request(&gate, "GET", "").header("sec-fetch-dest", "iframe")
            ),
            403
        );
        for origin in [
            "http://attacker.example",
            "null",
            "http://localhost:4321",
            "https://127.0.0.1:4321",
        ] {
            assert_eq!(
                status(&gate, request(&gate, "GET", "").header("origin", origin)),
                403,
                "{origin}"
            );
            let act = Request::builder()
                .method("POST")
                .uri(format!("/{}/act", gate.token))
                .header("host", "127.0.0.1:4321")
                .header("content-type", "application/json")
                .header("origin", origin);
            assert_eq!(status(&gate, act), 403, "{origin}");
        }
        let silent = Request::builder()
            .method("POST")
            .uri(format!("/{}/act", gate.token))
            .header("host", "127.0.0.1:4321")
            .header("content-type", "application/json");
        assert_eq!(status(&gate, silent), 403);
        let form = Request::builder()
            .method("POST")
            .uri(format!("/{}/act", gate.token))
            .header("host", "127.0.0.1:4321")
            .header("origin", "http://127.0.0.1:4321")
            .header("content-type", "text/plain");
        assert_eq!(status(&gate, form), 415);
    }
}
