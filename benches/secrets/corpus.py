"""Builds the labelled corpus: corpus.py DIRECTORY [MEGABYTES of the plain log]. The same bytes on every run.

Writes DIRECTORY/files/… and DIRECTORY/labels.json: for each secret its file, first and last line, group and kind.
Whatever is not labelled is no secret. A kind is labelled by what the format is, whether a scanner knows it or not.
"""

import base64
import gzip
import json
import pathlib
import random
import sys

from formats import DIGIT, DOCUMENTED, ISSUED, LATER, LOWER, UPPER, WORD, Make
from harmless import HARMLESS, log_lines

PER_KIND = 4


class Corpus:
    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.labels = []
        self.count = 0

    def file(self, group, kind, suffix, parts):
        """Writes a file of parts; a part that is a tuple is a secret, the text and nothing else on its lines."""
        self.count += 1
        name = f"{group}/{kind}-{self.count:04}{suffix}"
        path = self.root / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        line, out = 1, []
        for part in parts:
            secret = isinstance(part, tuple)
            text = part[0] if secret else part
            lines = text.split("\n")
            if secret:
                self.labels.append(
                    {"file": name, "first": line, "last": line + len(lines) - 1, "group": group, "kind": kind}
                )
            out.extend(lines)
            line += len(lines)
        path.write_text("\n".join(out) + "\n")


# ── tokens in their surroundings ────────────────────────────────────────────────────────────────────────────────────


def around(m, key, value, own, at):
    """Suffix and parts of a file that holds one token, as a person or a program would have written it."""
    lower = key.lower()
    forms = [
        (".env", ["LOG_LEVEL=info", (f"{key}={value}",), "PORT=8080"]),
        (".yaml", ["service:", "  replicas: 2", (f"  {lower}: \"{value}\"",), "  image: shop/api:1.4.2"]),
        (".json", ["{", '  "debug": false,', (f'  "{lower}": "{value}",',), '  "retries": 3', "}"]),
    ]
    if own:
        words = m.any("calling upstream with", "credential in use:", "sent", "rejected by remote:")
        forms.append((".log", ["2024-03-01T10:00:00Z INFO started", (f"2024-03-01T10:00:02Z ERROR {words} {value}",), "2024-03-01T10:00:03Z INFO stopped"]))
    else:
        name = "".join(part.title() for part in key.split("_"))
        forms.append((".py", ["import client", (f"{name[0].lower() + name[1:]} = '{value}'",), "client.start()"]))
    return forms[at % len(forms)]


# ── files that hold credentials ─────────────────────────────────────────────────────────────────────────────────────


def pem(m, kind, begin, count):
    body = base64.b64encode(begin + m.bytes(count)).decode()
    rows = [body[at : at + 64] for at in range(0, len(body), 64)]
    return f"-----BEGIN {kind}-----\n" + "\n".join(rows) + f"\n-----END {kind}-----"


def password(m):
    """A password as people and programs choose them: no dictionary word alone, no placeholder."""
    return m.any(
        m.word(m.random.randrange(10, 25)),
        m.any("Winter", "Blue", "Horse", "Tango", "River") + m.any("Storm", "Lamp", "Fox") + m.any("!", "#", "-", "_", "") + m.digits(3),
        m.of(LOWER, 5) + m.digits(4) + m.of(LOWER, 3),
        m.any("T", "K", "p") + m.of(LOWER, 3) + "@" + m.of(WORD, 5) + "%" + m.digits(2),
        m.word(8),
    )


def url_password(m):
    return m.word(m.random.randrange(9, 20))


def b64(text):
    return base64.b64encode(text.encode()).decode()


