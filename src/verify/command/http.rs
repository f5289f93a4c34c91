//! HTTP clients: the method, what is sent, and what is written decide.

use super::flags::{Style, anywhere, list, parse};
use super::shell::show;
use super::words::{Arg, HOLE};
use super::wrappers::join;
use super::{Judge, Stdin, sql};
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

/// Flags of `curl` that send a body.
const SENDS: &[&str] = &[
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
];
/// Headers that give a POST another method.
const OVERRIDES: &[&str] = &[
    "x-http-method-override:",
    "x-http-method:",
    "x-method-override:",
];

impl Judge {
    /// HTTP clients; `false` if `name` is none.
    pub(super) fn http_program(&mut self, name: &str, args: &[Arg], stdin: &Stdin) -> bool {
        match name {
            // Each part stands for itself.
            "curl" => args
                .split(|arg| matches!(arg.text.as_str(), "--next" | "-:"))
                .for_each(|args| self.curl(args)),
            "wget" => self.wget(args),
            "http" | "https" | "xh" | "xhs" => self.httpie(args, stdin),
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
            flag.name.starts_with("--")
                && flag.name != "--head"
                && !values.contains(&flag.name)
                && values.iter().any(|known| known.starts_with(&flag.name))
        }) {
            self.destructive(format!(
                "`curl {}` is an option that is not written out",
                show(&flag.name)
            ));
        }
        let mut urls: Vec<Arg> = parsed.all_words();
        urls.extend(parsed.values(&["--url"]).map(Arg::new));
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
            for path in parsed.values(&[flag]) {
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
        for quote in parsed.values(&["-Q", "--quote"]) {
            let lower = quote.to_ascii_lowercase();
            let class = if lower.contains("dele") || lower.contains("rm") || lower.contains("rnfr")
            {
                CommandClass::Destructive
            } else {
                CommandClass::ChangesState
            };
            self.add(class, "`curl -Q` sends a command to the server");
        }
        // Which of several counts is up to the program: each is judged.
        let mut methods: Vec<String> = parsed
            .values(&["-X", "--request"])
            .map(str::to_ascii_uppercase)
            .collect();
        if methods.is_empty() {
            let asks = parsed.has(&["-G", "--get", "-I", "--head"]);
            let method = if parsed.has(SENDS) && !asks {
                "POST"
            } else {
                "GET"
            };
            methods.push(method.to_owned());
        }
        let overrides: Vec<String> = parsed
            .values(&["-H", "--header"])
            .filter_map(|header| {
                let header = header.to_ascii_uppercase();
                OVERRIDES
                    .iter()
                    .find_map(|name| header.strip_prefix(&name.to_ascii_uppercase()))
                    .map(|method| method.trim().to_owned())
            })
            .collect();
        if !overrides.is_empty() {
            methods.retain(|method| method != "POST");
            methods.extend(overrides);
        }
        let body = parsed.values(SENDS).collect::<Vec<_>>().join("&");
        for method in methods {
            self.request(&method, &urls, &body);
        }
    }

    /// Judges a request to each of several addresses.
    fn request(&mut self, method: &str, urls: &[Arg], body: &str) {
        if urls.is_empty() {
            self.request_to(method, &Arg::default(), body);
        }
        for url in urls {
            self.request_to(method, url, body);
        }
    }

