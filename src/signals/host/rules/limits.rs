//! Limits and permissions that a program runs into: keys, name spaces, terminals, semaphores, locked memory, sockets.

use super::{BASE, Rule, Scope};

const START: &[&str] = &[
    "start",
    "container",
    "containers",
    "limit",
    "service",
    "create",
    "quota",
];

pub(super) const RULES: &[Rule] = &[
    // "Disk quota exceeded" of the key service is no disk.
    Rule {
        detector: "key-quota",
        cause: "kernel-key-quota",
        kind: "Process",
        name: "{tag}",
        scope: Scope::Any,
        needles: &["session key"],
        pattern: r"(?i)(?P<msg>(?:join session keyctl|join session keyring|create session key)\S* .{0,40}disk quota exceeded)",
        title: "{tag} cannot create a key: the kernel's quota of keys is used up ({n}){when}",
        statement: "Each container joins a session keyring and the user's quota of keys is used up ({msg}), so no further container starts; kernel.keys.maxkeys is too small.",
        strength: 0.92,
        ticket: START,
        merge: true,
        ..BASE
    },
    Rule {
        detector: "user-namespaces",
        cause: "user-namespaces-refused",
        kind: "Process",
        name: "{tag}",
        scope: Scope::Any,
        needles: &[
            "max_user_namespaces",
            "cannot clone: ",
            "insufficient UIDs or GIDs available",
            "not enough IDs available in the namespace",
            "no subuid ranges found",
            "newuidmap",
            "unshare: ",
        ],
        pattern: r"(?P<msg>.{0,60}max_user_namespaces.{0,60}|cannot clone: (?:No space left on device|Operation not permitted|Invalid argument)|.{0,20}insufficient UIDs or GIDs available in user namespace.{0,80}|there might not be enough IDs available in the namespace.{0,60}|no subuid ranges found for user \S+.{0,40}|newuidmap.{0,40}(?:failed|not permitted).{0,40}|unshare: (?:unshare|cannot).{0,20} failed: (?:No space left on device|Operation not permitted|Invalid argument))",
        except: r"sysctl|user\.max_user_namespaces ?= ?\d{2,}",
        title: "{tag} cannot make a user name space: {msg} ({n}){when}",
        statement: "Containers without root need user name spaces and subordinate ranges of ids; here they are switched off, used up or too small ({msg}).",
        strength: 0.82,
        ticket: &[
            "podman",
            "docker",
            "container",
            "containers",
            "rootless",
            "sandbox",
            "start",
        ],
        merge: true,
        ..BASE
    },
    Rule {
        detector: "no-terminals",
        cause: "pty-exhausted",
        kind: "Process",
        name: "{tag}",
        scope: Scope::Any,
        needles: &[
            "openpty",
            "PTY allocation request failed",
            "out of pty devices",
            "Failed to allocate PTY",
        ],
        pattern: r"(?P<msg>openpty: (?:No space left on device|No such file or directory|Permission denied)|openpty failed.{0,40}|[Oo]ut of pty devices|PTY allocation request failed.{0,30})",
        title: "{tag} gets no terminal: {msg} ({n}){when}",
        statement: "No pseudo terminal can be opened ({msg}): their maximum is used up or their file system is not mounted, so interactive logins fail.",
        strength: 0.76,
        ticket: &["login", "ssh", "terminal", "console"],
        merge: true,
        ..BASE
    },
    Rule {
        detector: "sysv-limit",
        cause: "sysv-ipc-limit",
        kind: "Process",
        name: "{tag}",
        scope: Scope::Any,
        needles: &["semget", "shmget", "semop", "semaphore", "msgget"],
        pattern: r"(?i)(?P<msg>(?:semget|shmget|msgget|could not create (?:semaphore|shared memory)\w*)\b.{0,80}(?:no space left on device|invalid argument|cannot allocate memory)|couldn't create accept lock.{0,60}|no space left on device: .{0,30}(?:couldn't create|failed to create).{0,20}(?:mutex|lock|semaphore).{0,30})",
        title: "{tag} gets no semaphore or shared memory: {msg} ({n}){when}",
        statement: "The kernel's limits of System V semaphores or shared memory are used up or too small ({msg}; kernel.sem, kernel.shmmax, kernel.shmall): no disk is full. Sets left behind by a killed program (ipcs) count too.",
        strength: 0.84,
        ticket: START,
        merge: true,
        ..BASE
    },
    Rule {
        detector: "locked-memory",
        cause: "memlock-limit",
        kind: "Process",
        name: "{tag}",
        scope: Scope::Any,
        needles: &["MEMLOCK", "mlockall", "memlock"],
        pattern: r"(?P<msg>.{0,40}(?:RLIMIT_MEMLOCK|MEMLOCK).{0,20}(?:too low|may be too low|too small).{0,40}|mlockall.{0,20}(?:failed|[Cc]annot allocate memory).{0,40}|failed to (?:set|raise) (?:the )?(?:memlock|RLIMIT_MEMLOCK).{0,40}|memory locking requested for \S+ \S+ but memory is not locked)",
        title: "{tag} may not lock its memory: {msg} ({n}){when}",
        statement: "The limit of locked memory (memlock) is too small for {tag}: {msg}.",
        strength: 0.66,
        ticket: START,
        ..BASE
    },
    Rule {
        detector: "limit-not-set",
        cause: "limits-not-applied",
        kind: "Process",
        name: "{tag}",
        scope: Scope::System,
        needles: &[
            "Could not set limit for",
            "Failed to adjust resource limit",
            "wrong limit value",
        ],
        pattern: r"(?P<msg>Could not set limit for '?\w+'?(?: to soft=\S+ hard=\S+)?: .{0,40}|Failed to adjust resource limit \S+: .{0,40}|wrong limit value '[^']*' for limit type '\w+')",
        title: "{tag} cannot apply a configured limit: {msg} ({n}){when}",
        statement: "A configured limit is refused ({msg}), so the session is closed or runs with the old limit; limits of open files may not exceed fs.nr_open.",
        strength: 0.7,
        ticket: &[
            "limit", "limits", "ulimit", "login", "ssh", "session", "nofile",
        ],
        merge: true,
        ..BASE
    },
    // The address family is switched off, and the configuration still names it.
    Rule {
        detector: "address-family-missing",
        cause: "ipv6-disabled",
        kind: "Process",
        name: "{tag}",
        scope: Scope::Any,
        needles: &["Address family not supported by protocol", "EAFNOSUPPORT"],
        pattern: r"(?P<msg>.{0,60}(?:Address family not supported by protocol|EAFNOSUPPORT))",
        except: r"chronyd|ntpd|rpcbind|sshd|xinetd|avahi|postfix|exim|vsftpd|snmpd|(?i)warn|debug|falling back|ignor|cups",
        title: "{tag} cannot open a socket: {msg} ({n}){when}",
        statement: "{tag} is told to use IPv6, which this kernel has switched off ({msg}); it does not start until IPv6 is on or taken out of its configuration.",
        strength: 0.54,
        ticket: &["start", "listen", "ipv6", "service", "bind"],
        merge: true,
        ..BASE
    },
    Rule {
        detector: "bind-address-absent",
        cause: "bind-address-absent",
        kind: "Process",
        name: "{tag}",
        scope: Scope::System,
        needles: &["annot assign requested address"],
        pattern: r"(?i)(?P<msg>(?:bind|listen|binding|cannot bind)\b.{0,80}cannot assign requested address.{0,30})",
        except: r"(?i)connect|ntpd|avahi|fe80:|dnsmasq|radvd|rpcbind|retry|::1",
        title: "{tag} cannot listen: {msg} ({n}){when}",
        statement: "{tag} is told to listen on an address that no interface of this host has ({msg}): it is another host's, came up too late, or is a floating address.",
        strength: 0.72,
        ordinary_at_boot: true,
        ticket: &["start", "listen", "bind", "service", "address"],
        merge: true,
        ..BASE
    },
    Rule {
        detector: "bind-refused",
        cause: "bind-permission-denied",
        kind: "Process",
        name: "{tag}",
        scope: Scope::System,
        needles: &["ermission denied"],
        pattern: r"(?i)(?P<msg>(?:bind|listen|binding|could not bind)\b(?: to)?[^/]{0,50}:\d+\b.{0,30}permission denied)",
        except: r"(?i)connect|\.sock\b",
        title: "{tag} may not open its port: {msg} ({n}){when}",
        statement: "{tag} is not allowed to listen there ({msg}): ports below 1024 need a capability, and SELinux allows only labelled ports.",
        strength: 0.72,
        ticket: &["start", "listen", "bind", "service", "port"],
        merge: true,
        ..BASE
    },
];

