//! The page's server: one listening socket on loopback, one reviewer, one run.
//!
//! Owns: the socket, the token, the answers. Nothing but `GET` of the page and its state and `POST`
//! of an act is answered; see [`gate`] for what a request must be. It ends at the sign-off, after idle
//! time, or on a signal; what was decided until then is kept.

mod gate;

use super::act::Action;
use super::desk::{Desk, Fault, Opening};
use super::model::SignOff;
use super::page;
use crate::error::{Context, ExitCode, Result};
use gate::{Refusal, Route};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, Notify, OwnedSemaphorePermit, Semaphore};

/// Most bytes of one request's body: an edit with all its fields filled.
const MAX_BODY_BYTES: usize = 192 << 10;
/// Most bytes of a request's head.
const MAX_HEAD_BYTES: usize = 16 << 10;
/// Most headers of a request.
const MAX_HEADERS: usize = 64;
/// How long a client may take to send a request's head, and then its body.
const SLOW: Duration = Duration::from_secs(5);
/// How long one connection may last, the verifying of an edit aside.
const CONNECTION: Duration = Duration::from_secs(30);
/// Connections at one time.
const MAX_CONNECTIONS: usize = 32;
/// How long the last answer may take to leave.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How a review on the page ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Signed.
    Signed,
    /// Nobody did anything for the idle time.
    Idle,
    /// A signal.
    Interrupted,
}

/// What is left to say when a review has ended.
#[derive(Debug, Clone)]
pub struct Closing {
    /// How it ended.
    pub ended: Ended,
    /// The sign-off, if there is one.
    pub signed: Option<SignOff>,
    /// Claims decided.
    pub decided: usize,
    /// All claims.
    pub claims: usize,
    /// Requests that were turned away.
    pub refused: u64,
}

/// What all connections share.
struct Office {
    desk: Mutex<Desk>,
    gate: gate::Gate,
    /// The page that was loaded last; acts from an older one are refused.
    sitting: RefCell<String>,
    last_act: Cell<Instant>,
    signed: Notify,
    refused: Cell<u64>,
    longest: Duration,
}

/// Serves the review until it ends. `ready` is told the address, with its token, once it is served.
///
/// # Errors
/// As [`Desk::open`]; when the socket cannot be had.
pub async fn serve(
    opening: Opening,
    idle: Duration,
    ready: impl FnOnce(&str, &Desk) -> Result<()>,
) -> Result<Closing> {
    let longest = CONNECTION + Duration::from_secs(opening.limits.max_seconds);
    let desk = Desk::open(opening).await?;
    let fail = "failed to listen on 127.0.0.1";
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
        .await
        .or_fail(ExitCode::Usage, fail)?;
    let port = listener.local_addr().or_fail(ExitCode::Usage, fail)?.port();
    let gate = gate::Gate::new(port)?;
    ready(&gate.url(), &desk)?;
    let office = Rc::new(Office {
        desk: Mutex::new(desk),
        gate,
        sitting: RefCell::new(String::new()),
        last_act: Cell::new(Instant::now()),
        signed: Notify::new(),
        refused: Cell::new(0),
        longest,
    });
    let local = tokio::task::LocalSet::new();
    let ended = local.run_until(attend(&listener, &office, idle)).await?;
    drop(listener);
    // The answer to the sign-off is on its way; nothing else is waited for.
    let _ = tokio::time::timeout(LAST_WORDS, local).await;
    let desk = office.desk.lock().await;
    let state = desk.state();
    Ok(Closing {
        ended,
        signed: state.signed.clone(),
        decided: state
            .claims
            .iter()
            .filter(|claim| claim.decided.is_some())
            .count(),
        claims: state.claims.len(),
        refused: office.refused.get(),
    })
}

/// Accepts connections until the review ends.
async fn attend(listener: &TcpListener, office: &Rc<Office>, idle: Duration) -> Result<Ended> {
    use tokio::signal::unix::{SignalKind, signal};
    let fail = "failed to watch for signals";
    let mut interrupt = signal(SignalKind::interrupt()).or_fail(ExitCode::Bug, fail)?;
    let mut terminate = signal(SignalKind::terminate()).or_fail(ExitCode::Bug, fail)?;
    let mut hangup = signal(SignalKind::hangup()).or_fail(ExitCode::Bug, fail)?;
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let until = office.last_act.get() + idle;
        tokio::select! {
            biased;
            _ = interrupt.recv() => return Ok(Ended::Interrupted),
            _ = terminate.recv() => return Ok(Ended::Interrupted),
            _ = hangup.recv() => return Ok(Ended::Interrupted),
            () = office.signed.notified() => return Ok(Ended::Signed),
            () = tokio::time::sleep_until(until.into()) => {
                if office.last_act.get() + idle <= Instant::now() {
                    return Ok(Ended::Idle);
                }
            }
            (stream, place) = accept(listener, &places) => {
                let office = Rc::clone(office);
                tokio::task::spawn_local(async move {
                    connection(stream, &office).await;
                    drop(place);
                });
            }
        }
    }
}