FILES = {
    "secret-yaml": lambda m: (".yaml", ["apiVersion: v1", "kind: Secret", "metadata:", "  name: db", "  namespace: shop", "type: Opaque", "data:", (f"  password: {b64(password(m))}",), (f"  conn: {b64(password(m))}",)]),
    "secret-stringdata": lambda m: (".yaml", ["apiVersion: v1", "stringData:", (f"  admin: {password(m)}",), "kind: Secret", "metadata:", "  name: app"]),
    "secret-json": lambda m: (".json", ["{", '  "apiVersion": "v1",', '  "data": {', (f'    "admin": "{b64(password(m))}"',), "  },", '  "kind": "Secret",', '  "metadata": {"name": "x"}', "}"]),
    "docker-config": lambda m: (".json", ["{", '  "auths": {', '    "registry.example.com": {', (f'      "auth": "{b64("robot:" + url_password(m))}"',), "    }", "  }", "}"]),
    "npmrc": lambda m: (".npmrc", ["registry=https://npm.example.com/", (f"//npm.example.com/:_authToken={m.uuid()}",), "always-auth=true"]),
    "npmrc-basic": lambda m: (".npmrc", ["registry=https://npm.example.com/", (f"//npm.example.com/:_password={b64(password(m))}",)]),
    "netrc": lambda m: (".netrc", ["machine git.example.com", "  login deploy", (f"  password {password(m)}",)]),
    "netrc-one-line": lambda m: (".netrc", [(f"machine git.example.com login deploy password {password(m)}",)]),
    "pgpass": lambda m: (".pgpass", [(f"db.shop.svc:5432:orders:app:{url_password(m)}",)]),
    "htpasswd-bcrypt": lambda m: (".htpasswd", [(f"admin:$2y$10${m.of(WORD + './', 53)}",)]),
    "htpasswd-apr1": lambda m: (".htpasswd", [(f"admin:$apr1${m.of(WORD, 8)}${m.of(WORD + './', 22)}",)]),
    "htpasswd-sha": lambda m: (".htpasswd", [(f"admin:{{SHA}}{m.base64(20)}",)]),
    "shadow-sha512": lambda m: (".shadow", ["daemon:*:19000:0:99999:7:::", (f"root:$6${m.of(WORD, 16)}${m.of(WORD + './', 86)}:19000:0:99999:7:::",), "sshd:!:19000::::::"]),
    "shadow-yescrypt": lambda m: (".shadow", ["bin:*:19000:0:99999:7:::", (f"ops:$y$j9T${m.of(WORD + './', 22)}${m.of(WORD + './', 43)}:19000:0:99999:7:::",)]),
    "kubeconfig-key": lambda m: (".yaml", ["apiVersion: v1", "kind: Config", "users:", "- name: admin", "  user:", (f"    client-key-data: {b64(pem(m, 'RSA PRIVATE KEY', bytes.fromhex('308204a30201000282010100'), 600))}",)]),
    "kubeconfig-token": lambda m: (".yaml", ["apiVersion: v1", "kind: Config", "users:", "- name: admin", "  user:", (f"    token: {m.jwt()}",)]),
    "kubeconfig-password": lambda m: (".yaml", ["kind: Config", "users:", "- name: old", "  user:", "    username: admin", (f"    password: {password(m)}",)]),
    "pem-rsa": lambda m: (".key", [(pem(m, "RSA PRIVATE KEY", bytes.fromhex("308204a30201000282010100"), 1180),)]),
    "pem-pkcs8": lambda m: (".pem", [(pem(m, "PRIVATE KEY", bytes.fromhex("308204bd020100300d06092a864886f70d010101"), 1190),)]),
    "pem-ec": lambda m: (".pem", [(pem(m, "EC PRIVATE KEY", bytes.fromhex("30770201010420"), 114),)]),
    "pem-openssh": lambda m: ("", [(pem(m, "OPENSSH PRIVATE KEY", b"openssh-key-v1\0\0\0\0\4none", 350),)]),
    "pem-pgp": lambda m: (".asc", [(pem(m, "PGP PRIVATE KEY BLOCK", b"\x95\x03\xbe", 600).replace("-----\n", "-----\n\n", 1),)]),
    "pem-in-json": lambda m: (".json", ["{", '  "type": "service_account",', (f'  "private_key": "{pem(m, "PRIVATE KEY", bytes.fromhex("308204bd020100300d06092a864886f70d010101"), 1190).replace(chr(10), chr(92) + "n")}",',), '  "client_email": "robot@project.iam.gserviceaccount.com"', "}"]),
    "putty-key": lambda m: (".ppk", ["PuTTY-User-Key-File-3: ssh-ed25519", "Encryption: none", "Comment: me", "Public-Lines: 2", m.base64(48), m.base64(3), (f"Private-Lines: 1\n{m.base64(36)}",), f"Private-MAC: {m.hex(64)}"]),
    "jks-properties": lambda m: (".properties", ["server.ssl.enabled=true", (f"server.ssl.key-store-password={password(m)}",), "server.ssl.key-alias=tomcat"]),
    "jdbc": lambda m: (".properties", [(f"spring.datasource.url=jdbc:mysql://db:3306/shop?user=app&password={url_password(m)}&useSSL=true",), "spring.jpa.show-sql=false"]),
    "jdbc-oracle": lambda m: (".properties", [(f"url=jdbc:oracle:thin:scott/{url_password(m)}@//db.example.com:1521/ORCL",), "pool=5"]),
    "url-postgres": lambda m: (".env", [(f"DATABASE_URL=postgres://app:{url_password(m)}@db.shop:5432/orders?sslmode=require",), "POOL=5"]),
    "url-mongodb": lambda m: (".yaml", ["mongo:", (f"  uri: mongodb+srv://root:{url_password(m)}@cluster0.example.net/admin",)]),
    "url-redis": lambda m: (".log", ["starting worker", (f"connecting to redis://:{url_password(m)}@cache:6379/0",)]),
    "url-amqp": lambda m: (".log", [(f"broker amqp://shop:{url_password(m)}@mq.example.com:5672// lost, retrying",)]),
    "url-https": lambda m: (".sh", [(f"git clone https://deploy:{url_password(m)}@git.example.com/shop/api.git",)]),
    "ado-net": lambda m: (".config", ["<connectionStrings>", (f'  <add name="Main" connectionString="Server=tcp:sql,1433;Database=shop;User ID=sa;Password={url_password(m)};Encrypt=True" />',), "</connectionStrings>"]),
    "go-mysql-dsn": lambda m: (".toml", [(f'dsn = "app:{url_password(m)}@tcp(mysql.shop:3306)/orders?parseTime=true"',)]),
    "libpq": lambda m: (".conf", [(f"primary_conninfo = 'host=10.1.2.3 port=5432 user=repl password={url_password(m)} sslmode=prefer'",), "hot_standby = on"]),
    "bearer-curl": lambda m: (".sh", [(f"curl -sS -H 'Authorization: Bearer {m.url(44)}' https://api.example.com/v1/me",)]),
    "basic-curl": lambda m: (".log", [(f"> Authorization: Basic {b64('admin:' + url_password(m))}",), "> Accept: */*"]),
    "curl-user": lambda m: (".sh", [(f"curl -u admin:{url_password(m)} https://es.example.com:9200/_cat/nodes",)]),
    "api-header": lambda m: (".log", [(f"X-Api-Key: {m.word(32)}",), "X-Request-Id: 7"]),
    "vault-header": lambda m: (".log", [(f"> X-Vault-Token: {m.url(26)}",), "> Host: vault:8200"]),
    "cookie": lambda m: (".log", [(f"Set-Cookie: JSESSIONID={m.of('0123456789ABCDEF', 32)}; Path=/; Secure; HttpOnly",)]),
    "mysql-argument": lambda m: (".sh", [(f"mysqldump -h db -u root -p{url_password(m)} shop > /backup/shop.sql",)]),
    "long-argument": lambda m: (".log", [(f"root 4711 1 /usr/bin/exporter --web.port=9100 --db-password={url_password(m)} --verbose",)]),
    "sshpass": lambda m: (".sh", [(f"sshpass -p '{url_password(m)}' ssh root@10.0.0.5 uptime",)]),
    "redis-cli": lambda m: (".sh", [(f"redis-cli -h cache -a {url_password(m)} INFO replication",)]),
    "redis-conf": lambda m: (".conf", ["port 6379", (f"requirepass {url_password(m)}",), "appendonly yes"]),
    "ldapsearch": lambda m: (".sh", [(f"ldapsearch -x -D cn=admin,dc=example,dc=org -w {url_password(m)} -b dc=example,dc=org",)]),
    "kubectl-literal": lambda m: (".sh", [(f"kubectl create secret generic db --from-literal=password={url_password(m)} -n shop",)]),
    "sql-create-user": lambda m: (".sql", [(f"CREATE USER 'app'@'%' IDENTIFIED BY '{url_password(m)}';",), "GRANT SELECT ON shop.* TO 'app'@'%';"]),
    "sql-alter-role": lambda m: (".sql", [(f"ALTER ROLE app WITH LOGIN PASSWORD '{url_password(m)}';",)]),
    "env-list": lambda m: (".yaml", ["env:", "- name: LOG_LEVEL", "  value: debug", "- name: POSTGRES_PASSWORD", (f"  value: {password(m)}",), "- name: PORT", '  value: "8080"']),
    "env-list-json": lambda m: (".json", ["[", '  {"name": "PORT", "value": "8080"},', (f'  {{"name": "SMTP_PASSWORD", "value": "{url_password(m)}"}},',), '  {"name": "MODE", "value": "live"}', "]"]),
    "docker-inspect": lambda m: (".json", ['"Env": [', '  "PATH=/usr/bin",', (f'  "MYSQL_ROOT_PASSWORD={url_password(m)}",',), '  "LANG=C"', "]"]),
    "xml-element": lambda m: (".xml", ["<server>", "  <username>deploy</username>", (f"  <password>{url_password(m)}</password>",), "</server>"]),
    "xml-attribute": lambda m: (".xml", [(f'<Resource name="jdbc/shop" username="app" password="{url_password(m)}" maxTotal="20"/>',)]),
    "xml-property": lambda m: (".xml", ["<property>", "  <name>javax.jdo.option.ConnectionPassword</name>", (f"  <value>{url_password(m)}</value>",), "</property>"]),
    "wpa-psk": lambda m: (".conf", ["network={", '  ssid="office"', (f'  psk="{url_password(m)}"',), "}"]),
    "snmp-community": lambda m: (".conf", [(f"createUser monitor SHA {url_password(m)} AES {url_password(m)}",), "rouser monitor"]),
    "cisco-secret": lambda m: (".cfg", ["hostname core-1", (f"enable secret 5 $1${m.of(WORD, 4)}${m.of(WORD + './', 22)}",)]),
    "tomcat-users": lambda m: (".xml", [(f'<user username="admin" password="{url_password(m)}" roles="manager-gui"/>',)]),
    "mongo-shell": lambda m: (".sh", [(f"mongosh --host db --username root --password {url_password(m)} --eval 'rs.status()'",)]),
    "kubeadm-join": lambda m: (".sh", [(f"kubeadm join 10.0.0.1:6443 --token {m.of(LOWER + DIGIT, 6)}.{m.of(LOWER + DIGIT, 16)} --discovery-token-ca-cert-hash sha256:{m.hex(64)}",)]),
    "ceph-keyring": lambda m: (".keyring", ["[client.admin]", (f"\tkey = AQ{m.base64(28)[:36]}==",), '\tcaps mon = "allow *"']),
    "erlang-cookie": lambda m: (".conf", ["node.name = rabbit@a", (f"erlang_cookie = {m.of(UPPER, 20)}",)]),
    "rabbit-definitions": lambda m: (".json", ['{"users": [', (f'  {{"name": "shop", "password_hash": "{m.base64(36)}", "hashing_algorithm": "rabbit_password_hashing_sha256", "tags": "administrator"}}',), "]}"]),
    "wireguard": lambda m: (".conf", ["[Interface]", "Address = 10.9.0.1/24", (f"PrivateKey = {m.base64(32)}",), "[Peer]", f"PublicKey = {m.base64(32)}"]),
    "ipsec-secrets": lambda m: (".secrets", [(f"10.0.0.1 10.0.0.2 : PSK \"{url_password(m)}\"",)]),
    "chap-secrets": lambda m: (".conf", ["node.session.auth.authmethod = CHAP", "node.session.auth.username = iscsi", (f"node.session.auth.password = {url_password(m)}",)]),
    "grub-pbkdf2": lambda m: (".cfg", [(f"password_pbkdf2 root grub.pbkdf2.sha512.10000.{m.of('0123456789ABCDEF', 128)}.{m.of('0123456789ABCDEF', 128)}",)]),
    "scram": lambda m: (".log", [(f"SCRAM-SHA-256$4096:{m.base64(16)}${m.base64(32)}:{m.base64(32)}",)]),
    "krb-keytab-line": lambda m: (".sh", [(f"echo '{url_password(m)}' | kinit admin@EXAMPLE.COM",)]),
    "ansible-vars": lambda m: (".ini", ["[db]", (f"db1 ansible_host=10.0.0.7 ansible_user=ops ansible_ssh_pass={url_password(m)}",)]),
    "terraform-vars": lambda m: (".tfvars", ['region = "eu-west-1"', (f'db_password = "{password(m)}"',)]),
    "gradle": lambda m: (".properties", ["org.gradle.jvmargs=-Xmx2g", (f"nexusPassword={password(m)}",)]),
    "elastic-keystore": lambda m: (".log", ["Changed password for user kibana_system", (f"PASSWORD elastic = {m.word(20)}",)]),
    "php-config": lambda m: (".php", ["<?php", (f"define('DB_PASSWORD', '{url_password(m)}');",), "define('DB_HOST', 'db');"]),
    "jenkins-xml": lambda m: (".xml", ["<hudson>", (f"  <apiToken>{m.hex(34)}</apiToken>",), "</hudson>"]),
}

