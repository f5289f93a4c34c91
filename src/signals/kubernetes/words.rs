//! What a line of an application's log says is wrong: a cause, how telling it is, and the thing it names.

use super::patterns::{self, Pattern};
use super::patterns_apps;
use super::patterns_more;
use aho_corasick::AhoCorasick;
use regex::Regex;
use std::sync::LazyLock;

/// A cause that log lines can name.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Cause.
    pub slug: &'static str,
    /// 0 to 1: how telling such a line is as last words of a container.
    pub weight: f64,
    /// Said about the container, e.g. `cannot resolve the host name db`.
    pub headline: String,
    /// The dependency, file, variable, … that the line names; "" if none.
    pub what: String,
    /// Byte offset in the line where the telling words begin.
    pub at: usize,
}

/// Special patterns before general ones.
static PATTERNS: LazyLock<Vec<&'static Pattern>> = LazyLock::new(|| {
    patterns_more::PATTERNS
        .iter()
        .chain(patterns_apps::PATTERNS)
        .chain(patterns::PATTERNS)
        .collect()
});

/// One by one: a set of all is too large for a lazy automaton and falls back to a search 40 times as slow.
static EACH: LazyLock<Vec<Option<Regex>>> = LazyLock::new(|| {
    PATTERNS
        .iter()
        .map(|pattern| {
            regex::RegexBuilder::new(pattern.words)
                .case_insensitive(true)
                .size_limit(16 << 20)
                .dfa_size_limit(8 << 20)
                .build()
                .ok()
        })
        .collect()
});

static ENDPOINT: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    [
        r"@(?:tcp)?\(?(?P<what>[\w.-]+:\d{2,5})",
        r"\b[a-z][a-z0-9+.-]*://(?:[^@/\s]*@)?(?P<what>[\w.-]+\.[\w.-]+(?::\d+)?|[\w-]+(?::\d+)?)",
        r#"dial (?:tcp|udp|unix)6? (?:\S+->)?(?P<what>[\w./\[\]:-]+?):? "#,
        r#"server at "?(?P<what>[\w.-]+"? ?\([\d.]+\), port \d+)"#,
        r#"(?:to|server|host|address|at|broker|database|from|for|with|ECONNREFUSED|upstream|peer)[\s:="'(]+(?P<what>[\w-]+(?:\.[\w-]+)*:\d{2,5})\b"#,
        r"\b(?P<what>\d{1,3}(?:\.\d{1,3}){3}:\d{2,5})\b",
        r#"(?:host(?:name)?|server|addr(?:ess)?|broker|endpoint)[=:]\s*["']?(?P<what>[\w-]+(?:\.[\w-]+)*(?::\d+)?)"#,
        r"\b(?P<what>[a-z][a-z0-9-]*(?:\.[a-z0-9-]+)*:\d{4,5})\b",
        r"(?i:connect(?:ing|ion)? to|reach|contact) (?:the )?(?P<what>database|[\w-]+ (?:server|service|database|broker|cluster)|redis|postgres(?:ql)?|mysql|mongo(?:db)?|kafka|rabbitmq|elasticsearch|vault|etcd)\b",
    ]
    .iter()
    .map(|words| Regex::new(words).unwrap_or_else(|why| panic!("a pattern of endpoints: {why}")))
    .collect()
});

static MATTERS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .build(
            patterns::NEEDLES
                .iter()
                .chain(patterns_apps::NEEDLES)
                .chain(patterns_more::NEEDLES),
        )
        .ok()
});

/// A cheap look whether a line can say anything at all; `false` for most lines of most logs.
pub fn may_matter(line: &str) -> bool {
    let line = clip(line);
    let klog = matches!(line.as_bytes(), [b'E' | b'F' | b'W', b'0'..=b'9', ..]);
    klog || MATTERS
        .as_ref()
        .is_none_or(|needles| needles.is_match(line))
}

/// A server that says its client went away: programs end, browsers close tabs, health checks hang up.
/// It says nothing about the server.
static CLIENT_LEAVES: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)could not (?:receive data from|send data to) client\b|unexpected EOF on client connection|incomplete startup packet|connection to client lost|\bclient\b.{0,30}\b(?:prematurely closed|closed (?:the )?request|closed (?:the |its |keepalive )?connection|disconnected|hung up|went away)|(?:reset by peer|broken pipe).{0,40}(?:while (?:reading client|sending (?:response )?to client)|(?:from|to|by) (?:the )?client\b)|\bAborted connection \d+ to db:.{0,200}communication packets").ok()
});

