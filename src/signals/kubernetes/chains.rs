//! What `openssl s_client` says about a server's certificate: a chain without its intermediate, an
//! expired or self-signed certificate, another name.

use super::emit::{Ctx, Draft};
use super::model::Src;
use crate::bundle::Entry;

/// A longer file is no answer of `openssl s_client`.
const MAX_LINES: usize = 600;
const MAX_BYTES: u64 = 256 << 10;

/// One connection.
#[derive(Debug, Default)]
struct Answer {
    host: String,
    /// Numbers of verification errors, their words and lines.
    errors: Vec<(u32, String, u32)>,
    /// Certificates that the server sent: subject, issuer, line.
    sent: Vec<(String, String, u32)>,
}

/// Reads every such answer in the bundle.
pub fn detect(ctx: &Ctx) {
    for entry in ctx.tree.files() {
        let path = ctx.tree.rel(entry).to_ascii_lowercase();
        let likely = [
            "openssl", "s_client", "sclient", "tls", "ssl", "cert", "chain",
        ]
        .iter()
        .any(|word| path.contains(word));
        if !likely || entry.bytes > MAX_BYTES {
            continue;
        }
        let Some(file) = ctx
            .cluster
            .files
            .iter()
            .position(|known| *known == entry.path.as_str())
            .and_then(|at| u32::try_from(at).ok())
        else {
            continue;
        };
        for answer in read(ctx, entry) {
            judge(ctx, file, &answer);
        }
    }
}

fn read(ctx: &Ctx, entry: &Entry) -> Vec<Answer> {
    let mut lines = Vec::new();
    let _ = ctx.tree.for_each_line(entry, |number, line| {
        lines.push((u32::try_from(number).unwrap_or(u32::MAX), line.to_owned()));
        number < MAX_LINES
    });
    parse(&lines)
}

fn parse(lines: &[(u32, String)]) -> Vec<Answer> {
    let mut answers: Vec<Answer> = Vec::new();
    for (number, line) in lines {
        let text = line.trim();
        if text.starts_with("CONNECTED(") {
            answers.push(Answer::default());
        }
        let Some(answer) = answers.last_mut() else {
            continue;
        };
        if text.starts_with("depth=0 ") && answer.host.is_empty() {
            answer.host = name_of(text);
        }
        if let Some(rest) = text.strip_prefix("verify error:num=")
            && let Some((code, words)) = rest.split_once(':')
            && let Ok(code) = code.parse()
        {
            answer.errors.push((code, words.to_owned(), *number));
        }
        if let Some((depth, subject)) = text.split_once(" s:")
            && depth.bytes().all(|byte| byte.is_ascii_digit())
            && !depth.is_empty()
        {
            answer.sent.push((name_of(subject), String::new(), *number));
        } else if let Some(issuer) = text.strip_prefix("i:")
            && let Some(last) = answer.sent.last_mut()
        {
            last.1 = name_of(issuer);
        }
    }
    answers
}

/// The common name of `C = DE, O = X, CN = name` and `/C=DE/CN=name`.
fn name_of(text: &str) -> String {
    let Some(at) = text.rfind("CN") else {
        return String::new();
    };
    text[at + 2..]
        .trim_start_matches([' ', '='])
        .split([',', '/'])
        .next()
        .unwrap_or_default()
        .trim()
        .to_owned()
}

fn judge(ctx: &Ctx, file: u32, answer: &Answer) {
    let has = |codes: &[u32]| answer.errors.iter().find(|(code, ..)| codes.contains(code));
    let last = answer.sent.last();
    let whole = last.is_none_or(|(subject, issuer, _)| subject == issuer);
    let host = answer.host.as_str();
    let who = if host.is_empty() { "a server" } else { host };
    let (slug, error, strength, title, statement) = if let Some(error) = has(&[10]) {
        (
            "workload-certificate-expired",
            error,
            0.84,
            format!("the certificate of {who} has expired"),
            format!(
                "The server {who} shows a certificate that has expired ({}).",
                error.1
            ),
        )
    } else if let Some(error) = has(&[20, 21, 2]).filter(|_| !whole && !answer.sent.is_empty()) {
        let issuer = last.map_or("", |(_, issuer, _)| issuer.as_str());
        (
            "certificate-chain-incomplete",
            error,
            0.82,
            format!(
                "{who} serves its certificate without the intermediate {issuer}: the chain is incomplete ({})",
                error.1
            ),
            format!(
                "The server {who} sends {} certificate(s) and not that of the issuer {issuer}, so clients that do not fetch it themselves cannot verify it ({}). Browsers often know it already, programs do not.",
                answer.sent.len(),
                error.1
            ),
        )
    } else if let Some(error) = has(&[18, 19]) {
        (
            "workload-certificate-untrusted",
            error,
            0.72,
            format!(
                "the certificate of {who} is signed by nobody that clients trust ({})",
                error.1
            ),
            format!(
                "The server {who} shows a self-signed certificate or one of an own authority ({}); clients without that authority refuse it.",
                error.1
            ),
        )
    } else if let Some(error) = has(&[62, 63, 64]) {
        (
            "dependency-tls-failed",
            error,
            0.74,
            format!("the certificate of {who} is for another name ({})", error.1),
            format!(
                "The server {who} shows a certificate that does not hold the name it was asked for ({}).",
                error.1
            ),
        )
    } else {
        return;
    };
    // A client whose log speaks of that server ties the two together.
    let client = ctx
        .signals()
        .iter()
        .find(|signal| {
            !host.is_empty()
                && (signal.cause.contains("certificate") || signal.cause.contains("tls"))
                && (signal.title.contains(host)
                    || signal.evidence.iter().any(|line| line.quote.contains(host)))
        })
        .map(|signal| {
            (
                signal.subject.name.clone(),
                signal.evidence.first().cloned(),
                signal.strength,
            )
        });
    let src = |line: u32| Src {
        file,
        line,
        column: 0,
    };
    let asked = !host.is_empty() && ctx.ticket.contains(&host.to_lowercase());
    let strength =
        strength + if client.is_some() { 0.08 } else { 0.0 } + if asked { 0.04 } else { 0.0 };
    let mut draft = Draft::cause(slug, "Certificate", "", host, strength)
        .says(title, statement)
        .show(ctx.quote(src(error.2), &error.1))
        .show(last.and_then(|(subject, _, line)| ctx.quote(src(*line), subject)));
    if let Some((pod, line, _)) = client {
        draft = draft.show(line).entity("pod", &pod);
    }
    ctx.emit(draft);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_taken_apart() {
        let text = "CONNECTED(00000003)\ndepth=0 CN = files.example\nverify error:num=20:unable to get local issuer certificate\n---\nCertificate chain\n 0 s:CN = files.example\n   i:C = DE, CN = Example Issuing 2\n";
        let lines: Vec<(u32, String)> = text
            .lines()
            .enumerate()
            .map(|(at, line)| (at as u32 + 1, line.to_owned()))
            .collect();
        let answers = parse(&lines);
        assert_eq!(answers.len(), 1);
        assert_eq!(answers[0].host, "files.example");
        assert_eq!(answers[0].errors[0].0, 20);
        assert_eq!(
            answers[0].sent,
            vec![("files.example".into(), "Example Issuing 2".into(), 6)]
        );
    }
}
