//! What programs write about faults whose words look like a common one and mean another: these come first.
//! Above each stands why an expert reads it so.

use super::patterns::{Pattern, p};

/// Patterns tried before all others.
pub const PATTERNS: &[Pattern] = &[
    // A client asks a bootstrap server (node -1) and is sent on to the brokers (0, 1, …) at the addresses that they
    // announce. That a numbered one is localhost is the broker's setting, not the client's.
    p(
        "broker-announces-localhost",
        0.95,
        "the broker announces itself under an address of the client's own pod (advertised listener){}",
        r"connection to node \d+ \((?P<what>(?:localhost(?:\.localdomain)?/)?(?:127\.0\.0\.1|localhost)[:\d]*)\) could not be established",
    ),
    // The broker gives the partitions of a consumer that does not come back in time to others, which take as long.
    p(
        "consumer-too-slow",
        0.95,
        "it works longer on a batch than its consumer group waits (max.poll.interval.ms), so that it is thrown out{}",
        r"consumer poll timeout has expired|time between subsequent calls to poll\(\) was longer|Offset commit cannot be completed since the consumer is not part of an active group|[Mm]aximum poll interval \((?P<what>\d+ ?ms)\) exceeded",
    ),
    // A database or broker in the same pod is rare; localhost is what programs assume when nobody tells them.
    p(
        "workload-dependency-unreachable",
        0.92,
        "cannot connect: it looks for its database, cache or broker in its own pod (localhost), mostly because no address is configured{}",
        r#"(?P<what>(?:127\.0\.0\.1|\blocalhost|\[?::1\]?):(?:5432|3306|6379|27017|9092|5672|9200|11211|1433|1521|9042|4222))\b.{0,40}(?:refused|could not be established)|(?:ECONNREFUSED|connecting to|connection to|connect to)\s.{0,12}(?P<what2>(?:127\.0\.0\.1|localhost|\[?::1\]?):(?:5432|3306|6379|27017|9092|5672|9200|11211|1433|1521|9042|4222))\b|connection to server at "localhost".{0,30}port (?P<what3>\d+) failed: Connection refused"#,
    ),
    // gRPC calls it exhaustion, and it is a size.
    p(
        "request-too-large",
        0.9,
        "a request or message is larger than what its way lets pass{}",
        r"larger than max \((?P<what>\d+ vs\. \d+)\)|client intended to send too large (?:chunked )?body(?:: (?P<what2>\d+ bytes))?|(?:request entity|payload|content) too large|PayloadTooLarge|FST_ERR_CTP_BODY_TOO_LARGE|MaxUploadSizeExceeded|upstream sent too big header|request header (?:or cookie|fields?)? ?(?:is )?too large|Got a packet bigger than 'max_allowed_packet'|Packet for query is too large",
    ),
    // After a switch-over the old address leads to what is now a replica.
    p(
        "dependency-read-only",
        0.93,
        "the database it writes to only reads (a replica, a standby or a protected primary){}",
        r"cannot execute (?P<what>[A-Z ]{4,24}) in a read-only transaction|READONLY You can't write against|running with the --(?:super-)?read-only option|NotWritablePrimary|\bnot (?:primary|master)\b.{0,40}(?:10107|NotMaster|NotPrimary|write)",
    ),
    // A number cannot grow any more: every insert fails from now on.
    p(
        "database-number-range-exhausted",
        0.95,
        "the numbers of a key or sequence are used up{}",
        r#"reached maximum value of sequence ["'](?P<what>[^"']+)|Duplicate entry '(?P<what2>127|255|32767|65535|8388607|16777215|2147483647|4294967295)' for key|Failed to read auto-increment value from storage engine|(?:integer|smallint) out of range"#,
    ),
    p(
        "database-error",
        0.9,
        "the database has blocked this client after too many failed connections{}",
        r"Host '(?P<what>[^']+)' is blocked because of many connection errors",
    ),
    p(
        "dependency-auth-failed",
        0.9,
        "authentication fails: the database offers a public key that the client may not fetch (allowPublicKeyRetrieval, TLS)",
        r"Public Key Retrieval is not allowed",
    ),
    // A pooler in transaction mode gives each transaction another connection; what lives in a session is lost.
    p(
        "connection-pooler-mismatch",
        0.9,
        "it uses what its connection pooler does not keep between transactions{}",
        r#"prepared statement "?(?P<what>\w+)"? (?:does not exist|already exists)|unsupported startup parameter:? ?(?P<what2>\w+)?"#,
    ),
    // Signed tokens are refused for what stands in them, whoever's password is right.
    p(
        "token-not-accepted",
        0.9,
        "signed tokens are not accepted: issuer, audience, key or client do not fit{}",
        r"\bissuer\b.{0,40}(?:did not match|does not match|mismatch)|issued by a different provider|(?:invalid|unexpected|wrong) (?:issuer|audience)\b|\baudience\b.{0,30}(?:did not match|does not match|mismatch)|jwt (?:issuer|audience) invalid|unable to find (?:a |the )?(?:signing|matching|appropriate) key|no (?:matching|applicable|suitable) (?:signing |verification )?keys?\b.{0,30}(?:jwks?|kid|token)|\bkid\b.{0,40}(?:not found|unknown|does not match)|(?:jwt|token)(?:'s)? signature (?:is invalid|verification failed|does not match)|signature verification failed.{0,20}(?:jwt|token)|redirect_uri.{0,30}(?:mismatch|invalid|not (?:match|allowed|registered))|\binvalid_client\b|\bunauthorized_client\b",
    ),
    p(
        "clock-skew",
        0.9,
        "clocks disagree: a token or certificate is from the future",
        r"(?:token|jwt|assertion|id_token).{0,40}(?:not (?:yet valid|valid yet)|issued in the future|from the future)|ImmatureSignature|KRB_AP_ERR_SKEW|clock skew too great",
    ),
    // The default of a container is 64 MiB, whatever its memory limit.
    p(
        "shared-memory-too-small",
        0.94,
        "the shared memory of its container (/dev/shm, 64 MiB by default) is too small",
        r"could not resize shared memory segment|insufficient shared memory|/dev/shm.{0,60}(?:no space|too small)|bus error.{0,80}shared memory",
    ),
    p(
        "http-proxy-refuses",
        0.91,
        "an HTTP proxy on its way cannot or may not reach the target{}",
        r"proxyconnect tcp:? ?(?P<what>.{0,60})|cannot connect to proxy|unable to connect to (?:the )?proxy|received HTTP code (?P<what2>\d{3}) from proxy after CONNECT|CONNECT tunnel failed, response (?P<what3>\d{3})|tunneling socket could not be established|X-Squid-Error|Unable to tunnel through proxy",
    ),
    // The breaker protects a service that failed before: the service is the reason.
    p(
        "workload-dependency-unreachable",
        0.66,
        "it no longer calls a service that failed too often (circuit breaker open){}",
        r"CircuitBreaker '(?P<what>[^']+)' is OPEN|CallNotPermittedException|BrokenCircuitException|circuit breaker is (?:open|tripped)|short-circuited and",
    ),
    p(
        "mesh-circuit-breaker",
        0.92,
        "the mesh drops its requests: a limit of connections or pending requests is reached (circuit breaking, flag UO){}",
        r"reset reason: overflow|\bUO\b (?:upstream_|-|overflow)|\{overflow\}|upstream_(?:rq|cx)_(?:pending_)?overflow",
    ),
    p(
        "mesh-authorization-denied",
        0.93,
        "an authorization policy of the mesh refuses the request (RBAC: access denied){}",
        r"RBAC: access denied|rbac_access_denied_matched_policy\[(?P<what>[^\]]+)\]|enforced denied, matched policy (?P<what2>\S+)",
    ),
    p(
        "mesh-tls-conflict",
        0.86,
        "the proxy finds no listener for how it is spoken to: plain text where mutual TLS is demanded, or the other way round",
        r"filter_chain_not_found",
    ),
    p(
        "gpu-memory-exhausted",
        0.94,
        "the memory of the GPU is used up{}",
        r"(?:CUDA|HIP)(?: error:)? out of memory|CUDA_ERROR_OUT_OF_MEMORY|OutOfMemoryError: (?:CUDA|HIP)|Tried to allocate (?P<what>[\d.]+ [KMG]iB)",
    ),
    p(
        "gpu-unavailable",
        0.93,
        "the GPU, its driver or its libraries cannot be used{}",
        r"(?P<what>CUDA driver version is insufficient for CUDA runtime version|no CUDA-capable device is detected|Failed to initialize NVML: [\w /]{5,40}|nvml error: [\w /]{5,40}|driver/library version mismatch|could not select device driver|NVRM: Xid [^\n]{0,60}|GPU has fallen off the bus|no kernel image is available for execution on the device)",
    ),
    // The token is mounted unless the pod or its account says automountServiceAccountToken: false.
    p(
        "service-account-token-missing",
        0.93,
        "the token of its service account is not mounted into the pod (automountServiceAccountToken){}",
        r"(?P<what>/var/run/secrets/kubernetes\.io/serviceaccount/token)\W.{0,14}(?:no such file|not found|does not exist)|unable to load in-cluster configuration",
    ),
    // Secrets made with `echo` end in a line break; quotes of a manifest become part of the value.
    p(
        "container-config-invalid",
        0.93,
        "a setting holds characters that do not belong there (a line break, quotes, wrong encoding){}",
        r"invalid control character in URL|illegal base64 data|Invalid character in header content|invalid header field value|(?P<what>[\w.-]+(?:%0A|\\n)): no such host",
    ),
    p(
        "tls-files-invalid",
        0.92,
        "its TLS certificate, key or trust store cannot be used{}",
        r"key values mismatch|private key does not match public key|failed to find any PEM data|keystore was tampered with|keystore password was incorrect|mac verify failure|trustAnchors parameter must be non-empty|no start line.{0,40}(?:CERTIFICATE|PRIVATE KEY)",
    ),
    // The parent lives on; what was killed was a child, so that no state of the container says so.
    p(
        "application-out-of-memory",
        0.86,
        "a process of its own was killed from outside (signal 9), mostly for lack of memory",
        r"Worker exited prematurely: signal 9|\(pid:\d+\) was sent SIGKILL|was terminated by signal 9|process pool was terminated abruptly|child \d+ (?:exited on|killed by) signal 9",
    ),
    p(
        "worker-threads-exhausted",
        0.9,
        "all its worker threads or processes are busy{}",
        r"Rejected(?:Execution|Task)\w*.{0,200}active threads = (?P<what>\d+)|TaskRejectedException|server reached (?P<what2>pm\.max_children setting \(\d+\)|MaxRequestWorkers)|worker_connections are not enough|\d+ worker_connections exceed|listen queue of socket .{0,60}full",
    ),
    p(
        "message-broker-trouble",
        0.93,
        "the broker cannot keep as many copies as the topic asks for{}",
        r"Replication factor: (?P<what>\d+) larger than available brokers|InvalidReplicationFactor",
    ),
    p(
        "dependency-auth-failed",
        0.92,
        "the broker does not allow it to use its topic or group{}",
        r"(?:Topic|Group|TransactionalId)AuthorizationException|Not authorized to access (?:topics?|group):? ?\[?(?P<what>[\w.-]+)",
    ),
];

