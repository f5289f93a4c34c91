//! Logins, sudo, directories and cryptography, beyond what `security` reads.

use super::{BASE, Rule, Scope};

const LOGIN: &[&str] = &[
    "login",
    "logins",
    "ssh",
    "password",
    "authentication",
    "authenticate",
    "auth",
    "ldap",
    "kerberos",
    "user",
    "users",
    "sudo",
    "sssd",
    "account",
    "ad",
    "domain",
];
const TLS: &[&str] = &[
    "tls",
    "ssl",
    "https",
    "certificate",
    "connection",
    "handshake",
    "fips",
    "encryption",
];

pub(super) const RULES: &[Rule] = &[
    Rule {
        detector: "pam-module-missing",
        cause: "pam-module-missing",
        kind: "Module",
        name: "{module}",
        scope: Scope::System,
        needles: &["PAM unable to dlopen", "PAM adding faulty module"],
        pattern: r"PAM (?:unable to dlopen\((?:/\S*/)?(?P<module>[\w.-]+)\): (?P<msg>.{0,120})|adding faulty module: (?:/\S*/)?(?P<module2>[\w.-]+))",
        except: r"pam_(?:fprintd|gnome_keyring|kwallet5?|ck_connector|lastlog|fscrypt|mkhomedir_helper)\b",
        title: "PAM cannot load {module}{module2}: {msg} ({n}){when}",
        statement: "The PAM stack names {module}{module2}, which cannot be loaded ({msg}): its package is missing or belongs to another release, so logins, sudo or cron that use the stack are refused.",
        strength: 0.76,
        enough: 2,
        ticket: LOGIN,
        ..BASE
    },
    // Strangers try names all the time; a user from the own networks who is refused is another matter.
    Rule {
        detector: "ssh-user-not-allowed",
        cause: "ssh-login-refused",
        kind: "User",
        name: "{user}",
        scope: Scope::System,
        needles: &["not allowed because"],
        pattern: r"sshd\S*: User (?P<user>\S+) from (?:10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|127\.|f[cde][0-9a-f]{2}:)\S* not allowed because (?P<msg>.{4,90})",
        title: "sshd refuses user {user}: {msg} ({n}){when}",
        statement: "sshd does not let {user} in: {msg}.",
        strength: 0.46,
        enough: 2,
        ticket: LOGIN,
        ..BASE
    },
    Rule {
        detector: "sshd-environment",
        cause: "ssh-login-refused",
        kind: "Service",
        name: "sshd",
        scope: Scope::System,
        needles: &[
            "Missing privilege separation directory",
            "must be owned by root and not group or world-writable",
            "Unsupported option UsePrivilegeSeparation",
            "terminating, ",
        ],
        pattern: r"sshd(?:\[\d+\])?: (?:fatal: )?(?P<msg>Missing privilege separation directory: \S+|/\S+ must be owned by root and not group or world-writable.?|/etc/ssh/\S+: terminating, \d+ bad configuration options)",
        title: "sshd refuses every connection: {msg} ({n}){when}",
        statement: "sshd ends before it asks anybody for a key: {msg}.",
        strength: 0.82,
        ticket: LOGIN,
        ..BASE
    },
    Rule {
        detector: "sudo-broken",
        cause: "sudo-broken",
        kind: "File",
        name: "{file}{file2}{file3}",
        scope: Scope::Any,
        needles: &["sudoers", "setuid bit set", "sudo.conf"],
        pattern: r"sudo\S*:? ?.{0,60}?(?P<msg>(?:parse error in |>>> )?(?P<file>/etc/sudo\S+?):\d+:\d* ?.{0,20}syntax error|parse error in (?P<file2>/etc/sudo\S+) near line \d+|>>> (?P<file4>/etc/sudo\S+): syntax error near line \d+|(?P<file3>/etc/sudo\S+) is (?:world writable|owned by [ug]id \d+, should be \d+)|no valid sudoers sources found, quitting|\S*sudo must be owned by uid 0 and have the setuid bit set)",
        title: "sudo does not work: {msg} ({n}){when}",
        statement: "sudo refuses to run for everybody: {msg}.",
        strength: 0.86,
        ticket: LOGIN,
        ..BASE
    },
    Rule {
        detector: "sssd-config",
        cause: "sssd-broken",
        kind: "Service",
        name: "sssd",
        scope: Scope::Any,
        needles: &[
            "permissions check failed. Expected",
            "Cannot read config file /etc/sssd",
            "couldn't load the configuration database",
            "ConfDB initialization has failed",
            "Could not open available domains",
            "No domains configured",
        ],
        pattern: r"(?P<msg>File ownership and permissions check failed\. Expected \S+ and \S+|Cannot read config file /etc/sssd/\S+.{0,60}|SSSD couldn't load the configuration database.{0,60}|ConfDB initialization has failed.{0,60}|Could not open available domains|No domains configured, fatal error)",
        title: "sssd does not start: {msg} ({n}){when}",
        statement: "sssd refuses its configuration ({msg}); users and groups of the directory are unknown on this host. Its file must belong to root and be readable by nobody else.",
        strength: 0.86,
        ticket: LOGIN,
        ..BASE
    },
    Rule {
        detector: "sssd-watchdog",
        cause: "directory-unreachable",
        kind: "Service",
        name: "sssd {domain}",
        scope: Scope::Any,
        needles: &["terminated by own WATCHDOG"],
        pattern: r"Child \[\d+\] \('?(?P<domain>[^':)]+).{0,30}was (?P<msg>terminated by own WATCHDOG)",
        title: "sssd's process for {domain} hung: {msg} ({n}){when}",
        statement: "sssd's process for {domain} did not come back in time ({msg}): its servers answer too slowly, a large group is read member by member, or its cache's disk is slow.",
        strength: 0.74,
        ticket: LOGIN,
        ..BASE
    },
    Rule {
        detector: "sssd-id-mapping",
        cause: "sssd-id-mapping",
        kind: "Service",
        name: "sssd",
        scope: Scope::Any,
        needles: &[
            "Could not convert objectSID",
            "has a RID that is larger than the ldap_idmap_range_size",
        ],
        pattern: r"(?P<msg>Could not convert objectSID \[[\w-]+\] to a UNIX ID|\S+ has a RID that is larger than the ldap_idmap_range_size.{0,40})",
        title: "sssd cannot map an account of the domain: {msg} ({n}){when}",
        statement: "The account's identifier lies outside the ranges that sssd maps to ids ({msg}), so the user or group does not exist on this host.",
        strength: 0.74,
        ticket: LOGIN,
        merge: true,
        ..BASE
    },
    Rule {
        detector: "directory-access-denied",
        cause: "directory-access-denied",
        kind: "Service",
        name: "{tag}",
        scope: Scope::Any,
        needles: &[
            "GPO-based access control failed",
            "denied GPO-based logon",
            "Access denied by HBAC",
            "Access denied by GPO",
            "not permitted by access control",
        ],
        pattern: r"(?P<msg>GPO-based access control failed|.{0,40}denied GPO-based logon access.{0,40}|Access denied by (?:HBAC|GPO).{0,60})",
        title: "The directory's rules refuse logins: {msg} ({n}){when}",
        statement: "The user is known and the password is right, but the directory's access rules do not let them in here ({msg}).",
        strength: 0.76,
        ticket: LOGIN,
        merge: true,
        ..BASE
    },
    Rule {
        detector: "machine-account",
        cause: "machine-account-broken",
        kind: "Service",
        name: "{tag}",
        scope: Scope::Any,
        needles: &[
            "TRUSTED_RELATIONSHIP_FAILURE",
            "NO_TRUST_SAM_ACCOUNT",
            "not found in Kerberos database",
            "KRB_AP_ERR_MODIFIED",
            "failed to verify the trust",
            "domain trust",
            "machine account password",
        ],
        pattern: r"(?P<msg>NT_STATUS_TRUSTED_RELATIONSHIP_FAILURE|NT_STATUS_NO_TRUST_SAM_ACCOUNT|Client '(?:host/)?(?P<host>\S+?)\$?@\S+' not found in Kerberos database|KRB_AP_ERR_MODIFIED.{0,60}|[Mm]achine account password .{0,40}(?:expired|wrong|invalid).{0,30})",
        title: "The host's own account in the domain is refused: {msg} ({n}){when}",
        statement: "The domain does not accept this host's machine account ({msg}): it was deleted, reset, or another host joined with the same name. The host must join again.",
        strength: 0.82,
        ticket: LOGIN,
        merge: true,
        ..BASE
    },
    Rule {
        detector: "fips-refusal",
        cause: "fips-refuses",
        kind: "Process",
        name: "{tag}",
        scope: Scope::Any,
        needles: &[
            "disabled for fips",
            "disabled for FIPS",
            "in fips mode!",
            "FIPS self-test",
            "not allowed in FIPS",
            "fips mode: ",
        ],
        pattern: r"(?P<msg>.{0,60}disabled for (?:fips|FIPS)|.{0,60}failed in fips mode!|FIPS self-?test.{0,20}failed.{0,30}|.{0,60}not allowed in FIPS.{0,30})",
        title: "{tag} is refused by FIPS mode: {msg} ({n}){when}",
        statement: "The host runs in FIPS mode, where this algorithm is not allowed ({msg}); {tag} must use an approved one.",
        strength: 0.78,
        ticket: TLS,
        merge: true,
        ..BASE
    },
    // What newer releases of the libraries refuse by policy, though both sides work as before.
    Rule {
        detector: "crypto-policy",
        cause: "crypto-policy-refuses",
        kind: "Process",
        name: "{tag}",
        scope: Scope::Any,
        needles: &[
            "legacy renegotiation disabled",
            "dh key too small",
            "ee key too small",
            "ca key too small",
            "ca md too weak",
            "legacy sigalg disallowed",
            "digital envelope routines::unsupported",
            "DH_KEY_TOO_SMALL",
            "CA_MD_TOO_WEAK",
            "EE_KEY_TOO_SMALL",
        ],
        pattern: r"(?:(?P<peer>\w+://[^\s'\x22]{3,80}[\w/]|[\w-]+(?:\.[\w-]+){1,6}:\d{2,5})\b.{0,160}?)?(?P<msg>unsafe legacy renegotiation disabled|(?:dh|ee|ca) key too small|ca md too weak|legacy sigalg disallowed or unsupported|digital envelope routines::unsupported|DH_KEY_TOO_SMALL|CA_MD_TOO_WEAK|EE_KEY_TOO_SMALL)",
        except: r"client: \d",
        title: "{tag}: cryptography of {peer} is refused as too old: {msg} ({n}){when}",
        statement: "The library's policy refuses what the peer {peer} or its certificate uses ({msg}): keys, digests or protocol are older than this release accepts.",
        strength: 0.7,
        ticket: TLS,
        merge: true,
        ..BASE
    },
];

