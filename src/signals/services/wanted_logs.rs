//! Logs of services that a bundle lacks: those that the ticket speaks of, and those of daemons of which it shows a
//! symptom alone.

use crate::bundle::Tree;
use crate::report::Missing;
use crate::signals::{Partial, Role};

/// Services a ticket may speak of, what tells of each, and parts of paths any of which holds it. Where one
/// program asks and another does the work, the worker's log is the one that tells.
const LOGS_OF: &[(&[&str], &str, &[&str])] = &[
    (
        &["rabbitmq", "amqp"],
        "the logs of rabbitmq, var/log/rabbitmq/",
        &["rabbit"],
    ),
    (
        &["mysql", "mariadb", "galera", "percona"],
        "the logs of mysql, var/log/mysql/",
        &["mysql", "mariadb", "mysqld"],
    ),
    (
        &["postgres", "postgresql"],
        "the logs of postgres, var/log/postgresql/",
        &["postgres", "pgsql", "pg_log"],
    ),
    (
        &["nova", "resize", "migration", "instances", "hypervisor"],
        "the logs of nova on the compute host, nova-compute.log",
        &["nova-compute"],
    ),
    (
        &["neutron", "router", "routers"],
        "the logs of neutron and its agents, var/log/neutron/",
        &["neutron"],
    ),
    (
        &["cinder", "volume", "volumes"],
        "the log of cinder-volume, var/log/cinder/cinder-volume.log",
        &["cinder-volume"],
    ),
    (
        &["attach", "attached", "attaching", "attachment"],
        "the log of nova-compute on the hypervisor, var/log/nova/nova-compute.log",
        &["nova-compute"],
    ),
    (
        &["glance"],
        "the logs of glance, var/log/glance/",
        &["glance"],
    ),
    (
        &["keystone"],
        "the logs of keystone, var/log/keystone/",
        &["keystone"],
    ),
    (
        &["octavia", "loadbalancer", "amphora"],
        "the logs of octavia's workers, var/log/octavia/",
        &["octavia"],
    ),
    (
        &["designate"],
        "the logs of designate, var/log/designate/",
        &["designate"],
    ),
    (&["heat"], "the logs of heat, var/log/heat/", &["heat"]),
    (
        &["ironic", "baremetal"],
        "the logs of ironic-conductor, var/log/ironic/",
        &["ironic"],
    ),
    (
        &["manila"],
        "the logs of manila-share, var/log/manila/",
        &["manila"],
    ),
    (&["ovn"], "the logs of ovn, var/log/ovn/", &["ovn"]),
    (
        &["openvswitch", "ovs"],
        "the logs of openvswitch, var/log/openvswitch/",
        &["openvswitch", "ovs-vswitchd"],
    ),
    (
        &["juju", "charm"],
        "the logs of juju, var/log/juju/",
        &["juju"],
    ),
    (
        &["libvirt", "qemu", "kvm"],
        "the logs of libvirt and its guests, var/log/libvirt/",
        &["libvirt", "qemu"],
    ),
    (&["nginx"], "the logs of nginx, var/log/nginx/", &["nginx"]),
    (
        &["apache"],
        "the logs of apache, var/log/apache2/",
        &["apache", "httpd"],
    ),
    (
        &["haproxy"],
        "the log of haproxy, var/log/haproxy.log",
        &["haproxy"],
    ),
    (
        &["pacemaker", "corosync"],
        "the logs of pacemaker, var/log/pacemaker/",
        &["pacemaker", "corosync", "crm_report", "pcmk"],
    ),
    (&["redis"], "the log of redis, var/log/redis/", &["redis"]),
    (
        &["mongodb", "mongod", "mongo"],
        "the log of mongodb, var/log/mongodb/",
        &["mongo"],
    ),
    (
        &["elasticsearch", "opensearch"],
        "the logs of elasticsearch, var/log/elasticsearch/",
        &["elasticsearch", "opensearch"],
    ),
    (
        &["kafka"],
        "the broker's server.log, var/log/kafka/",
        &["kafka"],
    ),
    (
        &["cassandra"],
        "cassandra's system.log, var/log/cassandra/",
        &["cassandra"],
    ),
    (
        &["osd", "osds"],
        "the OSDs' own logs of the Ceph cluster, var/log/ceph/ceph-osd.<id>.log, and ceph health detail",
        &["ceph-osd", "ceph_-s", "ceph_health", "ceph_status"],
    ),
    (
        &["rbd", "cephfs"],
        "state and logs of the Ceph cluster (ceph -s, ceph health detail, var/log/ceph/)",
        &[
            "ceph-osd",
            "ceph-mon",
            "ceph_-s",
            "ceph_health",
            "ceph_status",
        ],
    ),
    (
        &["hana", "indexserver"],
        "the traces of SAP HANA (indexserver, nameserver and daemon .trc in /usr/sap/<SID>/HDB<nr>/<host>/trace)",
        &[".trc", "indexserver"],
    ),
    (
        &["sap", "abap"],
        "the work directory of the SAP instance (dev_disp, dev_w0, sapstart.log in /usr/sap/<SID>/<instance>/work)",
        &["dev_disp", "dev_w", "sapstart"],
    ),
    (
        &["oracle", "asm"],
        "the alert log of the Oracle instance (diag/rdbms/<db>/<SID>/trace/alert_<SID>.log)",
        &["alert_"],
    ),
    (&["db2"], "db2diag.log of the instance", &["db2diag"]),
    (
        &["tomcat", "catalina"],
        "Tomcat's catalina.out",
        &["catalina"],
    ),
    (&["jboss", "wildfly"], "JBoss's server.log", &["server.log"]),
    (
        &["weblogic", "websphere"],
        "the server's log (SystemOut.log, <server>.log)",
        &["systemout", "adminserver", "weblogic"],
    ),
    (
        &["jenkins"],
        "the log of Jenkins, var/log/jenkins/",
        &["jenkins"],
    ),
    (
        &["gitlab"],
        "the logs of GitLab, var/log/gitlab/",
        &["gitlab"],
    ),
    (
        &["samba", "smb", "smbd"],
        "the logs of Samba, var/log/samba/",
        &["samba", "smbd"],
    ),
    (
        &["ldap", "slapd", "dirsrv"],
        "the directory server's log, var/log/dirsrv/ or slapd's",
        &["slapd", "dirsrv", "ldap"],
    ),
    (
        &["postfix", "mail", "mails", "smtp", "dovecot"],
        "the mail log, var/log/mail.log or maillog",
        &["mail"],
    ),
    (
        &["squid", "proxy"],
        "the proxy's log (squid cache.log, haproxy.log, nginx error.log)",
        &["squid", "haproxy", "nginx", "envoy", "apache", "httpd"],
    ),
    (
        &["docker"],
        "the log of dockerd (journalctl -u docker)",
        &["docker"],
    ),
];