# ── values told by their key ────────────────────────────────────────────────────────────────────────────────────────

KEYS = ["password", "db_password", "DB_PASS", "smtpPassword", "client_secret", "secretKey", "api_key", "apiKey", "access_token", "auth_token", "encryption_key", "passphrase", "admin_pwd", "webhook_secret", "signing_key", "MYSQL_ROOT_PASSWORD", "jwt_secret", "cookie_secret", "SECRET_KEY_BASE", "credentials"]
RANDOM_KEYS = {"client_secret", "secretKey", "api_key", "apiKey", "access_token", "auth_token", "encryption_key", "signing_key", "jwt_secret", "webhook_secret", "cookie_secret", "SECRET_KEY_BASE", "credentials"}

ASSIGNED = {
    "env": (".env", lambda k, v: f"{k}={v}"),
    "env-quoted": (".env", lambda k, v: f"export {k}='{v}'"),
    "yaml": (".yml", lambda k, v: f"    {k}: {v}"),
    "yaml-quoted": (".yml", lambda k, v: f"  {k}: \"{v}\""),
    "json": (".json", lambda k, v: f'  "{k}": "{v}",'),
    "json-in-log": (".log", lambda k, v: f'2024-03-01 10:00:01 DEBUG request body {{"user":"bob","{k}":"{v}","id":7}}'),
    "json-escaped": (".log", lambda k, v: f'msg="config loaded: {{\\"{k}\\":\\"{v}\\"}}"'),
    "ini": (".ini", lambda k, v: f"{k} = {v}"),
    "properties": (".properties", lambda k, v: f"app.{k}={v}"),
    "log-equals": (".log", lambda k, v: f"Mar  1 10:00:01 node1 app[77]: options user=bob {k}={v} host=db"),
    "python": (".py", lambda k, v: f"{k} = \"{v}\""),
    "go": (".go", lambda k, v: f"\t{k} := \"{v}\""),
    "java": (".java", lambda k, v: f'    private static final String {k} = "{v}";'),
    "javascript": (".js", lambda k, v: f"const {k} = '{v}';"),
    "ruby-hash": (".rb", lambda k, v: f"  :{k} => '{v}',"),
    "php-array": (".php", lambda k, v: f"  '{k}' => '{v}',"),
    "call": (".java", lambda k, v: f'config.setProperty("{k}", "{v}");'),
    "toml": (".toml", lambda k, v: f'{k} = "{v}"'),
    "xml-tag": (".xml", lambda k, v: f"  <{k}>{v}</{k}>"),
    "query": (".log", lambda k, v: f"GET /login?user=bob&{k}={v}&next=%2F HTTP/1.1"),
}


