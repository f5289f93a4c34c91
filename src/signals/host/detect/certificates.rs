//! Certificates printed by tools: past their end on the bundle's clock.

use crate::signals::Partial;
use crate::signals::host::clock::{self, DAY};
use crate::signals::host::emit::Draft;
use crate::signals::host::facts::Host;

const WORDS: &[&str] = &[
    "certificate",
    "certificates",
    "tls",
    "ssl",
    "https",
    "expired",
    "connect",
    "connection",
];

pub fn detect(host: &Host, out: &mut Partial) {
    let Some(now) = host.frame.now else { return };
    for program in [
        "openssl",
        "certtool",
        "certbot",
        "getcert",
        "ipa-getcert",
        "kubeadm",
        "certs",
        "x509",
        "keytool",
    ] {
        for doc in host.commands(program, |_| true) {
            let mut subject: Option<(String, usize)> = None;
            for (number, line) in doc.lines() {
                let text = line.trim();
                if let Some((_, name)) = text
                    .split_once("Subject:")
                    .or_else(|| text.split_once("Certificate Name:"))
                    .or_else(|| text.split_once("subject:"))
                {
                    subject = Some((name.trim().to_owned(), number));
                }
                let end = [
                    "Not After :",
                    "Not After:",
                    "notAfter=",
                    "Expiry Date:",
                    "expires:",
                ]
                .iter()
                .find_map(|key| {
                    let value = text.split_once(*key)?.1.trim();
                    clock::calendar(value).or_else(|| clock::iso(value))
                });
                let Some(end) = end.filter(|end| *end < now) else {
                    continue;
                };
                let days = (now - end) / DAY;
                let name = subject.as_ref().map_or("certificate", |s| s.0.as_str());
                // Trust stores keep old authorities for years; a service's own certificate does not stay so long.
                let strength = if days <= 400 { 0.74 } else { 0.4 };
                Draft::cause("certificate-past-end", "certificate-expired", strength, "Certificate", name)
                    .says(format!("Certificate {name} expired on {} ({days} days before collection)", clock::date(end)), format!("The certificate {name} is past its end ({}); every TLS peer that checks it refuses the connection.", clock::date(end)))
                    .cites([doc.cite(number)])
                    .cites(subject.as_ref().map(|s| doc.cite(s.1)))
                    .if_ticket(host, WORDS)
                    .put(out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::signals::host::tests::{causes, on};

    #[test]
    fn expiry_is_judged_by_the_bundles_clock() {
        let files = |end: &str| {
            [
                (
                    "sos_commands/date/date",
                    "Thu Feb 10 16:19:17 UTC 2022\n".to_owned(),
                ),
                (
                    "sos_commands/x/openssl_x509_-text",
                    format!("  Subject: CN=web.example\n  Not After : {end}\n"),
                ),
            ]
        };
        let run = |end: &str| {
            let files = files(end);
            on(&[(files[0].0, &files[0].1), (files[1].0, &files[1].1)])
        };
        assert_eq!(
            causes(&run("Feb  1 00:00:00 2022 GMT")),
            ["certificate-expired"]
        );
        assert!(causes(&run("Feb  1 00:00:00 2023 GMT")).is_empty());
    }
}
