"""What the guard's review is measured on: a line that should be remarked on, and its harmless twin, in the same file.

Each case: kind, file, lines before, the line, its twin, lines after. The people are mathematicians and physicists of
the past, with their own dates; numbers come from ranges that are given to nobody.
"""

CASES = [
    # debug-left-over
    ("debug", "shop/cart.py", ["def total(items):", "    amount = sum(i.price for i in items)"], '    print("XXX total", amount, items)', '    log.debug("cart total is %s", amount)', ["    return amount"]),
    ("debug", "web/login.ts", ["export async function login(form: Form) {", "  const answer = await post('/login', form);"], "  console.log('HERE', answer);", "  metrics.count('login', answer.status);", ["  return answer.ok;", "}"]),
    ("debug", "src/main.rs", ["fn parse(line: &str) -> Option<Record> {", "    let fields: Vec<_> = line.split(',').collect();"], "    dbg!(&fields);", "    debug_assert_eq!(fields.len(), 4);", ["    Record::from_fields(&fields)", "}"]),
    ("debug", "api/handler.go", ["func (h *Handler) Get(w http.ResponseWriter, r *http.Request) {", '\tid := r.PathValue("id")'], '\tfmt.Println("got here!!!", id)', '\th.log.Info("get", "id", id)', ["\th.serve(w, id)", "}"]),
    ("debug", "config/settings.py", ["import os", 'ALLOWED_HOSTS = ["shop.example"]'], "DEBUG = True  # TODO remove before merge", 'DEBUG = os.environ.get("DEBUG") == "1"', ["USE_TZ = True"]),
    ("debug", "src/Pay.java", ["  void pay(Order order) {", "    var result = gateway.charge(order);"], '    System.out.println("#### " + result);', '    logger.info("charged order {}", order.id());', ["    order.close(result);", "  }"]),
    ("debug", "lib/sync.rb", ["def sync(records)", "  records.each do |record|"], "    puts record.inspect; binding.irb", "    logger.info { record.id }", ["    push(record)", "  end", "end"]),
    ("debug", "web/list.js", ["function render(rows) {", "  const shown = rows.filter(visible);"], "  alert('rows: ' + shown.length);", "  table.replaceChildren(...shown.map(row));", ["}"]),
    # credentials-in-config
    ("config", "deploy/values.yaml", ["database:", "  port: 5432"], "  user: svc_orders@prod-db-03.internal.corp", "  user: ${DB_USER}", ["  pool: 10"]),
    ("config", "app/application.properties", ["server.port=8080", "spring.jpa.open-in-view=false"], "spring.datasource.url=jdbc:oracle:thin:svc_billing@10.61.4.17:1521/PRODBILL", "spring.datasource.url=jdbc:h2:mem:test", ["spring.datasource.hikari.maximum-pool-size=20"]),
    ("config", "ansible/inventory.ini", ["[db]"], "db01 ansible_host=172.19.8.21 ansible_user=root_admin_prod", "db01 ansible_host=db01.example ansible_user=deploy", ["[db:vars]"]),
    ("config", "infra/main.tf", ['resource "aws_db_instance" "main" {', '  engine = "postgres"'], '  username = "prod_master_admin"', "  username = var.db_username", ["  multi_az = true", "}"]),
    ("config", "config/mail.json", ["{", '  "port": 587,'], '  "smtp_user": "billing-robot@mail-relay-7.corp.internal",', '  "smtp_user": "user@example.com",', ['  "tls": true', "}"]),
    ("config", "config/ldap.yml", ["ldap:", "  base: dc=example,dc=org"], "  bind_dn: cn=ldapsync,ou=service,dc=directory,dc=corp", "  bind_dn: ${LDAP_BIND_DN}", ["  scope: sub"]),
    ("config", ".env.production", ["APP_PORT=8080"], "FTP_LOGIN=kassenabgleich@ftp-prod.intra.corp", "FTP_LOGIN=", ["FTP_MODE=passive"]),
    ("config", "conf/backup.toml", ["[target]", 'kind = "sftp"'], 'account = "backup_prod@192.168.77.14"', 'account = "backup@localhost"', ["keep = 14"]),
    # private-data
    ("private", "tests/fixtures/customers.csv", ["id,name,street,city,born"], "17,Carl Friedrich Gauss,Wilhelmstraße 30,38100 Braunschweig,1777-04-30", "17,Test User,Test Street 1,12345 Testtown,2000-01-01", ["18,,,,"]),
    ("private", "tests/data/patients.json", ["["], '  {"name": "Sophie Germain", "phone": "+33 6 39 98 27 53", "diagnosis": "breast cancer"},', '  {"name": "Jane Doe", "phone": "555-0100", "diagnosis": "none"},', ["  {}", "]"]),
    ("private", "db/seed.sql", ["INSERT INTO people (name, iban, born) VALUES"], "  ('Niels Bohr', 'DK50 0040 0440 1162 43', '1885-10-07');", "  ('example', 'XX00 0000 0000 0000 00', '1970-01-01');", ["COMMIT;"]),
    ("private", "fixtures/users.yaml", ["users:"], "  - {name: Grace Hopper, email: grace.hopper1906@vassar.edu.example, ssn: 987-65-4320}", "  - {name: user1, email: user1@example.com, ssn: 000-00-0000}", ["  - {name: user2}"]),
    ("private", "spec/letters.txt", ["Subject: reminder"], "Frau Lise Meitner, geb. 7.11.1878, Faradayweg 4, 14195 Berlin", "To whom it may concern", ["please pay"]),
    ("private", "tests/calls.tsv", ["caller\tminutes"], "Alan Turing +44 7700 900412\t14", "caller-1 +1 202 555 0143\t14", ["\t"]),
    ("private", "tests/orders.jsonl", ['{"order": 1}'], '{"order": 2, "ship_to": "Charles Babbage, 1 Dorset Street, London W1U 4EG", "card_last4": "8841"}', '{"order": 2, "ship_to": "Name, Street, City", "card_last4": "0000"}', ['{"order": 3}']),
    ("private", "data/staff.xml", ["<staff>"], "  <person born='1906-04-28' tel='0171 3920041'>Kurt Gödel</person>", "  <person born='1900-01-01' tel='0'>N.N.</person>", ["</staff>"]),
    # risky-command
    ("risky", "scripts/clean.sh", ["#!/bin/sh", 'BUILD_DIR="$1"'], "rm -rf $BUILD_DIR/*", 'rm -rf "${BUILD_DIR:?}/out"', ["echo done"]),
    ("risky", "scripts/rotate.sh", ["#!/bin/bash", "cd $LOG_DIR"], "find . -mtime +7 -delete", "find /var/log/shop -name '*.gz' -mtime +30 -print", ["exit 0"]),
    ("risky", "ops/reset.sh", ["#!/bin/bash", "NS=$(cat .namespace)"], "kubectl delete pvc --all -n $NS", 'kubectl get pvc -n "$NS"', ["echo ok"]),
    ("risky", "Makefile.mk", ["clean:"], "\trm -rf $(PREFIX)/$(NAME)", "\trm -f build/*.o", ["install: all"]),
    ("risky", "ci/deploy.sh", ["set -e", "DEST=/srv/$APP"], "rsync -a --delete ./ root@$HOST:$DEST/", "rsync -an ./dist/ deploy@web1:/srv/shop/", ["echo sent"]),
    ("risky", "tools/disk.sh", ["#!/bin/sh", "DEV=$1"], "dd if=image.raw of=$DEV bs=4M", "dd if=/dev/zero of=./swapfile bs=1M count=64", ["sync"]),
    ("risky", "tools/db.sh", ["#!/bin/sh", "DB=$2"], 'psql -c "DROP DATABASE $DB"', 'psql -c "SELECT count(*) FROM orders"', ["exit 0"]),
    ("risky", "tools/perm.sh", ["#!/bin/sh", "TARGET=$1"], "chmod -R 777 $TARGET /", "chmod 0755 ./bin/run", ["exit 0"]),
    # possible-secret: what the scan itself does not know
    ("secret", "src/client.py", ["import http.client"], 'SIGN_WITH = "q7Zr0bXw9LmT2vKdYp4HsGuCfJ8n"', 'ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"', ["def sign(text): ..."]),
    ("secret", "web/api.js", ["const base = '/v2';"], "const k = 'Jx82-kQwZ0_vBn5TtLr61YsDcEpFg';", "const route = '/v2/customers/orders/returns';", ["export { base };"]),
    ("secret", "lib/hook.rb", ["require 'json'"], "HOOK = 'T9aK2/B7xQ4mW8/zRk3vYp0LqN6sDfGhJ1uXcE5t'", "HOOK = 'application/vnd.github.v3+json'", ["def call; end"]),
    ("secret", "src/Push.java", ["class Push {"], '  static final String S = "AAAA8x1Vd0:APA91bG3kQzL7nRw2YtCf5HsJp9XvMe";', '  static final String S = "com.example.shop.push.PushNotificationService";', ["}"]),
    ("secret", "conf/app.ini", ["[app]"], "salted_with = 8fK2pQ7vX1mZ9cR4tB6nL3wY5hD0sJ", "build = 20240317-release-candidate-build", ["mode = fast"]),
    ("secret", "src/lib.go", ["package lib"], 'var seed = "n4X9vQ2rT7kZ1bM6cW8pL3yH5dJ0"', 'var hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"', ["// end"]),
    ("secret", "app/call.kt", ["object Call {"], '    private const val V = "sXk29-LmQ0pRz7_TtVw4YbNc8HdGfJ"', '    private const val V = "yyyy-MM-dd\'T\'HH:mm:ss.SSSXXX"', ["}"]),
    ("secret", "tools/send.pl", ["use strict;"], 'my $w = "w1Zk8QvXr5TmB2nLp9YcHd7FsGj4";', 'my $w = "the quick brown fox jumps over";', ["send($w);"]),
]
