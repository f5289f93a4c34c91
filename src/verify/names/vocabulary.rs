//! Words that are technical English and name nothing of a particular bundle, and the units of values.

/// Technical English with `-`, `.`, `/` or digits in it that names nothing of a particular bundle.
pub(super) const VOCABULARY: &str = " \
 and/or n/a i/o tcp/ip on/off up/down yes/no read/write ssl/tls http/https tcp/udp cpu/memory memory/cpu request/response input/output client/server ci/cd pass/fail start/stop either/or his/her source/destination name/value key/value \
 active/backup active/active master/slave primary/replica image/tag host/port requests/limits limits/requests liveness/readiness readiness/liveness add/remove dns/network network/dns username/password user/password \
 e.g i.e etc vs a.m p.m node.js next.js vue.js .net asp.net \
 http/1.0 http/1.1 http/2 http/2.0 http/3 tls1.0 tls1.1 tls1.2 tls1.3 tlsv1 tlsv1.0 tlsv1.1 tlsv1.2 tlsv1.3 ipv4 ipv6 x509 x.509 sha1 sha256 sha-256 sha512 md5 utf-8 utf8 utf-16 base64 oauth2 s3 ec2 k8s k3s rke2 i18n x86 x86_64 x86-64 amd64 arm64 aarch64 ppc64le s390x 64-bit 32-bit \
 raid0 raid1 raid5 raid6 raid10 raid-1 raid-5 ext3 ext4 xfs nfs4 nfsv3 nfsv4 layer-2 layer-3 layer-4 layer-7 l2 l3 l4 l7 l1 p0 p1 p2 p95 p99 p50 2fa mp3 mp4 h264 c++ f5 log4j log4j2 python2 python3 php7 php8 java8 java11 java17 http2 ipvs0 sda1 \
 4xx 5xx 3xx 2xx 1st 2nd 3rd 4th 5th 24/7 24x7 7x24 10x 2x 3x 5x 100x 1x ";

/// Kinds, states and reasons that the systems themselves define: naming one is no claim about a name.
pub(super) const DEFINED: &str = " \
 crashloopbackoff imagepullbackoff errimagepull oomkilled createcontainerconfigerror createcontainererror invalidimagename notready ready pending failedscheduling failedmount failedattachvolume unhealthy backoff evicted \
 diskpressure memorypressure pidpressure networkunavailable configmap statefulset daemonset replicaset persistentvolume persistentvolumeclaim cronjob serviceaccount networkpolicy storageclass clusterrole clusterrolebinding rolebinding \
 limitrange resourcequota horizontalpodautoscaler customresourcedefinition hugepages poddisruptionbudget ingressclass volumeattachment endpointslice \
 econnrefused econnreset etimedout enoent enospc eacces eperm eaddrinuse enomem emfile ehostunreach eio edquot erofs enotfound eai_again sigkill sigterm sigsegv sigabrt sigbus ";

/// Units that make a number a value, longest first where one begins another.
pub(super) const UNITS: &[&str] = &[
    "KiB",
    "MiB",
    "GiB",
    "TiB",
    "PiB",
    "Kib",
    "Mib",
    "Gib",
    "kB",
    "KB",
    "MB",
    "GB",
    "TB",
    "PB",
    "Ki",
    "Mi",
    "Gi",
    "Ti",
    "Pi",
    "Ei",
    "kb",
    "mb",
    "gb",
    "tb",
    "Mbps",
    "Gbps",
    "Mbit",
    "Gbit",
    "ms",
    "us",
    "µs",
    "ns",
    "min",
    "mins",
    "sec",
    "secs",
    "hrs",
    "Hz",
    "kHz",
    "MHz",
    "GHz",
    "bytes",
    "cores",
    "millicores",
    "IOPS",
    "rpm",
    "s",
    "m",
    "h",
    "d",
    "k",
    "K",
    "M",
    "G",
    "T",
    "B",
    "%",
    "°C",
    "C",
    "V",
    "W",
];

/// Nouns that announce a name: "pod web-front", "the namespace kube-system".
pub(super) const ANNOUNCING: &str = " pod pods namespace namespaces node nodes host container deployment statefulset daemonset service unit secret configmap image volume claim pvc job cronjob ingress interface device server cluster database user bucket queue topic replicaset storageclass serviceaccount role package module router network vm instance index zone pool ";

/// Parts that make a hyphenated word English.
pub(super) const ENGLISH_PARTS: &str = " a able after all an and at auto back based bound bad before by co cross cut de deep down driven due end error ever every existing fail failed fault faulty first follow for free full grained half hand hard healthy high host in inter \
 internal ip is job key kill known large last layer less level like live local log long loop looping low made max memory micro mid min mis missing multi name near new no non not of off old on one only open or out over own owned part per point post pre pull-\
 pulling re read real related retry run running safe scheduled scale self semi set short side single size slow so specific stage start state sub system term the through throttled time timed to too top two type ultra un under unhealthy up user valid version \
 wait well wide with write wrong zero ";