/// The next connection, when there is a place for it.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (TcpStream, Option<OwnedSemaphorePermit>) {
    let place = Arc::clone(places).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, place),
            // Out of descriptors, or reset before it was taken: the next one may work.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// One request and its answer; then the connection is closed.
async fn connection(stream: TcpStream, office: &Rc<Office>) {
    let service = hyper::service::service_fn(|request| {
        let office = Rc::clone(office);
        async move { Ok::<_, Infallible>(answer(&office, request).await) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(SLOW)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEADERS)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    // A client that went away or was too slow is its own affair.
    let _ = tokio::time::timeout(office.longest, served).await;
}

async fn answer(office: &Rc<Office>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let made = respond(office, request).await;
    made.unwrap_or_else(|refusal| {
        office.refused.set(office.refused.get().saturating_add(1));
        let body = serde_json::json!({ "refused": refusal.why }).to_string();
        let mut response = plain(refusal.status, "application/json", body);
        if let Some(allowed) = refusal.allowed {
            response
                .headers_mut()
                .insert(header::ALLOW, HeaderValue::from_static(allowed));
        }
        response
    })
}

async fn respond(
    office: &Rc<Office>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Refusal> {
    let route = office.gate.admit(&request)?;
    office.last_act.set(Instant::now());
    if route != Route::Page {
        let sent = request
            .headers()
            .get("x-sitting")
            .and_then(|value| value.to_str().ok())
            .unwrap_or("");
        let current = office.sitting.borrow().clone();
        if current.is_empty() || !gate::same(sent, &current) {
            return Err(Refusal::conflict(
                "this review was opened in another window; go on there, or load this page again",
            ));
        }
    }
    match route {
        Route::Page => {
            let desk = office.desk.lock().await;
            let sitting = gate::random().map_err(|_| Refusal::broken())?;
            let html = page::render(&desk, &sitting);
            *office.sitting.borrow_mut() = sitting;
            let mut response = plain(StatusCode::OK, "text/html; charset=utf-8", html);
            if let Ok(policy) = HeaderValue::from_str(&page::content_security_policy()) {
                response
                    .headers_mut()
                    .insert(header::CONTENT_SECURITY_POLICY, policy);
            }
            Ok(response)
        }
        Route::State => {
            let desk = office.desk.lock().await;
            state(&desk)
        }
        Route::Act => {
            let action = read(request).await?;
            let mut desk = office.desk.lock().await;
            match desk.act(action).await {
                Ok(()) => {}
                Err(Fault::Refused(why)) => return Err(Refusal::conflict(why)),
                Err(Fault::Failed(error)) => {
                    let hint = error
                        .hint
                        .as_deref()
                        .map_or_else(String::new, |hint| format!(" ({hint})"));
                    let why = format!("{}{hint}", error.chain());
                    return Err(Refusal::failed(crate::report::escape::terminal(&why)));
                }
            }
            office.last_act.set(Instant::now());
            if desk.state().signed.is_some() {
                office.signed.notify_one();
            }
            state(&desk)
        }
    }
}

fn state(desk: &Desk) -> Result<Response<Full<Bytes>>, Refusal> {
    let body = serde_json::to_string(&page::state::of(desk)).map_err(|_| Refusal::broken())?;
    Ok(plain(StatusCode::OK, "application/json", body))
}

/// The act in a request's body, within bounds of size and time.
async fn read(request: Request<Incoming>) -> Result<Action, Refusal> {
    let body = Limited::new(request.into_body(), MAX_BODY_BYTES).collect();
    let body = match tokio::time::timeout(SLOW, body).await {
        Err(_) => return Err(Refusal::slow()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            return Err(Refusal::large());
        }
        Ok(Err(_)) => return Err(Refusal::damaged("the request was cut short")),
        Ok(Ok(body)) => body.to_bytes(),
    };
    serde_json::from_slice(&body)
        .map_err(|_| Refusal::damaged("the request is not an act of a review"))
}

/// An answer with the headers that every answer has.
fn plain(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        ("content-type", kind),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cross-origin-embedder-policy", "require-corp"),
        (
            "content-security-policy",
            "default-src 'none'; frame-ancestors 'none'",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
