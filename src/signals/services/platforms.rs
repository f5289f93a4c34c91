//! What runs containers on a host: K3s and RKE2, MicroK8s, kubelet, containerd, Docker, LXD, as their own logs say.

use super::rule::{RULE, Rule};

/// A host's shared logs, where these programs write.
const SHARED: &[&str] = &[
    "k3s", "rke2", "microk8s", "kubelet", "kubelite", "dqlite", "syslog", "messages", "journal",
];
const DOCKER: &[&str] = &["docker", "compose", "syslog", "messages", "journal", "moby"];
const LXD: &[&str] = &["lxd", "lxc", "incus"];

/// The rules of this family.
pub const RULES: &[Rule] = &[
    // A K10 token carries the hash of the cluster's CA: a rebuilt server has another one.
    Rule {
        id: "k3s.token",
        cause: "cluster-join-refused",
        scope: SHARED,
        needs: &[
            "token CA hash",
            "token is not valid",
            "bootstrap data already found",
            "Node password rejected",
            "not authorized",
            "failed to validate token",
        ],
        pattern: r"(?P<what>token CA hash does not match[^\r\n]{0,60}|token is not valid[^\r\n]{0,80}|bootstrap data already found and encrypted with different token|Node password rejected, duplicate hostname[^\r\n]{0,60}|failed to validate token: [^\r\n]{0,100})",
        unless: r"\bDEBUG\b|level=debug",
        at_least: 2,
        strength: 0.88,
        kind: "Node",
        title: "{daemon} cannot join its cluster: {what}",
        statement: "{daemon} is refused when it joins its cluster{span}: {what}. The join token, the node's password or the certificate authority in it belongs to another cluster or to one that was rebuilt.",
        yes: &[
            "k3s[31]: time=\"2024-01-01T10:00:00Z\" level=error msg=\"token CA hash does not match the Cluster CA certificate hash: a != b\"",
            "rke2[31]: level=fatal msg=\"starting kubernetes: preparing server: bootstrap data already found and encrypted with different token\"",
            "k3s[31]: level=info msg=\"Waiting to retrieve agent configuration; server is not ready: Node password rejected, duplicate hostname or contents of '/etc/rancher/node/password' may not match server node-passwd entry\"",
        ],
        no: &[
            "k3s[31]: level=info msg=\"Server node token is available at /var/lib/rancher/k3s/server/token\"",
        ],
        ..RULE
    },
    // dqlite keeps its log in segments; one that was not written to its end stops raft at every start.
    Rule {
        id: "dqlite.damaged",
        cause: "dqlite-damaged",
        scope: &[
            "dqlite", "microk8s", "lxd", "incus", "k8s", "kine", "syslog", "messages", "journal",
        ],
        needs: &[
            "load closed segment",
            "load open segment",
            "closed segment",
            "raft_start",
            "snapshot is corrupt",
            "preamble",
        ],
        pattern: r"(?P<what>(?:raft_start\(\): )?io: load (?:closed|open) segment [^\r\n]{0,160}|raft_start\(\): [^\r\n]{4,120}|closed segment \S+ (?:is past|has)[^\r\n]{0,80})",
        near: r"level=fatal|Failed to (?:create|start)",
        strength: 0.93,
        kind: "Database",
        title: "dqlite of {daemon} cannot load its data: {what}",
        statement: "The dqlite database of {daemon} does not start{span}: {what}. A segment or snapshot of its raft log is damaged (power cut, full disk); what stores its state in it cannot start either.",
        yes: &[
            "x.daemon-k8s-dqlite[99]: level=fatal msg=\"Failed to create server\" error=\"failed to create dqlite app: failed to start node: raft_start(): io: load closed segment 0000000000000012-0000000000000013: entries batch 52 starting at byte 12: entries count in preamble is zero\"",
        ],
        no: &["level=info msg=\"Starting dqlite\""],
        ..RULE
    },
    // Docker's default pools hold about thirty networks.
    Rule {
        id: "docker.address-pools",
        cause: "docker-address-pools-exhausted",
        scope: &[],
        needs: &[
            "non-overlapping IPv4 address pool",
            "predefined address pools",
            "Pool overlaps with other one",
        ],
        pattern: r"(?P<what>could not find an available, non-overlapping IPv4 address pool[^\r\n\x22]{0,80}|all predefined address pools have been fully subnetted|Pool overlaps with other one on this address space)",
        strength: 0.92,
        kind: "Docker",
        subject: "docker",
        title: "Docker cannot create a network: {what}",
        statement: "Docker has no free IPv4 address pool (subnet) for another network ({what}){span}: its default address pools are used up by existing networks, many of them perhaps unused, or a wanted subnet overlaps.",
        yes: &[
            "Error response from daemon: could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network",
            "dockerd[12]: Handler for POST /v1.43/networks/create returned error: all predefined address pools have been fully subnetted",
        ],
        no: &[
            "dockerd[12]: level=info msg=\"Default bridge (docker0) is assigned with an IP address 172.17.0.0/16\"",
        ],
        ..RULE
    },
    Rule {
        id: "docker.api-version",
        cause: "version-mismatch",
        scope: &[],
        needs: &[
            "is too new. Maximum supported API version",
            "is too old. Minimum supported API version",
        ],
        pattern: r"(?P<what>client version [\d.]+ is too (?:new|old)\. (?:Maximum|Minimum) supported API version is [\d.]+)",
        strength: 0.84,
        kind: "Service",
        title: "{daemon}: Docker refuses its client: {what}",
        statement: "Client and Docker daemon speak different versions of the API ({what}); one of them was upgraded without the other.",
        yes: &[
            "Error response from daemon: client version 1.22 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version",
        ],
        no: &["docker: API listen on /run/docker.sock"],
        ..RULE
    },
    Rule {
        id: "docker.daemon-refuses",
        cause: "container-runtime-config",
        scope: DOCKER,
        needs: &[
            "unable to configure the Docker daemon",
            "failed to start daemon",
            "Failed to connect to containerd",
            "invalid character",
            "specified both as a flag and in the configuration file",
            "conflicting options",
        ],
        pattern: r"(?P<what>unable to configure the Docker daemon with file [^\r\n]{0,200}|(?:failed to start daemon: )(?:Error initializing network controller|error while opening volume store metadata database|Devices cgroup isn't mounted|pid file found)[^\r\n]{0,140}|the following directives are specified both as a flag and in the configuration file: [^\r\n]{0,120})",
        strength: 0.9,
        kind: "Container runtime",
        subject: "docker",
        title: "Docker does not start: {what}",
        statement: "The Docker daemon does not start{span}: {what}. Every container of the host is down until its configuration or environment is mended.",
        yes: &[
            "dockerd[12]: unable to configure the Docker daemon with file /etc/docker/daemon.json: invalid character '}' looking for beginning of object key string",
            "dockerd[12]: unable to configure the Docker daemon with file /etc/docker/daemon.json: the following directives are specified both as a flag and in the configuration file: hosts: (from flag: [fd://], from file: [tcp://0.0.0.0:2375])",
            "dockerd[12]: failed to start daemon: Error initializing network controller: error obtaining controller instance: failed to register \"bridge\" driver",
        ],
        no: &["dockerd[12]: level=info msg=\"Daemon has completed initialization\""],
        ..RULE
    },
    // A member of an LXD cluster opens its database only when all members speak its schema.
    Rule {
        id: "lxd.members-behind",
        cause: "lxd-members-differ",
        scope: &[
            "lxd",
            "lxc",
            "incus",
            "microcloud",
            "syslog",
            "messages",
            "journal",
        ],
        needs: &[
            "cluster members to upgrade",
            "this node's version is behind",
            "this server's version is behind",
            "schema version",
            "API extensions",
        ],
        pattern: r"(?P<what>Wait for other cluster (?:members|nodes) to upgrade their versions[^\r\n\x22]{0,60}|(?:[Tt]his (?:node|server|member)'s version is behind)[^\r\n\x22]{0,80}|(?:schema version|API extensions?)[^\r\n]{0,40}(?:behind|not supported|does not match|mismatch)[^\r\n\x22]{0,60})",
        strength: 0.9,
        kind: "LXD member",
        subject: "lxd",
        title: "LXD waits: members of its cluster run different versions: {what}",
        statement: "LXD on this member does not open its cluster database because members run different versions{span} ({what}): one was refreshed or upgraded and the others were not; its API stays down until all run the same version.",
        yes: &[
            "lxd.daemon[212]: time=\"2024-05-02T11:02:49Z\" level=warning msg=\"Wait for other cluster members to upgrade their versions, cluster not started yet\"",
            "lvl=eror msg=\"Failed to start the daemon: this node's version is behind, please upgrade\"",
        ],
        no: &["level=info msg=\"Initializing global database\""],
        ..RULE
    },
    Rule {
        id: "lxd.storage",
        cause: "lxd-storage-unavailable",
        scope: LXD,
        needs: &["storage pool", "Storage pool", "zpool", "loop device"],
        pattern: r"(?P<what>Failed (?:to mount|mounting|loading|initializing) storage pool \S+[^\r\n]{0,160}|(?:Storage|storage) pool \S+ (?:unavailable|is not available|not ready)[^\r\n]{0,100}|cannot import '\S+': [^\r\n]{0,100})",
        strength: 0.86,
        kind: "Storage pool",
        title: "LXD storage pool cannot be used: {what}",
        statement: "LXD cannot use a storage pool ({what}), so the containers and virtual machines on it do not start.",
        yes: &[
            "level=error msg=\"Failed mounting storage pool \\\"default\\\"\" err=\"Failed to run: zpool import default: cannot import 'default': no such pool available\"",
        ],
        no: &["level=info msg=\"Initializing storage pool default\""],
        ..RULE
    },
    // Settings of the kubelet that contradict the host.
    Rule {
        id: "kubelet.refuses",
        cause: "kubelet-cannot-start",
        scope: SHARED,
        needs: &[
            "failed to run Kubelet",
            "running with swap on",
            "cgroup driver",
            "misconfiguration",
            "failed to load Kubelet config file",
            "bootstrap-kubelet.conf",
            "unknown flag",
            "part of the existing bootstrap client certificate",
        ],
        pattern: r"(?P<what>running with swap on is not supported[^\r\n]{0,60}|misconfiguration: kubelet cgroup driver[^\r\n]{0,100}|failed to load Kubelet config file [^\r\n]{0,140}|part of the existing bootstrap client certificate in \S+ is expired[^\r\n]{0,60}|unable to load bootstrap kubeconfig: [^\r\n]{0,100}|failed to run Kubelet: [^\r\n]{4,180})",
        unless: r"level=debug",
        strength: 0.9,
        kind: "Service",
        subject: "kubelet",
        title: "kubelet does not start: {what}",
        statement: "The kubelet ends at its start{span}: {what}. The node stays NotReady until this is mended.",
        yes: &[
            "kubelet[99]: E0101 10:00:00.1 99 run.go:74] \"command failed\" err=\"failed to run Kubelet: running with swap on is not supported, please disable swap! or set --fail-swap-on flag to false\"",
            "kubelet[99]: failed to run Kubelet: misconfiguration: kubelet cgroup driver: \"systemd\" is different from docker cgroup driver: \"cgroupfs\"",
            "kubelet[99]: part of the existing bootstrap client certificate in /etc/kubernetes/kubelet.conf is expired: 2024-01-01 00:00:00 +0000 UTC",
        ],
        no: &[
            "kubelet[99]: I0101 10:00:00.1 99 server.go:412] \"Kubelet version\" kubeletVersion=\"v1.30.4\"",
        ],
        ..RULE
    },
    Rule {
        id: "containerd.refuses",
        cause: "container-runtime-config",
        scope: &[
            "containerd",
            "crio",
            "cri-o",
            "k3s",
            "rke2",
            "kubelet",
            "syslog",
            "messages",
            "journal",
        ],
        needs: &[
            "failed to load plugin",
            "unknown service runtime.v1",
            "containerd: ",
            "failed to load TOML",
            "failed to load container runtime",
            "fuse-overlayfs",
            "snapshotter",
        ],
        pattern: r"(?P<what>unknown service runtime\.v1(?:alpha2)?\.RuntimeService|containerd: failed to load TOML[^\r\n]{0,140}|failed to load TOML: [^\r\n]{0,140}|overlayfs[\\\x22]* snapshotter cannot be enabled for [^\r\n]{0,140})",
        strength: 0.86,
        kind: "Container runtime",
        title: "The container runtime cannot serve: {what}",
        statement: "The container runtime does not offer what is asked of it{span}: {what}. Its configuration disables the plugin, is broken, or its file system cannot hold images.",
        yes: &[
            "kubelet[9]: validate service connection: validate CRI v1 runtime API for endpoint \"unix:///run/containerd/containerd.sock\": rpc error: code = Unimplemented desc = unknown service runtime.v1.RuntimeService",
            "containerd[9]: containerd: failed to load TOML: /etc/containerd/config.toml: (3, 1): unexpected token",
            "k3s[9]: level=fatal msg=\"\\\"overlayfs\\\" snapshotter cannot be enabled for \\\"/var/lib/rancher/k3s/agent/containerd\\\", try using \\\"fuse-overlayfs\\\" or \\\"native\\\"\"",
        ],
        no: &[
            "containerd[9]: level=info msg=\"loading plugin \\\"io.containerd.snapshotter.v1.overlayfs\\\"...\"",
        ],
        ..RULE
    },
    Rule {
        id: "kubernetes.certificates-expired",
        cause: "certificate-invalid",
        scope: SHARED,
        needs: &[
            "certificate has expired",
            "certificate expired",
            "Unable to authenticate the request",
            "certificates expired",
        ],
        pattern: r"(?:kubelet|kube-apiserver|kubelite|k3s|rke2|kube-\S+)\[\d+\]:[^\r\n]{0,200}?(?P<what>x509: certificate has expired or is not yet valid(?:: current time \S+ is after \S+)?|client certificates? (?:has|have) expired[^\r\n]{0,60})",
        at_least: 2,
        strength: 0.88,
        kind: "Service",
        title: "{daemon}: a certificate of the cluster has expired: {what}",
        statement: "{daemon} cannot talk to its cluster because a certificate has expired{span} ({what}); certificates of the control plane last a year and are renewed at an upgrade or by hand.",
        yes: &[
            "kubelet[99]: E0101 10:00:00.1 99 kubelet_node_status.go:92] \"Unable to register node with API server\" err=\"Post \\\"https://10.0.0.1:6443/api/v1/nodes\\\": x509: certificate has expired or is not yet valid: current time 2024-02-01T10:00:00Z is after 2024-01-01T00:00:00Z\"",
        ],
        no: &[
            "kubelet[99]: I0101 10:00:00.1 99 certificate_manager.go:270] Certificate rotation is enabled",
        ],
        ..RULE
    },
];
