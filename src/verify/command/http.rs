//! HTTP clients: the method, what is sent, and what is written decide.

use super::Judge;
use super::flags::{Style, anywhere, list, parse};
use super::shell::show;
use super::words::{Arg, HOLE};
use crate::report::CommandClass;

/// Ends of paths where a POST only asks.
const ASKING: &[&str] = &[
    "_search",
    "_count",
    "_msearch",
    "_analyze",
    "_explain",
    "_field_caps",
    "_mget",
    "_validate/query",
    "_sql",
    "_eql/search",
    "/query",
    "/query_range",
    "/series",
    "/labels",
    "/graphql",
    "_cluster/allocation/explain",
    "/selfsubjectaccessreviews",
    "/subjectaccessreviews",
    "_rank_eval",
    "_simulate",
    "_render/template",
];
/// Parts of paths where any method but GET stops or deletes.
const STOPPING: &[&str] = &[
    "shutdown",
    "quitquitquit",
    "/-/quit",
    "_delete_by_query",
    "/kill",
    "/restart",
    "/reboot",
    "_close",
    "cache/clear",
    "/drain",
    "/terminate",
    "/purge",
    "/wipe",
    "/destroy",
    "/delete",
    "/stop",
    "/halt",
    "/abort",
    "/evict",
];

impl Judge {
    /// HTTP clients; `false` if `name` is none.
    pub(super) fn http_program(&mut self, name: &str, args: &[Arg]) -> bool {
        match name {
            "curl" => self.curl(args),
            "wget" => self.wget(args),
            "http" | "https" | "xh" | "xhs" => self.httpie(args),
            _ => return false,
        }
        true
    }

