//! Load balancers, DNS zones and stacks: Octavia, Designate, Heat.

use super::rule::{RULE, Rule};

/// The rules.
pub const RULES: &[Rule] = &[
    // The agent in the amphora writes haproxy's file, lets haproxy check it and returns its words.
    Rule {
        id: "octavia.amphora-refuses",
        cause: "octavia-haproxy-config-refused",
        scope: &["octavia"],
        needs: &["Amphora agent returned unexpected result code"],
        pattern: r"Amphora agent returned unexpected result code (?P<code>\d+) with response (?P<what>.{0,300})",
        strength: 0.9,
        kind: "Load balancer",
        subject: "amphora",
        title: "Octavia amphora refuses its configuration: result code {code}: {what}",
        statement: "The Octavia amphora agent answered with code {code}: haproxy or the agent rejects the load balancer's configuration ({what}).",
        yes: &[
            "ERROR octavia.amphorae.drivers.haproxy.exceptions [req-5] Amphora agent returned unexpected result code 400 with response {'message': 'Invalid request', 'details': \"[ALERT] 058/224306 (1748) : Proxy 'a': unable to find local peer 'x' in peers section 'y'\"}",
        ],
        no: &["Amphora agent returned 200"],
        ..RULE
    },
    Rule {
        id: "octavia.amphora-unreachable",
        cause: "octavia-amphora-unreachable",
        scope: &["octavia"],
        needs: &[
            "Could not connect to instance",
            "Connection retries",
            "AmpConnectionRetry",
            "TimeOutException",
            "Amphora .* health message",
            "heartbeat",
        ],
        pattern: r"(?P<what>Could not connect to instance.{0,160}|Connection retries \(currently set to \d+\) exhausted\.? ?.{0,120}|The amphora is unavailable.{0,60}|contacting the amphora timed out|health message.{0,40}(?:wrong|invalid).{0,60})",
        at_least: 2,
        strength: 0.76,
        kind: "Load balancer",
        subject: "amphora",
        title: "Octavia cannot reach its amphora: {what}",
        statement: "The Octavia controller does not reach the amphora over the management network: {what}. Interface o-hm0, its route, security groups or the amphora's start have to be checked.",
        yes: &[
            "WARNING octavia.amphorae.drivers.haproxy.rest_api_driver [-] Could not connect to instance. Retrying.: requests.exceptions.ConnectTimeout: HTTPSConnectionPool(host='fc00::1', port=9443)",
            "ERROR octavia.x Connection retries (currently set to 120) exhausted.  The amphora is unavailable.",
        ],
        no: &["Connected to amphora"],
        ..RULE
    },
    Rule {
        id: "octavia.lb-error",
        cause: "octavia-lb-failed",
        scope: &["octavia"],
        needs: &[
            "PENDING_UPDATE",
            "is immutable",
            "ComputeBuildException",
            "failover",
            "immutable",
            "ComputeWaitTimeout",
            "certificate",
        ],
        pattern: r"(?P<what>Load ?[Bb]alancer (?P<lb>[0-9a-f-]{36}) is immutable.{0,60}|ComputeBuildException.{0,120}|ComputeWaitTimeoutException.{0,80}|(?:Failed to|Error) (?:build|failover|boot|create|plug).{0,120}|.{0,60}(?:image|flavor|network|keypair).{0,20}(?:not found|could not be found).{0,80})",
        strength: 0.7,
        kind: "Load balancer",
        subject: "{lb}",
        title: "Octavia load balancer {lb} fails: {what}",
        statement: "Octavia cannot finish work on load balancer {lb}: {what}.",
        yes: &[
            "octavia.common.exceptions.ComputeBuildException: Failed to build compute instance due to: No valid host",
            "Load Balancer 0f0e0d0c-1111-2222-3333-444455556666 is immutable and cannot be updated.",
        ],
        no: &["Load balancer created"],
        ..RULE
    },
    Rule {
        id: "designate.pool",
        cause: "designate-backend-failed",
        scope: &["designate"],
        needs: &[
            "pool",
            "Could not find",
            "zone",
            "rndc",
            "SERVFAIL",
            "backend",
        ],
        pattern: r"(?P<what>Could not find \d+ for .{0,80} on enough nameservers.{0,60}|Consensus not reached for .{0,100}|rndc.{0,60}(?:failed|connection refused|error).{0,60}|Failed to (?:create|update|delete) zone .{0,80}on target .{0,60})",
        strength: 0.75,
        kind: "DNS zone",
        title: "{daemon}: Designate cannot push a zone to its name servers: {what}",
        statement: "Designate's back end does not take its zones: {what}.",
        yes: &[
            "WARNING designate.worker.tasks.zone [-] Could not find 1612345 for a.example. on enough nameservers.",
        ],
        no: &["Created zone"],
        ..RULE
    },
    Rule {
        id: "heat.stack-failed",
        cause: "heat-stack-failed",
        scope: &["heat", "magnum"],
        needs: &[
            "ResourceFailure",
            "StackValidationFailed",
            "CREATE_FAILED",
            "Stack CREATE FAILED",
            "Stack UPDATE FAILED",
        ],
        pattern: r"(?P<what>(?:ResourceFailure|ResourceInError|StackValidationFailed): .{0,200}|Stack (?:CREATE|UPDATE|DELETE) FAILED \((?P<stack>[^)]+)\): .{0,160})",
        strength: 0.66,
        kind: "Stack",
        subject: "{stack}",
        title: "Heat stack {stack} fails: {what}",
        statement: "A Heat stack could not be built: {what}.",
        yes: &[
            "INFO heat.engine.stack [-] Stack CREATE FAILED (s1): Resource CREATE failed: ResourceInError: resources.vm: Went to status ERROR due to \"Message: No valid host was found.\"",
        ],
        no: &["Stack CREATE COMPLETE (s1): Stack CREATE completed successfully"],
        ..RULE
    },
    // The manager discards heartbeats that took longer than heartbeat_interval: amphorae then look dead and fail over.
    Rule {
        id: "octavia.heartbeat-slow",
        cause: "octavia-health-manager-overloaded",
        scope: &["octavia"],
        needs: &["processed too slowly"],
        pattern: r"(?P<amphora>[0-9a-f-]{4,36}) health message was processed too slowly: (?P<took>[\d.]+)s",
        at_least: 3,
        strength: 0.78,
        persistent: 0.84,
        title: "{daemon}: heartbeats of amphorae are processed too slowly (up to {took} s, {count} times)",
        subject: "{daemon}",
        statement: "The health manager takes {took} seconds for a heartbeat and ignores it{span}: its database or the host is overloaded; healthy amphorae are then taken for dead and replaced.",
        yes: &[
            "Amphora 4f1e health message was processed too slowly: 15.301s! The system may be overloaded or otherwise malfunctioning.",
        ],
        no: &["Amphora 4f1e health message processed"],
        ..RULE
    },
    Rule {
        id: "octavia.failover-fails",
        cause: "octavia-failover-failed",
        scope: &["octavia"],
        needs: &[
            "failover exception",
            "failover exception:",
            "Failover of",
            "failover failed",
            "Stale amphora",
        ],
        pattern: r"(?:[Aa]mphora (?P<amphora>[0-9a-f-]{4,36}) failover exception: (?P<what>[^\r\n]{0,200})|(?:Failover of|failover of) \S+ [^\r\n]{0,40}failed[^\r\n]{0,120})",
        strength: 0.82,
        kind: "Amphora",
        subject: "{amphora}",
        title: "Octavia cannot fail over amphora {amphora}: {what}",
        statement: "The replacement of amphora {amphora} fails ({what}), so its load balancer stays degraded or in error until the missing resource is repaired.",
        yes: &[
            "Amphora 4f1e-22 failover exception: Port 5e not found: octavia.network.base.PortNotFound: Port 5e not found",
        ],
        no: &["Stale amphora's id is: 4f1e-22"],
        ..RULE
    },
    // The management interface (o-hm0) or its address is not there: the listener cannot start.
    Rule {
        id: "octavia.bind-fails",
        cause: "octavia-management-interface",
        scope: &["octavia"],
        needs: &["Cannot assign requested address"],
        pattern: r"(?P<what>\[Errno 99\] Cannot assign requested address)",
        strength: 0.82,
        title: "{daemon} cannot bind its management address: {what}",
        statement: "{daemon} cannot listen on its configured address ({what}): the management interface is missing, down or has lost its address, so no heartbeat of an amphora arrives.",
        yes: &[
            "CRITICAL octavia.cmd.health_manager [-] Unhandled error: OSError: [Errno 99] Cannot assign requested address",
        ],
        no: &["Health Manager listening"],
        ..RULE
    },
];