/// Words that mean OpenStack's services only where there are any.
const ONLY_IN_A_CLOUD: &[&str] = &[
    "resize",
    "migration",
    "instance",
    "instances",
    "hypervisor",
    "router",
    "routers",
    "volume",
    "volumes",
    "attach",
    "attached",
    "attaching",
    "attachment",
    "heat",
    "glance",
];

/// A host's bundle whose ticket speaks of a service that left no log in it.
pub fn of_ticket(tree: &Tree, ticket: Option<&str>) -> Vec<Missing> {
    let Some(ticket) = ticket else {
        return Vec::new();
    };
    if tree.under("sos_commands/").next().is_none()
        && tree.under("var/log/").next().is_none()
        && tree.under("basic-environment.txt").next().is_none()
        && !crate::signals::host::is_host(tree)
    {
        return Vec::new();
    }
    let told = ticket.to_ascii_lowercase();
    let words: Vec<&str> = told.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let cloud = tree.files().any(|entry| {
        ["/nova", "/cinder", "/neutron", "openstack"]
            .iter()
            .any(|part| entry.path.as_str().contains(part))
    });
    let logs: Vec<String> = tree
        .files()
        .filter(|entry| {
            crate::signals::logs::is_log(tree.rel(entry), entry.kind)
                || entry.path.as_str().contains("sos_commands/ceph")
        })
        .map(|entry| tree.rel(entry).to_ascii_lowercase())
        .collect();
    LOGS_OF
        .iter()
        .filter_map(|(names, what, parts)| {
            let word = names.iter().find(|name| {
                words.contains(name) && (cloud || !ONLY_IN_A_CLOUD.contains(name))
            })?;
            let there = logs.iter().any(|log| parts.iter().any(|part| log.contains(part)));
            (!there).then(|| Missing {
                what: (*what).to_owned(),
                why: format!(
                    "the ticket speaks of {word}, but the bundle holds no log that would tell, so a fault there cannot be seen"
                ),
                path: None,
            })
        })
        .take(4)
        .collect()
}

/// A symptom whose daemon left no log in the bundle: names the file that would show why.
pub fn of_symptoms(tree: &Tree, partial: &mut Partial) {
    let mut wanted: Vec<Missing> = Vec::new();
    for signal in partial
        .signals
        .iter()
        .filter(|signal| signal.role == Role::Symptom)
    {
        let name = signal.subject.name.as_str();
        let place = match name.split_once('.') {
            Some(("osd", id)) if !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()) => {
                format!("var/log/ceph/ceph-osd.{id}.log")
            }
            Some(("mon", id)) if !id.is_empty() => format!("var/log/ceph/ceph-mon.{id}.log"),
            _ if name.starts_with("rabbit@") => format!("var/log/rabbitmq/{name}.log"),
            _ => continue,
        };
        if tree.get(&place).is_none()
            && !wanted
                .iter()
                .any(|missing| missing.path.as_deref() == Some(&place))
        {
            wanted.push(Missing {
                what: format!("the log of {name}, {place}"),
                why: format!(
                    "{}; only its own log shows why, and the bundle does not hold it",
                    signal.title
                ),
                path: Some(place),
            });
        }
    }
    partial.missing.extend(wanted);
}