    fn curl(&mut self, args: &[Arg]) {
        let values = list(
            "-X --request -d --data --data-raw --data-binary --data-urlencode --data-ascii --json -F --form --form-string -T --upload-file -o --output -H --header -u --user -A --user-agent -e --referer -b --cookie -c --cookie-jar \
             -m --max-time --connect-timeout --retry --retry-delay --retry-max-time -w --write-out -x --proxy --cacert --cert -E --key --capath --resolve --connect-to -D --dump-header -K --config --unix-socket --abstract-unix-socket \
             --interface --limit-rate --max-redirs --noproxy --proxy-user -U -r --range -C --continue-at --trace --trace-ascii --stderr --libcurl -Q --quote -t --telnet-option --url --aws-sigv4 --oauth2-bearer --tls-max --ciphers \
             --dns-servers --doh-url --output-dir --mail-from --mail-rcpt --proto --proto-default --cert-type --key-type --pass --local-port --keepalive-time --speed-limit -Y --speed-time -y --time-cond -z --etag-save --etag-compare --hsts --alt-svc --variable --expand-data --expand-url --url-query --rate",
        );
        let parsed = parse(
            args,
            Style {
                values: &values,
                ..Style::default()
            },
        );
        self.fetched = true;
        // curl takes any unambiguous beginning of a long option.
        if let Some(flag) = parsed.flags.iter().find(|flag| {
            flag.name.len() > 4
                && flag.name.starts_with("--")
                && flag.name != "--head"
                && !values.contains(&flag.name)
                && values.iter().any(|known| known.starts_with(&flag.name))
        }) {
            self.destructive(format!(
                "`curl {}` is an option that is not written out",
                show(&flag.name)
            ));
        }
        if parsed.words.is_empty() && parsed.value(&["--url"]).is_none() && parsed.flags.is_empty()
        {
            return self.unknown("`curl` without an address");
        }
        let mut urls: Vec<Arg> = parsed.all_words();
        urls.extend(parsed.value(&["--url"]).map(Arg::new));
        for (flags, what) in [
            (
                "-K --config",
                "reads further options from a file that is not shown",
            ),
            (
                "--variable --expand-data --expand-url",
                "puts its request together from elsewhere",
            ),
        ] {
            if parsed.has(&flags.split(' ').collect::<Vec<_>>()) {
                self.unknown(format!("`curl` {what}"));
            }
        }
        for flag in [
            "-o",
            "--output",
            "-D",
            "--dump-header",
            "-c",
            "--cookie-jar",
            "--trace",
            "--trace-ascii",
            "--stderr",
            "--libcurl",
            "--etag-save",
            "--hsts",
            "--alt-svc",
        ] {
            for path in parsed
                .flags
                .iter()
                .filter(|given| given.name == flag)
                .filter_map(|given| given.value.clone())
            {
                self.writes_to(&Arg::new(path), false);
            }
        }
        if parsed.has(&[
            "-O",
            "--remote-name",
            "-J",
            "--remote-header-name",
            "--remote-name-all",
            "--output-dir",
        ]) {
            self.changes("`curl` writes a file");
            self.note_download(&urls);
        }
        if parsed.has(&["-T", "--upload-file", "--mail-from", "--mail-rcpt"]) {
            self.changes("`curl` sends data out");
        }
        if let Some(quote) = parsed.value(&["-Q", "--quote"]) {
            let lower = quote.to_ascii_lowercase();
            let class = if lower.contains("dele") || lower.contains("rm") || lower.contains("rnfr")
            {
                CommandClass::Destructive
            } else {
                CommandClass::ChangesState
            };
            self.add(class, "`curl -Q` sends a command to the server");
        }
        let sends = parsed.has(&[
            "-d",
            "--data",
            "--data-raw",
            "--data-binary",
            "--data-urlencode",
            "--data-ascii",
            "--json",
            "-F",
            "--form",
            "--form-string",
        ]);
        let method = match parsed.value(&["-X", "--request"]) {
            Some(method) => method.to_ascii_uppercase(),
            None if parsed.has(&["-G", "--get"]) || parsed.has(&["-I", "--head"]) => "GET".into(),
            None if sends => "POST".into(),
            None => "GET".into(),
        };
        let body: String = parsed
            .flags
            .iter()
            .filter(|flag| {
                [
                    "-d",
                    "--data",
                    "--data-raw",
                    "--data-binary",
                    "--data-urlencode",
                    "--json",
                    "-F",
                    "--form",
                ]
                .contains(&flag.name.as_str())
            })
            .filter_map(|flag| flag.value.as_deref())
            .collect::<Vec<_>>()
            .join(" ");
        // A header may override the method.
        let method = parsed
            .flags
            .iter()
            .filter(|flag| matches!(flag.name.as_str(), "-H" | "--header"))
            .filter_map(|flag| {
                flag.value
                    .as_deref()?
                    .to_ascii_lowercase()
                    .strip_prefix("x-http-method-override:")
                    .map(|value| value.trim().to_ascii_uppercase())
            })
            .next()
            .unwrap_or(method);
        self.request(&method, &urls, &body);
    }

    /// Judges a request by its method, addresses and body.
    fn request(&mut self, method: &str, urls: &[Arg], body: &str) {
        let address = urls
            .iter()
            .map(|url| url.text.to_ascii_lowercase())
            .collect::<Vec<_>>()
            .join(" ");
        let path = address
            .split('?')
            .next()
            .unwrap_or_default()
            .trim_end_matches('/')
            .to_owned();
        if urls
            .iter()
            .any(|url| url.substituted && url.text.contains("://"))
        {
            self.changes("sends the output of a command out in an address");
        }
        let lower_body = body.to_ascii_lowercase();
        match method {
            "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PROPFIND" => {
                if urls.is_empty() {
                    self.unknown("a request without an address");
                }
                self.read_only();
            }
            "DELETE" | "PURGE" => self.destructive(format!("an HTTP {method} deletes")),
            "POST" | "PUT" | "PATCH" if STOPPING.iter().any(|part| path.contains(part)) => self
                .destructive(format!(
                    "an HTTP {method} to {} stops or deletes something",
                    show(&path)
                )),
            "POST"
                if ASKING.iter().any(|end| path.ends_with(end))
                    && !lower_body.contains("mutation")
                    && !lower_body.contains("delete ")
                    && !lower_body.contains("drop ") =>
            {
                self.read_only()
            }
            "POST"
                if [
                    "drop ",
                    "delete from",
                    "truncate ",
                    "\"method\":\"shutdown",
                    "deletecollection",
                    "\"delete\"",
                ]
                .iter()
                .any(|part| lower_body.contains(part)) =>
            {
                self.destructive("an HTTP POST tells the other side to delete or stop")
            }
            "PATCH" if lower_body.contains("finalizers") && lower_body.contains("null") => {
                self.destructive("nulling finalizers gives up what they protect")
            }
            "POST" | "PUT" | "PATCH" | "MKCOL" | "COPY" | "LOCK" => self.changes(format!(
                "an HTTP {method} changes something or sends data out"
            )),
            "MOVE" => self.destructive("an HTTP MOVE overwrites or removes"),
            _ if method.contains(HOLE) => self.unknown("the HTTP method is not in the text"),
            _ => self.unknown(format!("the HTTP method {} is not known", show(method))),
        }
    }