#[cfg(test)]
mod tests {
    use super::super::tests::{means, silent};

    #[test]
    fn access() {
        means(&[
            (
                "sudo[9]: PAM unable to dlopen(pam_tally2.so): /lib/security/pam_tally2.so: cannot open shared object file: No such file or directory",
                "pam-module-missing",
            ),
            (
                "sshd[9]: User op from 10.1.2.3 not allowed because not listed in AllowUsers",
                "ssh-login-refused",
            ),
            (
                "sshd[9]: fatal: Missing privilege separation directory: /run/sshd",
                "ssh-login-refused",
            ),
            (
                "sudo[9]: op : /etc/sudoers.d/ops:3:12: syntax error",
                "sudo-broken",
            ),
            (
                "sssd[9]: File ownership and permissions check failed. Expected root:root and 0600.",
                "sssd-broken",
            ),
            (
                "sssd[9]: Child [4711] ('corp.example':'%BE_corp.example') was terminated by own WATCHDOG. Consult corresponding logs to figure out the reason.",
                "directory-unreachable",
            ),
            (
                "sssd_be[9]: Could not convert objectSID [S-1-5-21-1-2-3-1104001] to a UNIX ID",
                "sssd-id-mapping",
            ),
            (
                "sssd_be[9]: GPO-based access control failed.",
                "directory-access-denied",
            ),
            (
                "winbindd[9]: rpccli_setup_netlogon_creds failed: NT_STATUS_TRUSTED_RELATIONSHIP_FAILURE",
                "machine-account-broken",
            ),
            (
                "app[9]: error:060800A3:digital envelope routines:EVP_DigestInit_ex:disabled for fips",
                "fips-refuses",
            ),
            (
                "app[9]: curl: (35) error:0A000152:SSL routines::unsafe legacy renegotiation disabled",
                "crypto-policy-refuses",
            ),
        ]);
        silent(&[
            "sshd[9]: User root from 203.0.113.7 not allowed because not listed in AllowUsers",
            "sshd[9]: PAM unable to dlopen(pam_lastlog.so): /usr/lib/security/pam_lastlog.so: cannot open shared object file",
            "sudo[9]: op : TTY=pts/0 ; PWD=/home/op ; USER=root ; COMMAND=/usr/bin/cat /etc/sudoers",
            "kernel: alg: self-tests for sha256-avx2 (sha256) passed",
            "nginx[9]: SSL_do_handshake() failed (SSL: error:141A318A:SSL routines:tls_process_ske_dhe:dh key too small), client: 203.0.113.9",
        ]);
    }
}
