"""What looks like a secret and is none, and a log without any."""

from formats import DIGIT, LOWER, UPPER



def pick(*forms):
    """One of the texts, by turns."""
    return lambda m, at: [forms[at % len(forms)](m)]


HARMLESS = [
    ("uuid", ".log", pick(lambda m: f"request {m.uuid()} took 12 ms", lambda m: f"trace_id={m.uuid()} span={m.hex(16)}", lambda m: f'  "uid": "{m.uuid()}",', lambda m: f"machine-id: {m.hex(32)}")),
    ("git-commit", ".log", pick(lambda m: f"commit {m.hex(40)}", lambda m: f"gitCommit: {m.hex(40)}", lambda m: f"Merge: {m.hex(7)} {m.hex(7)}", lambda m: f'"GitCommit":"{m.hex(40)}","BuildDate":"2024-01-02"')),
    ("image-digest", ".yaml", pick(lambda m: f"  imageID: docker.io/library/nginx@sha256:{m.hex(64)}", lambda m: f"  image: quay.io/shop/api@sha256:{m.hex(64)}", lambda m: f"containerID: containerd://{m.hex(64)}", lambda m: f"  cacheKey: sha256:{m.hex(64)}")),
    ("lock-file", ".lock", pick(lambda m: f'checksum = "{m.hex(64)}"', lambda m: f'      "integrity": "sha512-{m.base64(64)}",', lambda m: f"golang.org/x/net v0.17.0 h1:{m.base64(32)}", lambda m: f"    --hash=sha256:{m.hex(64)}")),
    ("certificate", ".pem", lambda m, at: ["-----BEGIN CERTIFICATE-----"] + ["MIID" + m.base64(45)[4:]] + [m.base64(48) for _ in range(10)] + ["-----END CERTIFICATE-----"]),
    ("public-key", ".pub", pick(lambda m: f"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQ{m.base64(360)} me@host", lambda m: f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{m.base64(32)[:43]} root@node1", lambda m: f"PublicKey = {m.base64(32)}", lambda m: f"    certificate-authority-data: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSU{m.base64(300)}")),
    ("placeholder", ".env", pick(lambda m: "API_KEY=<your-api-key>", lambda m: "PASSWORD=${DB_PASSWORD}", lambda m: 'token: "{{ .Values.token }}"', lambda m: "secret_key = os.environ['SECRET_KEY']", lambda m: "DB_PASSWORD=********", lambda m: "client_secret: REDACTED", lambda m: "api_key = YOUR_API_KEY_HERE", lambda m: "password: %(db_password)s", lambda m: "AWS_SECRET_ACCESS_KEY=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", lambda m: "token: $(TOKEN)", lambda m: 'password: ""', lambda m: "GITHUB_TOKEN: ${{ secrets.GITHUB_TOKEN }}")),
    ("reference", ".yaml", pick(lambda m: f"  secretName: shop-tls-{m.of(LOWER + DIGIT, 5)}", lambda m: "  passwordFile: /run/secrets/db_password", lambda m: f"  - name: default-token-{m.of(LOWER + DIGIT, 5)}", lambda m: "    secretKeyRef: {name: db, key: password}", lambda m: "  tokenExpirationSeconds: 3607", lambda m: "  token_endpoint: https://sso.example.com/oauth2/token", lambda m: "  apiKeySecretRef: monitoring/datadog-keys", lambda m: f"  keySecret: projects/p/secrets/shop-key/versions/{m.digits(2)}")),
    ("code", ".py", pick(lambda m: "password = getpass.getpass('Password: ')", lambda m: "token = request.headers.get('Authorization')", lambda m: "if password != other_password: raise ValueError", lambda m: "self.api_key = settings.api_key", lambda m: "const token = await getAccessTokenSilently();", lambda m: "secret := string(obj.Data[\"password\"])", lambda m: "public static final String PASSWORD_FIELD = \"password\";", lambda m: "PASSWORD_PATTERN = re.compile(r'^[A-Za-z0-9]{8,64}$')", lambda m: "String secretKey = config.getString(\"shop.secret.key\");", lambda m: "return hmac.compare_digest(token, expected_token)", lambda m: "private String clientSecret;", lambda m: "keyName = 'shop.payment.gateway.identifier'")),
    ("prose", ".md", pick(lambda m: "The password must have at least twelve characters.", lambda m: "Rotate the token: first revoke the old one, then create another.", lambda m: "secret management is described in the handbook", lambda m: "See `Authorization: Bearer <token>` for how to call it.", lambda m: "An API key identifies the project, not the user.", lambda m: "Set DB_PASSWORD before starting.", lambda m: "pass: the default action; fail: another one", lambda m: "If the access_key is missing the request is anonymous.")),
    ("log-words", ".log", pick(lambda m: "W0301 10:00:01 authentication.go:65] invalid bearer token, token lookup failed", lambda m: "sshd[77]: Failed password for invalid user admin from 10.0.0.9 port 53122 ssh2", lambda m: "error: password authentication failed for user \"app\"", lambda m: "Generated token for user bob (expires in 3600s)", lambda m: "token: unexpected end of input at line 3", lambda m: "I0301 secret_controller.go:120] synced secret shop/db-credentials", lambda m: "usage: prompt_tokens=512 completion_tokens=77 total_tokens=589", lambda m: "auth: password expired 2024-02-01T00:00:00Z", lambda m: "pam_unix(sudo:auth): conversation failed", lambda m: "Accepted publickey for root from 10.0.0.1 port 22 ssh2: RSA SHA256:" + m.base64(32)[:43], lambda m: "csrf token mismatch for session", lambda m: "key: kube-system/coredns-" + m.hex(10) + "-" + m.of(LOWER + DIGIT, 5))),
    ("url", ".log", pick(lambda m: "http://db.shop.svc:8443/path@v2", lambda m: "https://git.example.com/shop/api.git", lambda m: "docker://sha256:" + m.hex(64), lambda m: "postgres://app@db.shop:5432/orders", lambda m: f"https://cdn.example.com/app.{m.hex(20)}.js", lambda m: "redis://cache:6379/0", lambda m: f"s3://bucket/{m.hex(32)}/part-0001", lambda m: "https://user:***@host/path")),
    ("binary-text", ".txt", pick(lambda m: "icon: data:image/png;base64,iVBORw0KGgo" + m.base64(240), lambda m: "0000010 " + " ".join(m.hex(4) for _ in range(8)), lambda m: m.base64(57), lambda m: "etag: \"" + m.hex(32) + "\"")),
    ("minified", ".js", pick(lambda m: "!function(e,t){var n=t.token||e.secret;return n.key=function(a){return a.password}}(window,document);", lambda m: "var a={type:\"password\",name:\"pwd\"};" + "".join(f"function {m.of(LOWER, 2)}(){{return {m.digits(4)}}}" for _ in range(20)))),
    ("numbers", ".txt", pick(lambda m: "pass=1 fail=0 skip=3", lambda m: f"phone {m.digits(12)}", lambda m: f"MAC {':'.join(m.hex(2) for _ in range(6))}", lambda m: f"fe80::{m.hex(4)}:{m.hex(4)}:{m.hex(4)}:{m.hex(4)}", lambda m: f"serial {m.of(UPPER + DIGIT, 12)}", lambda m: f"resourceVersion: \"{m.digits(9)}\"", lambda m: "secretsStored: 14", lambda m: "password_min_length: 12")),
    ("resource-name", ".log", pick(lambda m: f"pod/shop-api-{m.hex(10)}-{m.of(LOWER + DIGIT, 5)} Running", lambda m: f"replicaset shop-{m.of(LOWER + DIGIT, 10)}", lambda m: "disk-0123456789abcdef0123456789abcdef attached", lambda m: f"vol-{m.hex(17)} i-{m.hex(17)} ami-{m.hex(17)}", lambda m: f"arn:aws:secretsmanager:eu-west-1:{m.digits(12)}:secret:shop/db-{m.word(6)}", lambda m: f"projects/shop-prod/serviceAccounts/robot@shop.iam.gserviceaccount.com/keys/{m.hex(40)}")),
    ("config-names", ".yaml", pick(lambda m: "  authentication: kubernetes-token-reviewer", lambda m: "  credentialsMode: passthrough", lambda m: "  hash_algorithm: argon2id", lambda m: "  key: topology.kubernetes.io/zone", lambda m: "  tokenReviews: enabled", lambda m: "  apiKeyHeader: X-Api-Key", lambda m: "  secretProviderClass: azure-kv-shop", lambda m: "  passwd: files sss systemd")),
]


def log_lines(m):
    """Lines of a node and its services: what most of a bundle is made of."""
    r = m.random
    names = [f"shop-{w}-{m.hex(9)}-{m.of(LOWER + DIGIT, 5)}" for w in ("api", "web", "db", "cart", "mail", "auth")]
    spaces = ["shop", "kube-system", "monitoring", "default"]
    while True:
        day, hour = r.randrange(1, 29), r.randrange(24)
        stamp = f"2024-03-{day:02}T{hour:02}:{r.randrange(60):02}:{r.randrange(60):02}.{r.randrange(10**6):06}Z"
        syslog = f"Mar {day:2} {hour:02}:{r.randrange(60):02}:{r.randrange(60):02} node{r.randrange(9)}"
        pod, space = r.choice(names), r.choice(spaces)
        at = r.randrange(16)
        if at == 0:
            yield f"I03{day:02} {hour:02}:11:22.{r.randrange(10**6):06}       1 reconciler.go:{r.randrange(900)}] operationExecutor.VerifyControllerAttachedVolume started for volume \"kube-api-access-{m.of(LOWER, 5)}\" (UniqueName: \"kubernetes.io/projected/{m.uuid()}\") pod \"{pod}\" (UID: \"{m.uuid()}\")\n"
        elif at == 1:
            yield f'{{"level":"info","ts":"{stamp}","caller":"traceutil/trace.go:171","msg":"trace[{r.randrange(10**9)}] range","detail":"{{range_begin:/registry/pods/{space}/{pod}; response_count:1; response_revision:{r.randrange(10**8)}; }}","duration":"{r.randrange(900)}.{r.randrange(999)}ms"}}\n'
        elif at == 2:
            yield f"{syslog} kubelet[{r.randrange(9999)}]: E03{day:02} {hour:02}:11:22.333 pod_workers.go:1294] \"Error syncing pod, skipping\" err=\"failed to \\\"StartContainer\\\" for \\\"app\\\" with CrashLoopBackOff: \\\"back-off 5m0s restarting failed container=app pod={pod}_{space}({m.uuid()})\\\"\"\n"
        elif at == 3:
            yield f'10.244.{r.randrange(9)}.{r.randrange(250)} - - [{day:02}/Mar/2024:{hour:02}:11:22 +0000] "GET /api/v1/orders/{r.randrange(10**6)}?page={r.randrange(9)} HTTP/1.1" 200 {r.randrange(9999)} "-" "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"\n'
        elif at == 4:
            yield f"{syslog} systemd[1]: run-containerd-runc-k8s.io-{m.hex(64)}-runc.mount: Deactivated successfully.\n"
        elif at == 5:
            yield f"{stamp} INFO  [http-nio-8080-exec-{r.randrange(20)}] c.e.shop.OrderService : order {r.randrange(10**7)} stored in {r.randrange(300)} ms\n"
        elif at == 6:
            yield f"{stamp} WARN  [pool-3] c.e.shop.auth.TokenFilter : token expired for session, redirecting user {r.randrange(10**5)}\n"
        elif at == 7:
            yield f"        at com.example.shop.order.OrderRepository.findByCustomer(OrderRepository.java:{r.randrange(400)})\n"
        elif at == 8:
            yield f"{syslog} kernel: [{r.randrange(10**6)}.{r.randrange(10**6):06}] cali{m.hex(11)}: link becomes ready\n"
        elif at == 9:
            yield f"- apiVersion: v1\n  kind: Pod\n  metadata:\n    name: {pod}\n    namespace: {space}\n    resourceVersion: \"{r.randrange(10**8)}\"\n    uid: {m.uuid()}\n"
        elif at == 10:
            yield f"    - mountPath: /var/run/secrets/kubernetes.io/serviceaccount\n      name: kube-api-access-{m.of(LOWER + DIGIT, 5)}\n      readOnly: true\n"
        elif at == 11:
            yield f'level=info ts={stamp} caller=compact.go:519 component=tsdb msg="write block" mint={r.randrange(10**12)} ulid=01{m.of(UPPER + DIGIT, 24)} duration={r.randrange(9)}.{r.randrange(10**6)}s\n'
        elif at == 12:
            yield f"{syslog} sshd[{r.randrange(9999)}]: Failed password for invalid user admin from 10.0.{r.randrange(9)}.{r.randrange(250)} port {r.randrange(65535)} ssh2\n"
        elif at == 13:
            yield f"{stamp} debug envoy router [C{r.randrange(999)}][S{r.randrange(10**9)}] cluster 'outbound|8080||api.shop.svc.cluster.local' match for URL '/v1/cart'\n"
        elif at == 14:
            yield f"{space}   {r.randrange(60)}m   Normal   Scheduled   pod/{pod}   Successfully assigned {space}/{pod} to node{r.randrange(9)}\n"
        else:
            yield f"{r.randrange(10**6)} {r.randrange(99999)} S    {r.randrange(9)}:{r.randrange(60):02} /usr/bin/exporter --web.listen-address=:9100 --path.rootfs=/host --collector.filesystem.mount-points-exclude=^/(dev|proc|sys)($|/)\n"