def wrapped(m):
    """Secrets inside base64 and gzip."""
    inner = [
        lambda: f"db_password: {url_password(m)}\nmode: live\n",
        lambda: json.dumps({"user": "bob", "api_key": m.word(32)}),
        lambda: "export GITHUB_TOKEN=" + m.crc62("ghp_", 30) + "\n",
        lambda: f"postgres://app:{url_password(m)}@db.shop:5432/orders",
    ]
    for number, make in enumerate(inner):
        for depth, pack in (
            ("once", lambda text: b64(text)),
            ("twice", lambda text: b64(b64(text))),
            ("gzip", lambda text: base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()),
        ):
            text = pack(make())
            yield f"{depth}", (".yaml", ["kind: ConfigMap", "data:", (f"  blob: {text}",)])
            yield f"{depth}", (".log", ["10:00 INFO ready", (f"10:01 DEBUG payload {pack(make())} accepted",)])


def build(root, megabytes):
    m = Make(random.Random(20240301))
    corpus = Corpus(root)
    for group, formats in (("issued", ISSUED), ("documented", DOCUMENTED), ("later", LATER)):
        for kind, key, own, make in formats:
            for at in range(PER_KIND):
                corpus.file(group, kind, *around(m, key, make(m), own, at))
    for kind, make in FILES.items():
        for _ in range(PER_KIND):
            corpus.file("file", kind, *make(m))
    for kind, (suffix, write) in ASSIGNED.items():
        for key in KEYS:
            value = m.word(m.any(20, 24, 32, 40)) if key in RANDOM_KEYS else url_password(m)
            corpus.file("assigned", kind, suffix, ["# settings", (write(key, value),), ""])
    for kind, made in wrapped(m):
        corpus.file("wrapped", kind, *made)
    for kind, suffix, make in HARMLESS:
        for at in range(3 * PER_KIND):
            corpus.file("harmless", kind, suffix, make(m, at))
    (corpus.root / "labels.json").write_text(json.dumps(corpus.labels, indent=0))
    log = corpus.root / "log" / "plain.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    left = megabytes * 1_000_000
    with log.open("w") as out:
        for line in log_lines(m):
            out.write(line)
            left -= len(line)
            if left <= 0:
                break
    print(f"{corpus.count} files, {len(corpus.labels)} secrets, {megabytes} MB of log")


if __name__ == "__main__":
    build(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 20)