#[cfg(test)]
mod tests {
    use super::super::tests::{means, silent};

    #[test]
    fn limits() {
        means(&[
            (
                "dockerd[9]: OCI runtime create failed: runc create failed: unable to start container process: join session keyring: create session key: disk quota exceeded: unknown",
                "kernel-key-quota",
            ),
            (
                "podman[9]: Error: potentially insufficient UIDs or GIDs available in user namespace (requested 0:42 for /etc/gshadow): Check /etc/subuid and /etc/subgid",
                "user-namespaces-refused",
            ),
            (
                "sshd[9]: error: openpty: No such file or directory",
                "pty-exhausted",
            ),
            (
                "ipcd[9]: semget(IPC_PRIVATE) failed: No space left on device",
                "sysv-ipc-limit",
            ),
            (
                "cilium[9]: map create: operation not permitted (MEMLOCK may be too low, consider rlimit.RemoveMemlock)",
                "memlock-limit",
            ),
            (
                "sshd[9]: pam_limits(sshd:session): Could not set limit for 'nofile': Operation not permitted",
                "limits-not-applied",
            ),
            (
                "web[9]: socket() [::]:80 failed (97: Address family not supported by protocol)",
                "ipv6-disabled",
            ),
            (
                "web[9]: listen tcp 10.1.2.3:443: bind: cannot assign requested address",
                "bind-address-absent",
            ),
            (
                "web[9]: bind() to 0.0.0.0:81 failed (13: Permission denied)",
                "bind-permission-denied",
            ),
        ]);
        silent(&[
            "chronyd[9]: Could not open IPv6 NTP socket : Address family not supported by protocol",
            "ntpd[9]: bind(24) AF_INET6 fe80::1%2#123 flags 0x11 failed: Cannot assign requested address",
            "app[9]: open /etc/app.conf: permission denied",
        ]);
    }
}
