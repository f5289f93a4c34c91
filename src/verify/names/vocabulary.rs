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
