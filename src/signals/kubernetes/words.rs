//! What a line of an application's log says is wrong: a cause, how telling it is, and the thing it names.

use aho_corasick::AhoCorasick;
use regex::{Regex, RegexSet};
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

struct Pattern {
    slug: &'static str,
    weight: f64,
    /// `{}` is the named thing with a space before it, or nothing.
    headline: &'static str,
    words: &'static str,
}

const fn p(slug: &'static str, weight: f64, headline: &'static str, words: &'static str) -> Pattern {
    Pattern { slug, weight, headline, words }
}

/// Special before general; all case-insensitive unless `(?-i)` says otherwise.
const PATTERNS: &[Pattern] = &[
    p("license-invalid", 0.9, "its license is expired or not valid", r"licen[cs]e\b.{0,50}(?:expired|invalid|not valid|not found|missing|exceeded|violation|could not be)|(?:expired|invalid|missing|no valid) licen[cs]e"),
    p("workload-certificate-expired", 0.95, "a TLS certificate has expired{}", r"certificate (?:has |is )?(?:already )?expired|certificate.{0,30}(?:expired|not yet valid)|expired.{0,20}certificate|cert(?:ificate)?_?has_?expired|CertificateExpired|ExpiredCert|NotAfter.{0,40}(?:past|before)|CERTIFICATE_VERIFY_FAILED.*expired"),
    p("workload-certificate-untrusted", 0.93, "a TLS certificate is not trusted{}", r"x509: .*(?:unknown authority|not valid for|is valid for|cannot validate|doesn't contain any IP SANs|relies on legacy Common Name)|self[- ]signed certificate|unable to get (?:local )?issuer|PKIX path|certificate[ _]verify[ _]failed|unable to verify the first certificate|ERR_TLS_CERT_ALTNAME|certificate is not trusted|bad certificate|unknown ca\b"),
    p("dependency-tls-failed", 0.88, "the TLS handshake fails with{}", r"tls: (?:handshake failure|first record does not look|protocol version|no cipher)|ssl handshake|handshake_failure|wrong version number|SSLHandshakeException|TLS handshake (?:error|timeout|failed)|no protocols available"),
    p("container-config-invalid", 0.9, "its configuration is not valid{}", r"could not resolve (?:placeholder|property) '(?P<what>[^']+)'"),
    p("application-exception", 0.8, "it dies of an unhandled error", r"resolve (?:dependenc|reference|import|module|symbol|conflict|type|class|bean|method|plugin|version)"),
    p("dependency-name-unresolved", 0.93, "cannot resolve the host name{} (DNS)", r#"(?:could ?n[o']t|cannot|can'?t|unable to|failed to|error) (?:be )?resolv(?:e|ing)(?: host(?:name)?| address| name)*:?\s*["'`]?(?P<what>[\w.-]+)?|lookup (?P<what2>[\w.-]+).{0,60}(?:no such host|server misbehaving|i/o timeout)|getaddrinfo (?:ENOTFOUND|EAI_AGAIN) (?P<what3>[\w.-]+)|could not translate host name "(?P<what4>[\w.-]+)"|UnknownHostException:? ?(?P<what5>[\w.-]+)?|Unknown(?: MySQL server)? host '?(?P<what6>[\w.-]+)?|(?P<what7>[\w.-]+): Name (?:or service not known|does not resolve)|no such host|name or service not known|temporary failure in name resolution|nodename nor servname|name does not resolve|bad address '(?P<what8>[\w.-]+)'|host not found in upstream "(?P<what9>[\w.:-]+)"|NXDOMAIN"#),
    p("rbac-forbidden", 0.9, "the Kubernetes API refuses it (RBAC forbidden){}", r#"forbidden: User "(?P<what>[^"]+)" cannot|cannot (?:list|get|watch|create|update|patch|delete) resource|\bis forbidden\b.*\b(?:namespace|cluster scope|API group)|Forbidden.*(?:serviceaccount|RBAC)"#),
    p("dependency-auth-failed", 0.9, "authentication fails{}", r#"password authentication failed for user "?(?P<what>[\w@.-]+)?|access denied for user '?(?P<what2>[^'\s]+)?|authentication (?:failed|failure|error|required)|auth(?:entication)? failed|invalid (?:username or password|user(?:name)?/password|credentials|login|api[ _-]?key|access[ _-]?(?:key|token)|client[ _]secret|token)|bad credentials|login (?:failed|incorrect)|\bNOAUTH\b|\bWRONGPASS\b|ORA-01017|InvalidAccessKeyId|SignatureDoesNotMatch|SASL.{0,30}(?:fail|invalid)|(?:status|code|HTTP)[ :=/\d.]*401\b|401 Unauthorized|\bUnauthenticated\b|Unauthorized:|no pg_hba.conf entry|publickey"#),
    p("database-error", 0.9, "its database refuses it{}", r#"(?:relation|table|column|view|sequence|schema|role|database) ["'`](?P<what>[\w.-]+)["'`] (?:does not exist|doesn't exist)|unknown (?:database|table|column) '?(?P<what2>[\w.-]+)?|no such (?:table|column): (?P<what3>\w+)|table '?(?P<what4>[\w.-]+)'? doesn't exist|too many (?:clients|connections)|remaining connection slots|(?:schema|database|flyway|liquibase|alembic|goose)?.{0,20}migrat\w+.{0,60}(?:fail|error|checksum|dirty|lock)|dirty database|database is locked|could not acquire (?:change ?log )?lock|database files are incompatible|incompatible (?:database|data) (?:version|format)|InnoDB.{0,80}(?:corrupt|error)|valid checkpoint|duplicate key value|violates \S+ constraint|deadlock (?:detected|found)|ORA-\d{5}|SQLSTATE|the database system is (?:starting up|shutting down|in recovery)|MISCONF Redis|read only replica"#),
    p("container-missing-env-variable", 0.93, "a required environment variable is not set{}", r#"(?:environment variable|env(?:ironment)? ?var(?:iable)?s?|env)[:\s]+["'`$({]*(?P<what>(?-i:[A-Z][A-Z0-9_]{2,}))["'`)}]*.{0,30}(?:not set|n't set|missing|required|undefined|unset|empty|not defined|must be|not found|not provided|not been set)|(?:missing|required|undefined|unset|no)\b.{0,30}\benv(?:ironment)?(?:[ _]?var(?:iable)?s?)?\b[:\s]*["'`$]*(?P<what2>(?-i:[A-Z][A-Z0-9_]{2,}))?|(?P<what3>(?-i:\b[A-Z][A-Z0-9]*_[A-Z0-9_]+))["'`]? (?:is |must be |was |has |env |variable |environment variable )*(?:not set|not been set|required|undefined|not defined|unset|missing|not provided|not specified|be set|be defined|set to an empty|empty)|KeyError: ['"](?P<what4>(?-i:[A-Z][A-Z0-9_]{2,}))['"]|(?P<what5>\w+): (?:unbound variable|parameter (?:null or )?not set)|you (?:need|must|have) to (?:specify|set|define|provide) (?:one of )?(?:an? |the |following )*(?:env\w*[ :]*)?(?P<what6>(?-i:[A-Z][A-Z0-9_]{3,}))|environment variables? .{0,60}(?:not set|missing|undefined|not defined|is required|not provided)"#),
    p("container-unknown-argument", 0.93, "it is started with an unknown command or option{}", r#"unknown (?:command|flag|option|shorthand flag|argument|subcommand|parameter|switch|directive)s?:?\s*["'`]?(?P<what>[^\s"'`,]+)?|unrecogni[sz]ed (?:option|argument|command|flag|parameter)s?:?\s*["'`]?(?P<what2>[^\s"'`,]+)?|flag provided but not defined:? ?(?P<what3>\S+)?|(?:invalid|illegal) (?:option|flag|command line)[\s:-]+["'`]?(?P<what4>[^\s"'`,]+)?|no such (?:option|command|subcommand):? ?["'`]?(?P<what5>[^\s"'`,]+)?|unexpected argument ["'`]?(?P<what6>[^\s"'`,]+)?|the following arguments are required: (?P<what7>.{1,60})|required flag\(s\) (?P<what8>\S+)|invalid (?:argument|value) "(?P<what9>[^"]*)" for|error: argument"#),
    p("container-exec-format-error", 0.95, "its binary was built for another CPU architecture (exec format error)", r"exec format error|cannot execute binary file|bad CPU type"),
    p("container-command-not-found", 0.9, "it runs a command that does not exist{}", r#"(?:^|[\s:])["'`]?(?P<what>[\w./-]+)["'`]?: (?:command )?not found\s*$|executable file not found|(?P<what2>[\w./-]+): applet not found"#),
    p("container-read-only-filesystem", 0.9, "it writes to a read-only file system{}", r#"read-only file ?system|EROFS"#),
    p("container-disk-full", 0.92, "its disk or volume is full (no space left on device)", r"no space left on device|\bENOSPC\b|disk quota exceeded|(?:disk|volume|database or disk|filesystem) (?:is )?full|not enough (?:disk )?space|insufficient (?:disk|storage) space|flood[- ]stage (?:disk )?watermark|disk usage exceeded"),
    p("application-out-of-memory", 0.93, "it runs out of memory by itself", r"OutOfMemoryError|heap out of memory|\bMemoryError\b|cannot allocate memory|\bout of memory\b|std::bad_alloc|GC overhead limit|FATAL ERROR: .*heap limit|memory allocation of \d+ bytes failed"),
    p("container-resource-limit", 0.88, "it reaches a limit of the system (files, threads, watches)", r"too many open files|\bEMFILE\b|unable to create (?:new )?native thread|can't start new thread|fork: (?:retry: )?resource temporarily unavailable|inotify.{0,40}(?:limit|too many|no space)|max virtual memory areas vm\.max_map_count|max file descriptors|pthread_create"),
    p("container-port-in-use", 0.93, "its port is already in use{}", r#"address (?:is )?already in use|EADDRINUSE|port (?P<what>\d+) (?:is |was )?already|failed to bind (?:to )?.{0,40}|(?:bind|listen).{0,60}in use|could not bind|Only one usage of each socket"#),
    p("container-permission-denied", 0.88, "it is not allowed to do what it does (permission denied){}", r#"permission denied:? ?["'`]?(?P<what>/[\w./-]+)?|EACCES|EPERM\b|operation not permitted|PermissionError.{0,60}|AccessDeniedException:? ?(?P<what2>/[\w./-]+)?|(?P<what3>/[\w./-]+): permission denied|cannot bind to port \d+.*permission|must be run as root|not running as root|is not writable|not owned by"#),
    p("container-missing-file", 0.9, "a file or module it needs does not exist{}", r#"(?:open|stat|read|load|find|access|cat|cd|exec)\w*:? ["'`]?(?P<what>[/\w][\w./@:-]*)["'`]?: no such file or directory|no such file or directory:? ?["'`(]?(?P<what2>[\w./-]+)?|ENOENT.{0,40}["'`](?P<what3>[^"'`]+)|FileNotFound(?:Error|Exception):? ?(?:\[Errno 2\] )?(?:No such file or directory: )?["'`]?(?P<what4>[\w./-]+)?|Cannot find module ["'`](?P<what5>[^"'`]+)|No module named ["'`]?(?P<what6>[\w.]+)|can't open file ["'`](?P<what7>[^"'`]+)|(?:Could not find or load main class|ClassNotFoundException:?|NoClassDefFoundError:?) ?(?P<what8>[\w./$]+)?|Unable to access jarfile (?P<what9>\S+)|(?:config(?:uration)?|settings|key|cert\w*)? ?file .{0,80}(?:does not exist|not found|cannot be found|missing)|error while loading shared libraries:? (?P<what10>[\w.-]+)?|cannot open shared object|cannot load such file"#),
    p("container-config-invalid", 0.9, "its configuration is not valid{}", r#"(?:yaml|json|toml|xml|ini|hcl|config(?:uration)?|properties|settings)\b.{0,80}(?:pars(?:e|er|ing) (?:error|fail)|syntax error|invalid|malformed|unexpected|not valid|cannot be (?:read|loaded|parsed)|fail(?:ed)? to (?:load|read|parse|validate))|(?:failed|failure|error|unable|cannot|could ?n[o']t)\b.{0,60}(?:pars\w+|load\w*|read\w*|decod\w+|unmarshal\w*|validat\w+).{0,40}\b(?:yaml|json|toml|xml|config(?:uration)?)\b|(?:invalid|malformed|unmarshal\w*|syntax error in) .{0,40}\b(?:yaml|json|toml|xml|config(?:uration)?)\b|yaml: line \d+|JSONDecodeError|did not find expected|mapping values are not allowed|\[emerg\].*|configuration error|bad config|ParserError|ConfigException|ConfigurationError|BindException: .*propert|invalid value .{0,40} for (?:setting|option|parameter|property)|unsupported (?:config|value)|Failed to bind properties under '(?P<what2>[^']+)'|cannot unmarshal|invalid character .{1,12} (?:looking|after|in)"#),
    p("leader-election-lost", 0.85, "it lost its leader election and exits", r"leader ?election lost|lost leader ?ship|failed to renew lease|leaderelection.{0,40}(?:lost|stopped)"),
    p("clock-skew", 0.88, "clocks disagree (clock skew)", r"clock skew|token used before issued|RequestTimeTooSkewed|clock is not synchron|clock difference of|time (?:difference|drift) .{0,30}(?:too|exceed)"),
    p("cluster-dns-failing", 0.93, "the cluster DNS is in a forwarding loop or cannot load its configuration", r"plugin/loop: Loop|Corefile.{0,60}(?:error|unknown directive|parse)"),
    p("etcd-unhealthy", 0.86, "etcd is unhealthy: out of space, without leader, or its disk is too slow", r"mvcc: database space exceeded|etcdserver: (?:no leader|request timed out|mvcc|leader changed|too many requests)|alarm:NOSPACE|slow fdatasync|failed to send out heartbeat on time|took too long.{0,40}(?:to execute|expected-duration)|waiting for ReadIndex response took too long"),
    p("dependency-timeout", 0.86, "a connection or request times out{}", r#"i/o timeout|(?:connect(?:ion)?|read|request|operation|query|dial|socket|gateway|rpc)\b.{0,40}\b(?:timed? ?out|timeout)|timed? ?out (?:waiting|connecting|while|after|trying)|ETIMEDOUT|ESOCKETTIMEDOUT|context deadline exceeded|DeadlineExceeded|SocketTimeoutException|ReadTimeout|ConnectTimeout|504 Gateway|no route to host|EHOSTUNREACH|network is unreachable|ENETUNREACH|host is unreachable"#),
    p("workload-dependency-unreachable", 0.88, "cannot connect to{}", r#"connection refused|ECONNREFUSED|connect\(\) failed|actively refused|ConnectException|(?:unable|failed|fail|could ?n[o']t|cannot|can'?t|not able) (?:to )?(?:establish (?:a )?connect(?:ion)?|connect|reach|contact|open connection|dial)\b|(?:error|failed|failure|problem) (?:while )?(?:connecting|reaching|dialing|contacting)|no connection (?:could be|to)|connection (?:attempt )?(?:to .{1,60} )?(?:failed|unavailable|could not be established)|(?:database|db|redis|kafka|broker|mongo\w*|postgres\w*|mysql|rabbitmq|elasticsearch|backend|upstream|server|service|host)\b.{0,40}(?:unreachable|is (?:down|unavailable|not (?:available|reachable|running))|not reachable)|NoBrokersAvailable|LEADER_NOT_AVAILABLE|No host available|NoNodeAvailable|no healthy upstream|upstream connect error|upstream prematurely closed|50[23] (?:Bad Gateway|Service (?:Temporarily )?Unavailable)|MongoNetworkError|MongoServerSelectionError|OperationalError|CommunicationsException|Communications link failure|ServiceUnavailable|rpc error: code = Unavailable|max(?:imum)? retries exceeded|giving up after|retries exhausted|no more retries|all attempts failed"#),
    p("connection-lost", 0.72, "it loses its connection{}", r#"(?:connection|link|session|peer|channel|socket|tunnel|stream|replica\w*|heartbeat|node|neighbou?r|broker|master|primary)s?\b.{0,40}\b(?:lost|is down|went down|down|dropped|closed unexpectedly|reset by peer|aborted|disconnected|missed|expired|broken|dead|unavailable)\b|\b(?:lost|dropped|broken) (?:the )?(?:connection|pipe|peer|link|contact|quorum)|ECONNRESET|EPIPE|unexpected EOF|connection reset|disconnected from|quorum lost|split[- ]brain|BGP.{0,40}(?:down|idle)|link flap"#),
    p("application-slow", 0.62, "it reports slow operations", r"slow (?:query|request|response|operation|transaction|log)|(?:took|elapsed|duration|latency|response time)\D{0,20}(?:\d{5,} ?ms|\d{2,}(?:\.\d+)? ?s(?:ec(?:onds)?)?\b)|latency .{0,30}(?:too high|exceed|above)|is (?:running|responding) slow"),
    p("application-server-errors", 0.62, "it answers requests with server errors (HTTP 5xx)", r#""\s50[0-4]\s|status(?:_?code)?["']?[=: ]+50[0-4]\b|\b500 Internal Server Error"#),
    p("container-segfault", 0.9, "its process crashes with a memory fault (segmentation fault)", r"segmentation fault|SIGSEGV|segfault|signal 11\b|SIGABRT|SIGILL|illegal instruction|SIGBUS|core dumped|double free|heap corruption|stack smashing"),
    p("application-exception", 0.82, "it dies of an unhandled error", r#"^panic: |\bpanic(?:ked)?(?: at|:| -)|Exception in thread|Caused by: |^\s*(?:[\w$]+\.)*[A-Z]\w*(?:Error|Exception|Failure|Fault)\b(?::|$|\s+at\b)|Uncaught |Unhandled ?(?:Promise ?)?(?:Rejection|Exception|error)|fatal error:|assertion (?:.*)?failed|terminate called after|Traceback \(most recent call last\)|goroutine \d+ \[running\]|thread '.*' panicked|StackOverflowError|NullPointerException|Application (?:run )?failed|APPLICATION FAILED TO START|Error creating bean|BeanCreationException|npm ERR!|(?-i:[a-z]\w+(?:Error|Exception)): "#),
];

static SET: LazyLock<Option<RegexSet>> = LazyLock::new(|| {
    regex::RegexSetBuilder::new(PATTERNS.iter().map(|pattern| pattern.words)).case_insensitive(true).size_limit(64 << 20).build().ok()
});
static EACH: LazyLock<Vec<Option<Regex>>> =
    LazyLock::new(|| PATTERNS.iter().map(|pattern| regex::RegexBuilder::new(pattern.words).case_insensitive(true).size_limit(16 << 20).build().ok()).collect());

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
    .filter_map(|words| Regex::new(words).ok())
    .collect()
});

/// Words of which at least one stands in every line that [`classify`] or [`is_trouble`] reacts to.
const NEEDLES: &[&str] = &[
    "err", "fail", "fatal", "exception", "panic", "refused", "timeout", "timed out", "time out", "timedout", "deadline", "denied", "unable", "cannot", "can't", "can not", "could n", "couldn", "not able", "not found", "no such",
    "not set", "n't set", "undefined", "unset", "unbound", "missing", "required", "require", "unknown", "invalid", "illegal", "unrecogni", "expir", "x509", "certificate", "cert", "not valid", "tls", "ssl", "handshake", "resolv", "lookup", "getaddrinfo",
    "nxdomain", "name or service", "name does not", "nodename", "bad address", "forbidden", "unauthorized", "unauthenticated", "401", "noauth", "wrongpass", "auth", "credential", "login", "ora-", "publickey", "pg_hba", "licen", "in use", "already", "eaddrinuse",
    "bind", "permission", "eacces", "eperm", "not permitted", "writable", "root", "owned by", "read-only", "read only", "erofs", "no space", "enospc", "full", "space", "quota", "memory", "bad_alloc", "heap", "gc overhead", "too many", "limit",
    "emfile", "inotify", "thread", "fork", "vm.max", "descriptor", "lost", "down", "disconnect", "dropped", "closed", "reset", "broken", "epipe", "eof", "dead", "missed", "unavailable", "not available", "unreachable", "not reachable", "no route", "nohost",
    "nonode", "nobroker", "502", "503", "504", "no healthy", "upstream", "no connection", "no host", "segmentation", "segfault", "sigsegv", "sigabrt", "sigill", "sigbus", "signal 11", "illegal instruction", "core dumped", "double free", "corrupt", "smashing", "abort", "assert", "uncaught", "unhandled",
    "traceback", "caused by", "goroutine", "terminate", "terminating", "killed", "unhealthy", "reject", "exiting", "crash", "unexpected", "malformed", "syntax", "yaml:", "mapping values", "unmarshal", "unsupported", "not supported", "not configured", "not defined", "not running",
    "clock", "skew", "token used", "requesttime", "time difference", "time drift", "leader", "quorum", "split-brain", "split brain", "flap", "idle", "must", "you need", "you have to", "not exist", "n't exist", "duplicate", "violat", "deadlock", "database is", "sqlstate", "misconf", "exec format",
    "cannot execute", "bad cpu", "applet", "noclassdef", "classnotfound", "starting up", "connect(", "actively", "networkerror", "selection", "operational", "communications", "warn", "emerg", "crit", "severe", "alert", "npm err", "did not find", "bad config", "parser", "plugin/", "corefile", "slow", "took", "elapsed", "duration", "latency", "response time", "\" 50", "status", "500 internal", "retries", "giving up", "attempts", "nospace", "etcdserver", "mvcc", "fdatasync", "heartbeat", "too long",
];

static MATTERS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| AhoCorasick::builder().ascii_case_insensitive(true).build(NEEDLES).ok());

/// A cheap look whether a line can say anything at all; `false` for most lines of most logs.
pub fn may_matter(line: &str) -> bool {
    let line = clip(line);
    let klog = matches!(line.as_bytes(), [b'E' | b'F' | b'W', b'0'..=b'9', ..]);
    klog || MATTERS.as_ref().is_none_or(|needles| needles.is_match(line))
}

/// The host, address or service that a line names; "" if none.
pub fn endpoint_in(line: &str) -> String {
    ENDPOINT
        .iter()
        .find_map(|regex| regex.captures(line)?.name("what").map(|found| found.as_str().trim_end_matches(['.', ':', '"']).to_owned()))
        .unwrap_or_default()
}

/// What `line` says is wrong, if it says so in words that programs in general use.
pub fn classify(line: &str) -> Option<Verdict> {
    let line = clip(line);
    let first = SET.as_ref()?.matches(line).into_iter().next()?;
    let pattern = PATTERNS.get(first)?;
    let captures = EACH.get(first)?.as_ref()?.captures(line)?;
    let named = captures.iter().skip(1).flatten().map(|found| found.as_str().trim().trim_end_matches(['.', ',', ':', ';'])).find(|text| !text.is_empty());
    let mut what = named.unwrap_or_default().to_owned();
    if what.is_empty() && (pattern.slug.contains("dependency") || matches!(pattern.slug, "connection-lost" | "workload-certificate-expired" | "workload-certificate-untrusted" | "database-error")) {
        what = endpoint_in(line);
    }
    let shown = match what.as_str() {
        "" if pattern.headline.ends_with("to{}") || pattern.headline.ends_with("with{}") => " a service it needs".to_owned(),
        "" => String::new(),
        what if pattern.headline.ends_with("to{}") || pattern.headline.ends_with("with{}") || pattern.headline.contains("name{}") => format!(" {what}"),
        what => format!(": {what}"),
    };
    Some(Verdict { slug: pattern.slug, weight: pattern.weight, headline: pattern.headline.replace("{}", &super::emit::cut(&shown, 120)), what, at: captures.get(0).map_or(0, |found| found.start()) })
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
        (?P<fatal>(?i:\b(?:level|lvl|severity|loglevel)["']?\s*[=:]\s*["']?(?:fatal|critical|crit|emerg|panic|alert)\b)|\b(?:FATAL|CRITICAL|EMERG|PANIC)\b|\[(?i:fatal|crit|emerg|alert)\w*\]|^F\d{4}\s)
        |(?P<error>(?i:\b(?:level|lvl|severity|loglevel|err)["']?\s*[=:]\s*["']?(?:error|err)\b)|\b(?:ERROR|ERR|SEVERE)\b|\[(?i:error|err)\]|^E\d{4}\s|^(?i:error|fatal|err)\b[:!\s]|\bError:|(?i:\berror=))
        |(?P<warn>(?i:\b(?:level|lvl|severity|loglevel)["']?\s*[=:]\s*["']?warn)|\b(?:WARN|WARNING)\b|\[(?i:warn|warning)\]|^W\d{4}\s|^(?i:warn(?:ing)?)\b:)
        |(?P<quiet>(?i:\b(?:level|lvl|severity|loglevel)["']?\s*[=:]\s*["']?(?:info|debug|trace|notice)\b)|\b(?:INFO|DEBUG|TRACE|NOTICE)\b|\[(?i:info|debug|notice)\w*\]|^[ID]\d{4}\s|^npm\ info)"#,
    )
    .ok()
});

/// The level a line states.
pub fn level(line: &str) -> Level {
    let line = clip(line);
    let head: &str = line.get(..line.len().min(400)).unwrap_or(line);
    let Some(captures) = LEVELS.as_ref().and_then(|regex| regex.captures(head)) else { return Level::None };
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
    static NONE: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r#"(?i)\b(?:0|no|without|zero) (?:\w+ )?(?:errors?|failures?|fail(?:ed)?)\b|err(?:or)?s?["']?[=:]\s*["']?(?:(?:nil|null|none|false|0)\b|<nil>|"")|\bfailed[=:]\s*0\b|error_log|errors?\.(?:go|py|js|html)|--\S*fail|failsafe|failover enabled"#).ok());
    let line = clip(line);
    TROUBLE.as_ref().is_some_and(|regex| regex.is_match(line)) && !NONE.as_ref().is_some_and(|regex| regex.is_match(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_compiles() {
        assert!(SET.is_some() && LEVELS.is_some() && TROUBLE.is_some());
        assert!(EACH.iter().all(Option::is_some));
        assert_eq!(ENDPOINT.len(), 9);
    }

    #[test]
    fn last_words_of_many_programs_name_their_fault() {
        let cases = [
            ("dial tcp: lookup redis-master on 10.96.0.10:53: no such host", "dependency-name-unresolved", "redis-master"),
            ("curl: (6) Could not resolve host: api.example.test", "dependency-name-unresolved", "api.example.test"),
            ("Error: getaddrinfo ENOTFOUND mongo", "dependency-name-unresolved", "mongo"),
            ("java.net.UnknownHostException: kafka-0.kafka", "dependency-name-unresolved", "kafka-0.kafka"),
            ("could not translate host name \"pg\" to address: Name or service not known", "dependency-name-unresolved", "pg"),
            ("nginx: [emerg] host not found in upstream \"api:8080\" in /etc/nginx/conf.d/default.conf:3", "dependency-name-unresolved", "api:8080"),
            ("dial tcp 10.1.2.3:5432: connect: connection refused", "workload-dependency-unreachable", "10.1.2.3:5432"),
            ("Error: connect ECONNREFUSED 10.0.0.7:6379", "workload-dependency-unreachable", "10.0.0.7:6379"),
            ("caller=main.go Error=\"Unable to connect to Database\" DSN=u:p@tcp(shop-db:3306)/x", "workload-dependency-unreachable", "shop-db:3306"),
            ("pymongo.errors.ServerSelectionTimeoutError: mongo:27017: timed out waiting", "dependency-timeout", ""),
            ("read tcp 10.0.0.1:3->10.0.0.2:80: i/o timeout", "dependency-timeout", ""),
            ("FATAL:  password authentication failed for user \"app\"", "dependency-auth-failed", "app"),
            ("ERROR 1045 (28000): Access denied for user 'root'@'10.0.0.1'", "dependency-auth-failed", "root"),
            ("ERROR: relation \"orders\" does not exist", "database-error", "orders"),
            ("FATAL: sorry, too many clients already", "database-error", ""),
            ("Environment variable DATABASE_URL is not set", "container-missing-env-variable", "DATABASE_URL"),
            ("Error: DEPLOY_ENV is undefined", "container-missing-env-variable", "DEPLOY_ENV"),
            ("KeyError: 'API_TOKEN'", "container-missing-env-variable", "API_TOKEN"),
            ("/run.sh: line 3: CONFIG_DIR: unbound variable", "container-missing-env-variable", "CONFIG_DIR"),
            ("Error: unknown command \"srv-x\" for \"tool\"", "container-unknown-argument", "srv-x"),
            ("flag provided but not defined: -configg", "container-unknown-argument", "-configg"),
            ("app: error: unrecognized arguments: --foo", "container-unknown-argument", "--foo"),
            ("/bin/sh: 1: serve: not found", "container-command-not-found", "serve"),
            ("exec /app/run: exec format error", "container-exec-format-error", ""),
            ("open /etc/app/config.yaml: no such file or directory", "container-missing-file", "/etc/app/config.yaml"),
            ("Error: Cannot find module '/app/server.js'", "container-missing-file", "/app/server.js"),
            ("ModuleNotFoundError: No module named 'flask'", "container-missing-file", "flask"),
            ("Error: Unable to access jarfile app.jar", "container-missing-file", "app.jar"),
            ("mkdir: cannot create directory '/data': Permission denied", "container-permission-denied", ""),
            ("touch: /data/x: Read-only file system", "container-read-only-filesystem", ""),
            ("listen tcp :8080: bind: address already in use", "container-port-in-use", ""),
            ("java.lang.OutOfMemoryError: Java heap space", "application-out-of-memory", ""),
            ("FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory", "application-out-of-memory", ""),
            ("write /data/wal: no space left on device", "container-disk-full", ""),
            ("accept4: too many open files", "container-resource-limit", ""),
            ("yaml: line 3: mapping values are not allowed in this context", "container-config-invalid", ""),
            ("failed to parse config: invalid character '}' looking for beginning", "container-config-invalid", ""),
            ("Could not resolve placeholder 'db.url' in value \"${db.url}\"", "container-config-invalid", "db.url"),
            ("x509: certificate has expired or is not yet valid", "workload-certificate-expired", ""),
            ("x509: certificate signed by unknown authority", "workload-certificate-untrusted", ""),
            ("remote error: tls: handshake failure", "dependency-tls-failed", ""),
            ("License has expired on 2024-01-01", "license-invalid", ""),
            ("pods is forbidden: User \"system:serviceaccount:a:b\" cannot list resource \"pods\"", "rbac-forbidden", "system:serviceaccount:a:b"),
            ("leader election lost", "leader-election-lost", ""),
            ("panic: runtime error: invalid memory address or nil pointer dereference", "application-exception", ""),
            ("Exception in thread \"main\" java.lang.IllegalStateException: boom", "application-exception", ""),
            ("ValueError: bad thing", "application-exception", ""),
            ("Segmentation fault (core dumped)", "container-segfault", ""),
            ("RequestTimeTooSkewed: The difference between the request time", "clock-skew", ""),
            ("WARN slow query: 8 rows in users", "application-slow", ""),
            ("checkout took 12.4s", "application-slow", ""),
            ("10.0.0.1 - - \"GET /pay HTTP/1.1\" 502 157", "application-server-errors", ""),
            ("requests.exceptions.ConnectionError: HTTPSConnectionPool(host='api.example.test', port=443): Max retries exceeded with url: /x (Caused by NewConnectionError: [Errno -2] Name or service not known)", "dependency-name-unresolved", "api.example.test"),
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