/// Words of which one stands in every line that the patterns here match.
pub const NEEDLES: &[&str] = &[
    "established",
    "econnrefused",
    "connecting to",
    "larger than",
    "too large",
    "toolarge",
    "too_large",
    "maxuploadsize",
    "too big",
    "read-only",
    "readonly",
    "notwritable",
    "not primary",
    "not master",
    "maximum value",
    "duplicate entry",
    "auto-increment",
    "out of range",
    "is blocked",
    "key retrieval",
    "prepared statement",
    "startup parameter",
    "issuer",
    "different provider",
    "audience",
    "signing",
    "matching",
    "kid",
    "signature",
    "redirect_uri",
    "_client",
    "future",
    "valid yet",
    "shared memory",
    "/dev/shm",
    "proxy",
    "tunnel",
    "circuit",
    "notpermitted",
    "overflow",
    " uo ",
    "rbac",
    "enforced",
    "filter_chain",
    "cuda",
    "nvml",
    "xid",
    "gpu",
    "in-cluster",
    "serviceaccount",
    "control character",
    "base64",
    "header content",
    "header field",
    "key values",
    "pem data",
    "keystore",
    "mac verify",
    "trustanchors",
    "no start line",
    "sigkill",
    "signal 9",
    "terminated",
    "active threads",
    "server reached",
    "worker_connections",
    "listen queue",
    "replicationfactor",
    "authoriz",
    "rejected",
    "kernel image",
    "device driver",
    "tried to allocate",
];