/// Whether a server only says that a client of its ended the connection.
pub fn is_client_leaving(line: &str) -> bool {
    CLIENT_LEAVES
        .as_ref()
        .is_some_and(|regex| regex.is_match(clip(line)))
}

/// The host, address or service that a line names; "" if none.
pub fn endpoint_in(line: &str) -> String {
    ENDPOINT
        .iter()
        .find_map(|regex| {
            regex
                .captures(line)?
                .name("what")
                .map(|found| found.as_str().trim_end_matches(['.', ':', '"']).to_owned())
        })
        .unwrap_or_default()
}

/// What `line` says is wrong, if it says so in words that programs in general use.
pub fn classify(line: &str) -> Option<Verdict> {
    let line = clip(line);
    let (first, regex) = EACH
        .iter()
        .enumerate()
        .find_map(|(at, regex)| Some((at, regex.as_ref().filter(|one| one.is_match(line))?)))?;
    let pattern = PATTERNS.get(first)?;
    let captures = regex.captures(line)?;
    let named = captures
        .iter()
        .skip(1)
        .flatten()
        .map(|found| found.as_str().trim().trim_end_matches(['.', ',', ':', ';']))
        .find(|text| !text.is_empty());
    let mut what = named.unwrap_or_default().to_owned();
    if what.is_empty()
        && (pattern.slug.contains("dependency")
            || matches!(
                pattern.slug,
                "connection-lost"
                    | "workload-certificate-expired"
                    | "workload-certificate-untrusted"
                    | "database-error"
                    | "connection-pool-exhausted"
            ))
    {
        what = endpoint_in(line);
    }
    let shown = match what.as_str() {
        "" if pattern.headline.ends_with("to{}") || pattern.headline.ends_with("with{}") => {
            " a service it needs".to_owned()
        }
        "" => String::new(),
        what if pattern.headline.ends_with("to{}")
            || pattern.headline.ends_with("with{}")
            || pattern.headline.contains("name{}") =>
        {
            format!(" {what}")
        }
        what => format!(": {what}"),
    };
    Some(Verdict {
        slug: pattern.slug,
        weight: pattern.weight,
        headline: pattern
            .headline
            .replace("{}", &super::emit::cut(&shown, 120)),
        what,
        at: captures.get(0).map_or(0, |found| found.start()),
    })
}

/// Every cause that lines can name.
#[cfg(test)]
pub fn slugs() -> impl Iterator<Item = &'static str> {
    PATTERNS.iter().map(|pattern| pattern.slug)
}

/// The part of a line that patterns look at.
fn clip(line: &str) -> &str {
    let mut end = line.len().min(2_000);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    &line[..end]
}

/// How loud a line is by its own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Debug or info.
    Quiet,
    /// No level.
    None,
    /// Warning.
    Warning,
    /// Error.
    Error,
    /// Fatal, critical, emergency.
    Fatal,
}