/// What the systems' own outputs call things: fields, phases, policies, states. In quotation marks they are terms and
/// quote nothing in particular.
pub(super) const TERMS: &str = " \
 always onfailure never ifnotpresent rollingupdate recreate retain recycle orphan foreground background guaranteed burstable besteffort running succeeded completed complete failed error terminating terminated waiting unknown active inactive bound released available lost \
 containercreating podinitializing initialized containersready podscheduled podreadytostartcontainers progressing replicafailure schedulingdisabled nodeaffinity nodelost noexecute noschedule prefernoschedule toomanypods readwriteonce readwritemany readonlymany \
 readwriteoncepod clusterip nodeport loadbalancer externalname headless filesystem block delete warning normal pulled pulling killing created scheduled started \
 restartpolicy imagepullpolicy imagepullsecrets livenessprobe readinessprobe startupprobe initialdelayseconds periodseconds timeoutseconds failurethreshold successthreshold terminationgraceperiodseconds nodeselector tolerations topologyspreadconstraints \
 resources requests limits memory cpu env envfrom valuefrom configmapkeyref secretkeyref volumemounts volumes emptydir hostpath subpath mountpath command args ports containerport targetport protocol selector matchlabels labels annotations finalizers ownerreferences \
 replicas minreplicas maxreplicas strategy maxsurge maxunavailable backofflimit activedeadlineseconds ttlsecondsafterfinished completions parallelism suspend schedule concurrencypolicy storageclassname accessmodes volumemode volumename reclaimpolicy \
 volumebindingmode waitforfirstconsumer immediate provisioner hostnetwork dnspolicy clusterfirst serviceaccountname automountserviceaccounttoken securitycontext runasuser runasnonroot fsgroup privileged allowprivilegeescalation readonlyrootfilesystem capabilities \
 spec status metadata kind apiversion conditions reason message phase hostip podip qosclass exitcode finishedat startedat laststate restartcount containerstatuses initcontainers sidecar minavailable behavior pdb hpa ingressclassname tls rules backend \
 activating deactivating reloading enabled disabled masked static exited dead mounted listening loaded not-found auto-restart start-limit-hit degraded maintenance offline online standby down up out in full nearfull backfillfull noout norebalance active+clean peering undersized inconsistent stale remapped recovering \
 readonly read-only rw ro noatime optional required unset empty missing established listen time_wait close_wait syn_sent fin_wait last_ack allocatable capacity ";

/// Whether a quoted text is only such terms, one or a few of them.
pub(super) fn is_terms(text: &str) -> bool {
    let words = text
        .split(|c: char| c.is_whitespace() || matches!(c, ':' | '/' | '.' | '[' | ']'))
        .filter(|word| !word.is_empty());
    let joined: String = text
        .chars()
        .filter(|c| !c.is_whitespace() && *c != ':')
        .collect();
    let known = |word: &str| {
        let word = format!(" {} ", word.to_ascii_lowercase());
        TERMS.contains(&word) || DEFINED.contains(&word) || FIELDS.contains(&word)
    };
    text.len() <= 60
        && (known(&joined) || words.clone().count() > 0 && words.into_iter().all(known))
}

/// Words of the fields and headings that tools print; each alone is English.
const FIELDS: &str = " last state restart count exit code image id node name namespace labels annotations conditions events type ready reason age from message host port limits requests liveness readiness startup environment mounts volumes qos class controlled by start time finished started service account ip ips previous current containers container init pod pods template replicas desired updated total ready up-to-date strategy selector access modes capacity claim volume storage backend endpoints session affinity min max average utilization target cpu memory ephemeral-storage unschedulable taints roles addresses system info allocated kernel version os used avail use% size mounted filesystem on active main pid tasks loaded drop-in since load average user system idle wait steal swap mem free shared buff cache buff/cache available ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_of_the_field_are_told_from_what_was_copied() {
        for (text, terms) in [
            ("Always", true),
            ("Restart Count", true),
            ("restartPolicy: Always", true),
            ("Last State: Terminated", true),
            ("spec.replicas", true),
            ("CrashLoopBackOff", true),
            ("not ready", true),
            ("Init: web", false),
            ("web", false),
            ("Restart Count: 14", false),
            ("", false),
            (" : ", false),
        ] {
            assert_eq!(is_terms(text), terms, "{text}");
        }
        let long = |length: usize| format!("{:>length$}", "Always");
        assert!(is_terms(&long(60)) && !is_terms(&long(61)));
    }
}
