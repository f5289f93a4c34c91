//! Juju controllers and agents, MAAS, and the charms' own errors.

use super::rule::{RULE, Rule};
use crate::signals::Role;

const JUJU: &[&str] = &["juju"];

/// The rules of this family.
pub const RULES: &[Rule] = &[
    // The uniter keeps relation state on disk; state that contradicts the controller's stops it at every start.
    Rule {
        id: "juju.uniter-relation-state",
        cause: "juju-uniter-relation-state",
        scope: JUJU,
        needs: &[
            "cannot remove persisted state",
            "cannot create relation state tracker",
            "failed to initialize uniter",
        ],
        pattern: r"failed to initialize uniter for \x22?(?P<unit>[\w./-]+?)\x22?: (?P<why>[^\r\n]+)|(?P<what>cannot (?:remove persisted state|create relation state tracker)[^\r\n]*)",
        strength: 0.92,
        kind: "Juju unit",
        subject: "{unit}",
        title: "Juju unit {unit} cannot start its uniter: {why}{what}",
        statement: "The Juju agent of {unit} cannot initialise its uniter: {why}{what}. Its persisted relation state (state tracker) disagrees with the controller, for instance an orphaned relation whose members were never removed, so hooks do not run.",
        yes: &[
            "2022-02-10 08:08:32 ERROR juju.worker.dependency engine.go:671 \"uniter\" manifold worker returned unexpected error: failed to initialize uniter for \"unit-rabbitmq-server-0\": cannot create relation state tracker: cannot remove persisted state, relation 236 has members",
        ],
        no: &["2022-02-10 08:08:32 INFO juju.worker.uniter unit agent started"],
        ..RULE
    },
    // Migration is a sequence of phases; the line that aborts it names the phase and the reason.
    Rule {
        id: "juju.migration-aborted",
        cause: "juju-model-migration-aborted",
        scope: JUJU,
        needs: &["migrationmaster", "migration"],
        pattern: r"migrationmaster\S*\s.*?(?P<what>aborted, removing model from target controller: (?P<why>[^\r\n]+)|(?P<agents>\d+ agents failed to report in time for [^\r\n]+)|model data transfer failed, [^\r\n]+|failed to migrate binaries: [^\r\n]+|(?P<timeout>\w+, timed out waiting for agents to report)|precheck[^\r\n]{0,30}failed[^\r\n]*|validation failed[^\r\n]*)",
        near: r"agents failed to report|timed out waiting for agents|unexpectedly assigned|aborted, removing",
        strength: 0.92,
        kind: "Juju model",
        subject: "migration",
        title: "Juju model migration was aborted: {what}",
        statement: "The migration of a Juju model was aborted: {what}. The phase named there did not succeed (agents that do not report in while quiescing, binaries or charms with an unexpected revision, or a failed check), so the model stays on its old controller.",
        yes: &[
            "2022-02-04 09:34:41 ERROR juju.worker.migrationmaster.97cf4e worker.go:749 1 agents failed to report in time for \"quiescing\" phase (including machines: 61)",
            "2022-02-09 22:52:40 INFO juju.worker.migrationmaster.97cf4e worker.go:295 aborted, removing model from target controller: model data transfer failed, failed to migrate binaries: charm local:bionic/ubuntu-12 unexpectedly assigned local:bionic/ubuntu-11",
        ],
        no: &[
            "2022-02-04 09:34:41 INFO juju.worker.migrationmaster.97cf4e worker.go:295 setting migration phase to SUCCESS",
        ],
        ..RULE
    },
    Rule {
        id: "juju.hook-failed",
        cause: "juju-hook-failed",
        scope: JUJU,
        needs: &["hook \"", "hook failed", "failed: exit status"],
        pattern: r"hook \x22(?P<hook>[^\x22]+)\x22 \([^)]*\) failed: (?P<why>[^\r\n]+)|hook (?:failed|\x22(?P<h>[^\x22]+)\x22 failed): ?(?P<w>[^\r\n]*)",
        near: r"\w+(?:Error|Exception): |ERROR|logger\.go:\d+\s+(?:E: |Err:|error: |fatal: |\s*Could not |[^\r\n]{0,80}(?:refused|denied|timed out|No such file|not found|has no installation candidate))",
        cleared_by: r"ran \x22[^\x22]+\x22 hook",
        strength: 0.66,
        persistent: 0.76,
        kind: "Juju unit",
        subject: "{daemon} {hook}{h}",
        title: "Juju hook {hook}{h} of {daemon} fails: {why}{w}",
        statement: "Hook {hook}{h} of {daemon} failed {count} times ({why}{w}); the charm's traceback before it names the reason.",
        yes: &[
            "2022-02-10 08:08:32 ERROR juju.worker.uniter.operation runhook.go:136 hook \"config-changed\" (via explicit, bespoke hook script) failed: exit status 1",
        ],
        no: &[
            "INFO juju.worker.uniter.operation runhook.go:152 ran \"update-status\" hook (via explicit, bespoke hook script)",
        ],
        ..RULE
    },
    Rule {
        id: "juju.api-unreachable",
        cause: "juju-agent-lost-controller",
        scope: JUJU,
        needs: &[
            "api-caller",
            "unable to connect to API",
            "cannot open api",
            "dial tcp",
            "x509",
        ],
        pattern: r"(?P<what>(?:unable to connect to API|cannot open api|failed to connect to API)[^\r\n]{0,40}: (?P<why>[^\r\n]{0,160})|\x22api-caller\x22 manifold worker returned unexpected error: (?P<w2>[^\r\n]{0,160}))",
        unless: r"agent should be (?:restarted|terminated)|try again|connection permanently impossible\W*$",
        at_least: 20,
        strength: 0.55,
        persistent: 0.64,
        kind: "Juju agent",
        title: "Juju agent {daemon} cannot reach its controller: {why}{w2}",
        statement: "The Juju agent {daemon} failed {count} times to reach the controller's API: {why}{w2}.",
        yes: &[
            "ERROR juju.worker.dependency engine.go:671 \"api-caller\" manifold worker returned unexpected error: [97cf4e] \"machine-2\" cannot open api: unable to connect to API: dial tcp 10.0.0.1:17070: connect: connection refused",
        ],
        no: &[
            "INFO juju.api apiclient.go:673 connection established to \"wss://10.0.0.1:17070/model/1/api\"",
        ],
        ..RULE
    },
    Rule {
        id: "juju.api-certificate",
        cause: "juju-certificate",
        scope: JUJU,
        needs: &["x509:"],
        pattern: r"x509: (?P<why>certificate (?:has expired|is valid for|signed by unknown)[^\r\n]{0,120}|[^\r\n]{0,100})",
        at_least: 2,
        strength: 0.8,
        kind: "Juju agent",
        title: "Juju agent {daemon}: certificate is refused: {why}",
        statement: "TLS between the Juju agent {daemon} and its controller or cloud fails: x509: {why}.",
        yes: &[
            "cannot open api: unable to connect to API: x509: certificate has expired or is not yet valid: current time 2024-01-01T00:00:00Z is after 2023-01-01T00:00:00Z",
        ],
        no: &["certificate updated"],
        ..RULE
    },
    Rule {
        id: "juju.agent-version",
        cause: "juju-upgrade-failed",
        scope: JUJU,
        needs: &["upgrade", "tools", "agent binaries"],
        pattern: r"(?:ERROR|WARNING) juju\.(?:worker|cmd|agent|upgrade)\S*.*?(?P<what>(?:upgrade (?:from \S+ to \S+|steps?)[^\r\n]{0,60} failed[^\r\n]{0,100}|upgrade step [^\r\n]{0,80}failed[^\r\n]{0,100}|(?:no matching|failed to (?:fetch|download)) (?:agent binaries|tools)[^\r\n]{0,120}|incompatible[^\r\n]{0,60}version[^\r\n]{0,60}))",
        strength: 0.8,
        kind: "Juju agent",
        title: "Juju upgrade fails on {daemon}: {what}",
        statement: "The Juju agent {daemon} cannot be upgraded: {what}.",
        yes: &[
            "2022-02-10 08:08:32 ERROR juju.upgrade upgrade.go:137 upgrade step \"add model\" failed: no such collection",
        ],
        no: &["INFO juju.worker.upgrader upgrader.go:160 desired agent binary version: 2.9.22"],
        ..RULE
    },
    Rule {
        id: "juju.provisioning-failed",
        cause: "juju-provisioning-failed",
        scope: JUJU,
        needs: &[
            "provisioner",
            "failed to start instance",
            "cannot start instance",
            "failed to start machine",
        ],
        pattern: r"(?P<what>(?:failed to start (?:instance|machine) ?(?P<machine>[\w/]*)|cannot start (?:instance|bootstrap instance)(?: for machine \x22?(?P<m2>[\w/]+)\x22?)?)[^\r\n]{0,200})",
        unless: r"retrying in|will retry",
        strength: 0.76,
        kind: "Juju machine",
        subject: "{machine}{m2}",
        title: "Juju cannot start machine {machine}{m2}: {what}",
        statement: "Juju's provisioner could not start a machine: {what}.",
        yes: &[
            "ERROR juju.worker.provisioner provisioner_task.go:1349 cannot start instance for machine \"3\": no matching agent binaries available",
        ],
        no: &[
            "INFO juju.worker.provisioner machine 1/lxd/2 already started as instance \"juju-1\"",
        ],
        ..RULE
    },
    Rule {
        id: "juju.mongo",
        cause: "juju-mongo-trouble",
        scope: JUJU,
        needs: &[
            "mongo",
            "read tcp",
            "no reachable servers",
            "not master",
            "i/o timeout",
            "lease",
        ],
        pattern: r"(?P<what>no reachable servers|mongo[^\r\n]{0,60}(?:not master|i/o timeout|EOF|connection refused|no primary)[^\r\n]{0,60}|lease operation timed out|(?:read|write) tcp [^\r\n]{0,60}:37017[^\r\n]{0,60}i/o timeout)",
        at_least: 5,
        strength: 0.68,
        persistent: 0.74,
        kind: "Juju controller",
        title: "Juju controller's MongoDB does not answer: {what}",
        statement: "The Juju controller's MongoDB failed {count} times: {what}; its replica set has no primary or its disk is slow.",
        yes: &[
            "ERROR juju.worker.dependency engine.go:671 \"state\" manifold worker returned unexpected error: cannot connect to mongodb: no reachable servers",
        ],
        no: &["mongo started"],
        ..RULE
    },
    Rule {
        id: "juju.unknown-relation",
        cause: "juju-relation-missing",
        scope: JUJU,
        needs: &[
            "no relation id",
            "not found",
            "is in error",
            "resolver loop error",
        ],
        pattern: r"(?P<what>resolver loop error: [^\r\n]{0,160}|unit \S+ is in error[^\r\n]{0,60}|(?:application|unit|relation|charm|machine) \x22[^\x22]+\x22 not found)",
        at_least: 5,
        strength: 0.5,
        persistent: 0.62,
        role: Role::Cause,
        kind: "Juju agent",
        title: "Juju agent {daemon}: {what}",
        statement: "The Juju agent {daemon} stumbles {count} times over {what}: model state and agent state differ.",
        yes: &[
            "ERROR juju.worker.uniter agent.go:31 resolver loop error: could not acquire lock: cancelled acquiring mutex",
        ],
        no: &["DEBUG found application"],
        ..RULE
    },
    Rule {
        id: "juju.lxd-profile",
        cause: "juju-container-failed",
        scope: JUJU,
        needs: &["container", "lxd"],
        pattern: r"(?:ERROR|WARNING) juju\S*.*?(?P<what>(?:failed to (?:start|create|initialise|initialize|prepare) (?:the )?container[^\r\n]{0,160}|cannot (?:start|create) container[^\r\n]{0,160}|unable to setup network[^\r\n]{0,120}|host machine \S+ has no available \S+ device in space[^\r\n]{0,80}))",
        strength: 0.76,
        kind: "Juju machine",
        title: "Juju cannot start a container on {daemon}: {what}",
        statement: "Juju could not bring up a container: {what}.",
        yes: &[
            "ERROR juju.provisioner.broker lxd-broker.go:90 failed to create container: no space left on storage pool",
        ],
        no: &["INFO juju container started"],
        ..RULE
    },
    Rule {
        id: "maas.fault",
        cause: "maas-fault",
        scope: &["maas"],
        needs: &[
            "rackd",
            "regiond",
            "Failed",
            "failed",
            "CRITICAL",
            "No boot images",
            "unable",
        ],
        pattern: r"(?P<what>No boot images have been imported[^\r\n]{0,60}|Region is not advertising RPC endpoints|Failed to (?:update|import|commission|deploy|power|probe|register)[^\r\n]{0,160}|Could not (?:contact|query power|reload)[^\r\n]{0,140}|Failed talking to node's BMC[^\r\n]{0,100}|dhcpd?[^\r\n]{0,40}(?:failed to start|could not start|configuration is invalid)[^\r\n]{0,100})",
        strength: 0.68,
        persistent: 0.74,
        kind: "MAAS",
        title: "MAAS: {what}",
        statement: "MAAS reports: {what}.",
        yes: &[
            "2024-01-01 10:00:00 maasserver: [error] Failed talking to node's BMC: IPMI authentication failed",
        ],
        no: &["2024-01-01 10:00:00 regiond: [info] Rack controller connected"],
        ..RULE
    },
];