#[cfg(test)]
mod tests {
    use super::super::words::classify;

    #[test]
    fn words_that_look_like_a_common_fault_and_mean_another() {
        for (line, slug, what) in [
            (
                "WARN [Consumer clientId=c-1] Connection to node 2 (localhost/127.0.0.1:9092) could not be established. Node may not be available.",
                "broker-announces-localhost",
                "localhost/127.0.0.1:9092",
            ),
            (
                "WARN Connection to node -1 (localhost/127.0.0.1:9092) could not be established.",
                "workload-dependency-unreachable",
                "127.0.0.1:9092",
            ),
            (
                "Error: connect ECONNREFUSED 127.0.0.1:5432",
                "workload-dependency-unreachable",
                "127.0.0.1:5432",
            ),
            (
                "connection to server at \"localhost\" (127.0.0.1), port 5432 failed: Connection refused",
                "workload-dependency-unreachable",
                "5432",
            ),
            (
                "rpc error: code = ResourceExhausted desc = grpc: received message larger than max (5242880 vs. 4194304)",
                "request-too-large",
                "5242880 vs. 4194304",
            ),
            (
                "ERROR: cannot execute INSERT in a read-only transaction",
                "dependency-read-only",
                "INSERT",
            ),
            (
                "ERROR: nextval: reached maximum value of sequence \"events_id_seq\" (2147483647)",
                "database-number-range-exhausted",
                "events_id_seq",
            ),
            (
                "ERROR: prepared statement \"S_3\" does not exist",
                "connection-pooler-mismatch",
                "S_3",
            ),
            (
                "oidc: id token issued by a different provider, expected \"https://a.example\" got \"https://b.example\"",
                "token-not-accepted",
                "",
            ),
            (
                "ERROR: could not resize shared memory segment \"/PostgreSQL.12\" to 16777216 bytes: No space left on device",
                "shared-memory-too-small",
                "",
            ),
            (
                "Get \"https://api.example\": proxyconnect tcp: dial tcp 10.0.0.9:3128: i/o timeout",
                "http-proxy-refuses",
                "dial tcp 10.0.0.9:3128: i/o timeout",
            ),
            (
                "upstream connect error or disconnect/reset before headers. reset reason: overflow",
                "mesh-circuit-breaker",
                "",
            ),
            (
                "HTTP 403: RBAC: access denied",
                "mesh-authorization-denied",
                "",
            ),
            (
                "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB",
                "gpu-memory-exhausted",
                "",
            ),
            (
                "Failed to initialize NVML: Driver/library version mismatch",
                "gpu-unavailable",
                "Failed to initialize NVML: Driver/library version mismatch",
            ),
            (
                "open /var/run/secrets/kubernetes.io/serviceaccount/token: no such file or directory",
                "service-account-token-missing",
                "/var/run/secrets/kubernetes.io/serviceaccount/token",
            ),
            (
                "parse \"postgres://app:xx\\n@db\": net/url: invalid control character in URL",
                "container-config-invalid",
                "",
            ),
            (
                "tls: private key does not match public key",
                "tls-files-invalid",
                "",
            ),
            (
                "billiard.exceptions.WorkerLostError: Worker exited prematurely: signal 9 (SIGKILL) Job: 4.",
                "application-out-of-memory",
                "",
            ),
            (
                "WARNING: [pool www] server reached pm.max_children setting (20), consider raising it",
                "worker-threads-exhausted",
                "pm.max_children setting (20)",
            ),
        ] {
            let found = classify(line).unwrap_or_else(|| panic!("{line}"));
            assert_eq!((found.slug, found.what.as_str()), (slug, what), "{line}");
            assert!(super::super::words::may_matter(line), "{line}");
        }
    }

    #[test]
    fn common_faults_stay_what_they_are() {
        for (line, slug) in [
            (
                "dial tcp 10.1.2.3:5432: connect: connection refused",
                "workload-dependency-unreachable",
            ),
            (
                "FATAL: password authentication failed for user \"app\"",
                "dependency-auth-failed",
            ),
            (
                "x509: certificate has expired or is not yet valid",
                "workload-certificate-expired",
            ),
            (
                "open /etc/app.yaml: no such file or directory",
                "container-missing-file",
            ),
            (
                "java.lang.OutOfMemoryError: Java heap space",
                "application-out-of-memory",
            ),
        ] {
            assert_eq!(classify(line).map(|v| v.slug), Some(slug), "{line}");
        }
        assert!(classify("audience segment rebuilt").is_none());
        assert!(classify("proxy listens on 3128").is_none());
    }
}