static LEVELS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r#"(?x)
        (?P<fatal>(?i:\b(?:level|lvl|severity|loglevel)["']?\s*[=:]\s*["']?(?:fatal|critical|crit|emerg|panic|alert)\b)|\b(?:FATAL|CRITICAL|EMERG|PANIC)\b|\[(?i:fatal|crit|emerg|alert)\w*\]|^F\d{4}\s|(?:^|\s)crit:\s\S+\[\d+\])
        |(?P<error>(?i:\b(?:level|lvl|severity|loglevel|err)["']?\s*[=:]\s*["']?(?:error|err)\b)|\b(?:ERROR|ERR|SEVERE)\b|\[(?i:error|err)\]|^E\d{4}\s|^(?i:error|fatal|err)\b[:!\s]|\bError:|(?i:\berror=)|(?:^|\s)fail:\s\S+\[\d+\])
        |(?P<warn>(?i:\b(?:level|lvl|severity|loglevel)["']?\s*[=:]\s*["']?warn)|\b(?:WARN|WARNING)\b|\[(?i:warn|warning)\]|^W\d{4}\s|^(?i:warn(?:ing)?)\b:)
        |(?P<quiet>(?i:\b(?:level|lvl|severity|loglevel)["']?\s*[=:]\s*["']?(?:info|debug|trace|notice)\b)|\b(?:INFO|DEBUG|TRACE|NOTICE)\b|\[(?i:info|debug|notice)\w*\]|^[ID]\d{4}\s|^npm\ info)"#,
    )
    .ok()
});

/// The level a line states.
pub fn level(line: &str) -> Level {
    let line = clip(line);
    let head: &str = line.get(..line.len().min(400)).unwrap_or(line);
    let Some(captures) = LEVELS.as_ref().and_then(|regex| regex.captures(head)) else {
        return Level::None;
    };
    match () {
        () if captures.name("fatal").is_some() => Level::Fatal,
        () if captures.name("error").is_some() => Level::Error,
        () if captures.name("warn").is_some() => Level::Warning,
        () => Level::Quiet,
    }
}

static TROUBLE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:errors?|fail(?:ed|ure|s|ing)?|fatal|exception|panic|cannot|can't|could not|couldn't|unable|invalid|denied|refused|abort(?:ed|ing)?|crash(?:ed|ing)?|missing|undefined|not (?:found|set|defined|configured|supported)|unexpected|corrupt(?:ed|ion)?|killed|unhealthy|rejected|exiting|terminating)\b").ok()
});

/// Whether a line speaks of trouble in words of any kind. `0 errors`, `error=nil` do not.
pub fn is_trouble(line: &str) -> bool {
    static NONE: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r#"(?i)\b(?:0|no|without|zero) (?:\w+ )?(?:errors?|failures?|fail(?:ed)?)\b|err(?:or)?s?["']?[=:]\s*["']?(?:(?:nil|null|none|false|0)\b|<nil>|"")|\bfailed[=:]\s*0\b|error_log|errors?\.(?:go|py|js|html)|--\S*fail|failsafe|failover enabled"#).ok()
    });
    let line = clip(line);
    TROUBLE.as_ref().is_some_and(|regex| regex.is_match(line))
        && !NONE.as_ref().is_some_and(|regex| regex.is_match(line))
}

/// Whether a warning speaks of something that does not work; warnings say it more mildly than errors.
pub fn is_warned(line: &str) -> bool {
    static MILD: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"(?i)\b(?:suspended|expired|exceed(?:ed|s)|exhausted|timed out|timeouts?|blocked|forbidden|unauthori[sz]ed|not allowed|overdue|limit reached|(?:discard|dropp|refus|reject|throttl)(?:ed|ing)|stale|out of date|outdated|overload(?:ed)?|degraded|unreachable|unavailable)\b").ok()
    });
    is_trouble(line)
        || MILD
            .as_ref()
            .is_some_and(|regex| regex.is_match(clip(line)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_compiles() {
        assert!(EACH.iter().all(Option::is_some) && LEVELS.is_some() && TROUBLE.is_some());
        assert!(EACH.iter().all(Option::is_some));
        assert_eq!(ENDPOINT.len(), 9);
    }

    #[test]
    fn last_words_of_many_programs_name_their_fault() {
        let cases = [
            (
                "dial tcp: lookup redis-master on 10.96.0.10:53: no such host",
                "dependency-name-unresolved",
                "redis-master",
            ),
            (
                "curl: (6) Could not resolve host: api.example.test",
                "dependency-name-unresolved",
                "api.example.test",
            ),
            (
                "Error: getaddrinfo ENOTFOUND mongo",
                "dependency-name-unresolved",
                "mongo",
            ),
            (
                "java.net.UnknownHostException: kafka-0.kafka",
                "dependency-name-unresolved",
                "kafka-0.kafka",
            ),
            (
                "could not translate host name \"pg\" to address: Name or service not known",
                "dependency-name-unresolved",
                "pg",
            ),
            (
                "nginx: [emerg] host not found in upstream \"api:8080\" in /etc/nginx/conf.d/default.conf:3",
                "dependency-name-unresolved",
                "api:8080",
            ),
            (
                "dial tcp 10.1.2.3:5432: connect: connection refused",
                "workload-dependency-unreachable",
                "10.1.2.3:5432",
            ),
            (
                "Error: connect ECONNREFUSED 10.0.0.7:6379",
                "workload-dependency-unreachable",
                "10.0.0.7:6379",
            ),
            (
                "caller=main.go Error=\"Unable to connect to Database\" DSN=u:p@tcp(shop-db:3306)/x",
                "workload-dependency-unreachable",
                "shop-db:3306",
            ),
            (
                "pymongo.errors.ServerSelectionTimeoutError: mongo:27017: timed out waiting",
                "dependency-timeout",
                "",
            ),
            (
                "read tcp 10.0.0.1:3->10.0.0.2:80: i/o timeout",
                "dependency-timeout",
                "",
            ),
            (
                "FATAL:  password authentication failed for user \"app\"",
                "dependency-auth-failed",
                "app",
            ),
            (
                "ERROR 1045 (28000): Access denied for user 'root'@'10.0.0.1'",
                "dependency-auth-failed",
                "root",
            ),
            (
                "ERROR: relation \"orders\" does not exist",
                "database-error",
                "orders",
            ),
            (
                "FATAL: sorry, too many clients already",
                "database-error",
                "",
            ),
            (
                "Environment variable DATABASE_URL is not set",
                "container-missing-env-variable",
                "DATABASE_URL",
            ),
            (
                "Error: DEPLOY_ENV is undefined",
                "container-missing-env-variable",
                "DEPLOY_ENV",
            ),
            (
                "KeyError: 'API_TOKEN'",
                "container-missing-env-variable",
                "API_TOKEN",
            ),
            (
                "/run.sh: line 3: CONFIG_DIR: unbound variable",
                "container-missing-env-variable",
                "CONFIG_DIR",
            ),
            (
                "Error: unknown command \"srv-x\" for \"tool\"",
                "container-unknown-argument",
                "srv-x",
            ),
            (
                "flag provided but not defined: -configg",
                "container-unknown-argument",
                "-configg",
            ),
            (
                "app: error: unrecognized arguments: --foo",
                "container-unknown-argument",
                "--foo",
            ),
            (
                "/bin/sh: 1: serve: not found",
                "container-command-not-found",
                "serve",
            ),
            (
                "exec /app/run: exec format error",
                "container-exec-format-error",
                "",
            ),
            (
                "open /etc/app/config.yaml: no such file or directory",
                "container-missing-file",
                "/etc/app/config.yaml",
            ),
            (
                "Error: Cannot find module '/app/server.js'",
                "container-missing-file",
                "/app/server.js",
            ),
            (
                "ModuleNotFoundError: No module named 'flask'",
                "container-missing-file",
                "flask",
            ),
            (
                "Error: Unable to access jarfile app.jar",
                "container-missing-file",
                "app.jar",
            ),
            (
                "mkdir: cannot create directory '/data': Permission denied",
                "container-permission-denied",
                "",
            ),
            (
                "touch: /data/x: Read-only file system",
                "container-read-only-filesystem",
                "",
            ),
            (
                "listen tcp :8080: bind: address already in use",
                "container-port-in-use",
                "",
            ),
            (
                "java.lang.OutOfMemoryError: Java heap space",
                "application-out-of-memory",
                "",
            ),
            (
                "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
                "application-out-of-memory",
                "",
            ),
            (
                "write /data/wal: no space left on device",
                "container-disk-full",
                "",
            ),
            (
                "accept4: too many open files",
                "container-resource-limit",
                "",
            ),
            (
                "yaml: line 3: mapping values are not allowed in this context",
                "container-config-invalid",
                "",
            ),
            (
                "failed to parse config: invalid character '}' looking for beginning",
                "container-config-invalid",
                "",
            ),
            (
                "Could not resolve placeholder 'db.url' in value \"${db.url}\"",
                "config-not-substituted",
                "${db.url}",
            ),
            (
                "x509: certificate has expired or is not yet valid",
                "workload-certificate-expired",
                "",
            ),
            (
                "x509: certificate signed by unknown authority",
                "workload-certificate-untrusted",
                "",
            ),
            (
                "remote error: tls: handshake failure",
                "dependency-tls-failed",
                "",
            ),
            ("License has expired on 2024-01-01", "license-invalid", ""),
            (
                "pods is forbidden: User \"system:serviceaccount:a:b\" cannot list resource \"pods\"",
                "rbac-forbidden",
                "system:serviceaccount:a:b",
            ),
            ("leader election lost", "leader-election-lost", ""),
            (
                "panic: runtime error: invalid memory address or nil pointer dereference",
                "application-exception",
                "",
            ),
            (
                "Exception in thread \"main\" java.lang.IllegalStateException: boom",
                "application-exception",
                "",
            ),
            ("ValueError: bad thing", "application-exception", ""),
            ("Segmentation fault (core dumped)", "container-segfault", ""),
            (
                "RequestTimeTooSkewed: The difference between the request time",
                "clock-skew",
                "",
            ),
            ("WARN slow query: 8 rows in users", "application-slow", ""),
            ("checkout took 12.4s", "application-slow", ""),
            (
                "10.0.0.1 - - \"GET /pay HTTP/1.1\" 502 157",
                "application-server-errors",
                "",
            ),
            (
                "requests.exceptions.ConnectionError: HTTPSConnectionPool(host='api.example.test', port=443): Max retries exceeded with url: /x (Caused by NewConnectionError: [Errno -2] Name or service not known)",
                "dependency-name-unresolved",
                "api.example.test",
            ),
            ("wget: bad address 'db'", "dependency-name-unresolved", "db"),
            ("BGP neighbor 10.0.0.1 went down", "connection-lost", ""),
        ];
        for (line, slug, what) in cases {
            assert!(may_matter(line), "{line}");
            let verdict = classify(line).unwrap_or_else(|| panic!("nothing in {line:?}"));
            assert_eq!(verdict.slug, slug, "{line}");
            if !what.is_empty() {
                assert_eq!(verdict.what, what, "{line}");
            }
        }
    }

    #[test]
    fn ordinary_lines_say_nothing() {
        for line in [
            "ts=2025-08-04T11:51:00Z caller=logging.go:85 method=Health result=2 took=40µs",
            "App now running in production mode on port 8079",
            "INFO Started server on 0.0.0.0:8080",
            "127.0.0.1 - - \"GET / HTTP/1.1\" 200 -",
            "npm info it worked if it ends with ok",
            "Connected to database at pg:5432",
            "level=info msg=\"migrations are up to date\"",
            "Loaded configuration from /etc/app/config.yaml",
            "Using environment variable PORT=8080",
            "GET /health took 12ms",
            "finished in 0.4s status=200",
            "checkpoint complete: wrote 3 buffers",
        ] {
            assert_eq!(classify(line), None, "{line}");
            assert!(!is_trouble(line), "{line}");
        }
        for line in [
            "2026-01-27 07:10:35 UTC [813] LOG:  could not receive data from client: Connection reset by peer",
            "LOG:  unexpected EOF on client connection with an open transaction",
            "[info] 7#7: *12 client 10.0.0.9 closed keepalive connection",
            "[info] 7#7: *9 recv() failed (104: Connection reset by peer) while reading client request headers",
            "[Note] Aborted connection 12 to db: 'shop' user: 'app' host: '10.0.0.7' (Got an error reading communication packets)",
        ] {
            assert!(is_client_leaving(line), "{line}");
        }
        for line in [
            "ERROR could not receive data from WAL stream: Connection reset by peer",
            "upstream prematurely closed connection while reading response header from upstream, client: 10.0.0.9",
            "recv() failed (104: Connection reset by peer) while reading response header from upstream",
            "redis client: lost connection to redis:6379",
        ] {
            assert!(!is_client_leaving(line), "{line}");
        }
        assert!(!is_trouble("done: 0 errors, 12 warnings"));
        assert!(!is_trouble("sync finished error=<nil>"));
    }

    #[test]
    fn levels_are_read_in_many_styles() {
        for (line, want) in [
            ("2025-01-01 ERROR x", Level::Error),
            ("{\"level\":\"error\",\"msg\":\"x\"}", Level::Error),
            ("E0812 12:00:00.1 1 main.go:3] x", Level::Error),
            ("level=warn msg=x", Level::Warning),
            ("2025-01-01 12:00:00,123 - INFO - ok", Level::Quiet),
            ("[FATAL] x", Level::Fatal),
            ("hello world", Level::None),
        ] {
            assert_eq!(level(line), want, "{line}");
        }
    }
}