    /// Files that get the name of what is fetched.
    fn note_download(&mut self, urls: &[Arg]) {
        for name in urls.iter().filter_map(|url| url.text.rsplit('/').next()) {
            if self.written.len() < 64 && !name.is_empty() {
                self.written.push(name.to_owned());
            }
        }
    }

    fn wget(&mut self, args: &[Arg]) {
        self.fetched = true;
        let parsed = anywhere(
            args,
            "-O --output-document -o --output-file -P --directory-prefix -T --timeout -t --tries --header --user --password --post-data --post-file --body-data --body-file --method -U --user-agent -i --input-file -e --execute --ca-certificate --certificate --private-key -w --wait -Q --quota -a --append-output --use-askpass --load-cookies --save-cookies --limit-rate --connect-timeout --read-timeout --dns-timeout",
        );
        if parsed.has(&["-e", "--execute", "-i", "--input-file", "--use-askpass"]) {
            self.unknown("`wget` takes what it does from elsewhere");
        }
        let target = parsed.value(&["-O", "--output-document"]).map(Arg::new);
        match target {
            Some(target) => self.writes_to(&target, false),
            None if parsed.has(&["--spider"]) => {}
            None => {
                self.changes("`wget` writes a file");
                self.note_download(&parsed.all_words());
            }
        }
        for path in [
            "-o",
            "--output-file",
            "-a",
            "--append-output",
            "--save-cookies",
        ] {
            if let Some(path) = parsed.value(&[path]).map(Arg::new) {
                self.writes_to(&path, true);
            }
        }
        let method = parsed
            .value(&["--method"])
            .map(str::to_ascii_uppercase)
            .unwrap_or_else(|| {
                if parsed.has(&["--post-data", "--post-file", "--body-data"]) {
                    "POST".into()
                } else {
                    "GET".into()
                }
            });
        let body = parsed
            .value(&["--post-data", "--body-data"])
            .unwrap_or_default()
            .to_owned();
        self.request(&method, &parsed.all_words(), &body);
    }

    fn httpie(&mut self, args: &[Arg]) {
        let parsed = anywhere(
            args,
            "-a --auth -A --auth-type -o --output -p --print -s --style --timeout --proxy --verify --cert --cert-key --session --session-read-only --max-redirects --json-indent",
        );
        if let Some(path) = parsed.value(&["-o", "--output"]).map(Arg::new) {
            self.writes_to(&path, false);
        } else if parsed.has(&["-d", "--download"]) {
            self.changes("writes a file");
        }
        let words = parsed.all_words();
        let explicit = words
            .first()
            .map(|word| word.text.as_str())
            .filter(|word| word.len() > 2 && word.bytes().all(|b| b.is_ascii_uppercase()));
        let items = |from: usize| {
            words.iter().skip(from).any(|word| {
                (word.text.contains('=') && !word.text.contains("=="))
                    || word.text.contains(":=")
                    || word.text.contains('@')
            })
        };
        let (method, from) = match explicit {
            Some(method) => (method.to_owned(), 1),
            None if items(1) => ("POST".to_owned(), 0),
            None => ("GET".to_owned(), 0),
        };
        self.request(
            &method,
            &words[from.min(words.len())..words.len().min(from + 1)],
            "",
        );
    }
}