    /// Judges a request by its method, address and body.
    fn request_to(&mut self, method: &str, url: &Arg, body: &str) {
        let address = url.text.to_ascii_lowercase();
        let (path, query) = address.split_once('?').unwrap_or((&address, ""));
        let path = decoded(path).trim_end_matches('/').to_owned();
        if url.substituted && url.text.contains("://") {
            self.changes("sends the output of a command out in an address");
        }
        // What is asked for stands in the address or in the body.
        let body = decoded(&format!("{query}&{}", body.to_ascii_lowercase()));
        let takes_statements = path.ends_with("/query") && !path.ends_with("_validate/query");
        let statements: Vec<&str> = body
            .split('&')
            .filter_map(|part| part.strip_prefix("q=").filter(|_| takes_statements))
            .collect();
        match method {
            "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PROPFIND" => {
                if url.text.is_empty() {
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
            "POST" if !statements.is_empty() => {
                for statement in statements {
                    let (class, why) = sql::sql_class(statement);
                    self.add(class, why);
                }
            }
            "POST"
                if ASKING.iter().any(|end| path.ends_with(end))
                    && !body.contains("mutation")
                    && !body.contains("delete ")
                    && !body.contains("drop ") =>
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
                .any(|part| body.contains(part)) =>
            {
                self.destructive("an HTTP POST tells the other side to delete or stop")
            }
            "PATCH" if body.contains("finalizers") && body.contains("null") => {
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
            if !name.is_empty() {
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
        let target = ["-O", "--output-document"];
        for path in parsed.values(&target) {
            self.writes_to(&Arg::new(path), false);
        }
        if !parsed.has(&target) && !parsed.has(&["--spider"]) {
            self.changes("`wget` writes a file");
            self.note_download(&parsed.all_words());
        }
        let logs = [
            "-o",
            "--output-file",
            "-a",
            "--append-output",
            "--save-cookies",
        ];
        for path in parsed.values(&logs) {
            self.writes_to(&Arg::new(path), true);
        }
        let mut methods: Vec<String> = parsed
            .values(&["--method"])
            .map(str::to_ascii_uppercase)
            .collect();
        if methods.is_empty() {
            let sends = parsed.has(&["--post-data", "--post-file", "--body-data"]);
            methods.push(if sends { "POST" } else { "GET" }.to_owned());
        }
        let body = parsed
            .values(&["--post-data", "--body-data"])
            .collect::<Vec<_>>()
            .join("&");
        for method in methods {
            self.request(&method, &parsed.all_words(), &body);
        }
    }

    fn httpie(&mut self, args: &[Arg], stdin: &Stdin) {
        let parsed = anywhere(
            args,
            "-a --auth -A --auth-type -o --output -p --print -s --style --timeout --proxy --verify --cert --cert-key --session --session-read-only --max-redirects --json-indent --raw",
        );
        if let Some(path) = parsed.value(&["-o", "--output"]).map(Arg::new) {
            self.writes_to(&path, false);
        } else if parsed.has(&["-d", "--download"]) {
            self.changes("writes a file");
        }
        let words = parsed.all_words();
        // A first word of letters, or one before an address, is the method, unless it stands alone.
        let explicit = words
            .first()
            .filter(|word| word.text.bytes().all(|b| b.is_ascii_alphabetic()) || !word.known())
            .filter(|word| {
                words
                    .get(1)
                    .is_some_and(|next| word.known() || next.text.contains("://"))
            });
        let from = usize::from(explicit.is_some());
        let (url, items) = match &words[from..] {
            [url, items @ ..] => (std::slice::from_ref(url), items),
            [] => (&[][..], &[][..]),
        };
        // Data makes it a POST: items, a body, or a standard input that is not the terminal.
        let sends = parsed.has(&["--raw"])
            || *stdin != Stdin::None && !parsed.has(&["-I", "--ignore-stdin"])
            || items.iter().any(|word| {
                (word.text.contains('=') && !word.text.contains("=="))
                    || word.text.contains(":=")
                    || word.text.contains('@')
            });
        let method = match explicit {
            Some(method) => method.text.to_ascii_uppercase(),
            None if sends => "POST".to_owned(),
            None => "GET".to_owned(),
        };
        let mut body = join(items);
        body.extend(parsed.values(&["--raw"]));
        if let Stdin::Text(text) = stdin {
            body.push_str(text);
        }
        self.request(&method, url, &body);
    }
}

/// Text of an address or a form without its escapes: `+` and `%XX`.
fn decoded(text: &str) -> String {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        let escaped = (*first == b'%')
            .then(|| after.get(..2))
            .flatten()
            .and_then(|digits| hex::decode(digits).ok());
        match escaped {
            Some(byte) => {
                out.extend(byte);
                rest = &after[2..];
            }
            None => out.push(if *first == b'+' { b' ' } else { *first }),
        }
    }
    String::from_utf8_lossy(&out).to_lowercase()
}
