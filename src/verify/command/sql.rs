//! SQL and the languages of other databases, judged statement by statement.

use super::flags::{Style, list, parse};
use super::words::{Arg, HOLE};
use super::{Judge, Stdin};
use crate::report::CommandClass;
use regex::Regex;
use std::sync::LazyLock;

macro_rules! pattern {
    ($name:ident, $text:expr) => {
        static $name: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new($text).unwrap_or_else(|why| panic!("{}: {why}", stringify!($name)))
        });
    };
}

pattern!(
    STOPS,
    r"(?i)\b(?:pg_terminate_backend|pg_cancel_backend|pg_drop_replication_slot|lo_unlink|pg_stat_reset\w*|dblink_exec|xp_cmdshell|sys_exec|sys_eval|pg_promote|pg_replication_slot_advance|to\s+program|from\s+program|utl_file|dbms_scheduler)\b"
);
pattern!(
    CHANGES,
    r"(?i)\b(?:into\s+outfile|into\s+dumpfile|pg_reload_conf|pg_switch_wal|pg_switch_xlog|pg_rotate_logfile|pg_wal_replay_pause|pg_wal_replay_resume|pg_log_backend_memory_contexts|pg_export_snapshot|pg_logical_emit_message|txid_current|pg_current_xact_id|setval|nextval|pg_advisory_lock|pg_create_\w+|lo_import|lo_export|set_config|pg_start_backup|pg_backup_start|for\s+update|get_lock)\b"
);
pattern!(
    INTO_TABLE,
    r"(?is)^\s*(?:with\b.*)?select\b[^;]*\binto\s+(?:table\s+|temp\s+|temporary\s+|unlogged\s+)?[a-z_#\x22]"
);
pattern!(
    WRITES_IN_WITH,
    r"(?i)\b(?:insert\s+into|update\s+\w|delete\s+from|merge\s+into|drop\s+\w|truncate\s+\w|alter\s+\w)"
);
pattern!(
    BLOCK,
    r"(?i)^\s*(?:do\s+\$|begin\b|declare\b|exec(?:ute)?\b)"
);
pattern!(
    DELETES_IN,
    r"(?i)\b(?:delete\s+from|drop\s+\w|truncate\s+\w)"
);

/// The class of SQL text.
pub(super) fn sql_class(text: &str) -> (CommandClass, String) {
    let plain = without_text_and_comments(text);
    if BLOCK.is_match(text) && DELETES_IN.is_match(text) {
        return (
            CommandClass::Destructive,
            "a block of it deletes or drops".into(),
        );
    }
    let mut worst = (CommandClass::ReadOnly, String::new());
    let mut any = false;
    for statement in plain.split(';') {
        let statement = statement.trim();
        if statement.is_empty() {
            continue;
        }
        any = true;
        let judged = statement_class(statement);
        if judged.0 > worst.0 {
            worst = judged;
        }
    }
    if !any {
        return (CommandClass::Unknown, "there is no statement".into());
    }
    worst
}

fn statement_class(statement: &str) -> (CommandClass, String) {
    let words: Vec<String> = statement
        .split(|c: char| {
            !(c.is_alphanumeric()
                || c == '_'
                || c == '\\'
                || c == HOLE
                || c == '!'
                || c == '.'
                || c == '?')
        })
        .filter(|word| !word.is_empty())
        .take(12)
        .map(str::to_ascii_lowercase)
        .collect();
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    let says = |class, what: &str| {
        (
            class,
            format!("the statement {} {what}", word(0).to_ascii_uppercase()),
        )
    };
    use CommandClass::{ChangesState, Destructive, ReadOnly, Unknown};
    let first = word(0);
    if STOPS.is_match(statement) {
        return (
            Destructive,
            "the statement stops sessions or runs programs".into(),
        );
    }
    if first.starts_with('\\') {
        return meta_command(statement, first);
    }
    match first {
        "explain" | "desc" | "describe"
            if words
                .iter()
                .take(8)
                .any(|word| word == "analyze" || word == "analyse") =>
        {
            let rest: String = statement
                .split_whitespace()
                .skip_while(|word| !is_statement_word(word))
                .collect::<Vec<_>>()
                .join(" ");
            if rest.is_empty() {
                (Unknown, "EXPLAIN ANALYZE of nothing".into())
            } else {
                statement_class(&rest)
            }
        }
        "explain" | "desc" | "describe" | "show" | "values" | "help" | "use" | "status"
        | "ping" | "pragma"
            if first == "pragma" =>
        {
            if statement.contains('=') {
                says(ChangesState, "changes a setting")
            } else {
                (ReadOnly, String::new())
            }
        }
        "explain" | "desc" | "describe" | "show" | "values" | "table" | "help" | "use"
        | "status" | "begin" | "start" | "commit" | "end" | "rollback" | "fetch" | "declare"
        | "select" | "with" | "print" | "checksum" | "list" | "go" => {
            if first == "start" && word(1) != "transaction" {
                return says(ChangesState, "starts something");
            }
            if first == "with" && WRITES_IN_WITH.is_match(statement) {
                return if DELETES_IN.is_match(statement) {
                    says(Destructive, "deletes rows")
                } else {
                    says(ChangesState, "changes rows")
                };
            }
            if CHANGES.is_match(statement)
                || (matches!(first, "select" | "with") && INTO_TABLE.is_match(statement))
            {
                return says(ChangesState, "writes or locks");
            }
            (ReadOnly, String::new())
        }
        "set" => match word(1) {
            "global" | "persist" | "password" => says(ChangesState, "changes the server"),
            _ if statement.to_ascii_lowercase().contains("@@global") => {
                says(ChangesState, "changes the server")
            }
            _ => (ReadOnly, String::new()),
        },
        "flush" if matches!(word(1), "privileges" | "hosts" | "status") => {
            says(ChangesState, "reloads something")
        }
        "check" if word(1) == "table" => (ReadOnly, String::new()),
        "delete" | "drop" | "truncate" | "revoke" | "kill" | "shutdown" | "purge" | "flush"
        | "reset" | "restart" | "deallocate" => says(Destructive, "deletes or stops something"),
        "alter"
            if words
                .iter()
                .any(|word| matches!(word.as_str(), "drop" | "truncate" | "discard")) =>
        {
            says(Destructive, "drops something")
        }
        "alter" if word(1) == "system" && matches!(word(2), "kill" | "reset" | "disconnect") => {
            says(Destructive, "stops or resets something")
        }
        "update"
            if !words.iter().any(|word| word == "where")
                && !statement.to_ascii_lowercase().contains(" where ") =>
        {
            says(Destructive, "overwrites every row")
        }
        "replace" => says(Destructive, "overwrites rows"),
        "stop" => says(Destructive, "stops something"),
        "change" if word(1) == "master" || word(1) == "replication" => {
            says(ChangesState, "changes replication")
        }
        "copy" => {
            let lower = statement.to_ascii_lowercase();
            if lower.contains("to stdout") {
                (ReadOnly, String::new())
            } else {
                says(ChangesState, "writes")
            }
        }
        "insert" | "update" | "create" | "alter" | "grant" | "merge" | "upsert" | "call" | "do"
        | "exec" | "execute" | "analyze" | "analyse" | "vacuum" | "reindex" | "cluster"
        | "refresh" | "comment" | "lock" | "optimize" | "repair" | "rename" | "load"
        | "handler" | "install" | "checkpoint" | "discard" | "notify" | "listen" | "import"
        | "attach" | "detach" | "backup" | "restore" | "system" | "check" | "prepare"
        | "savepoint" | "unlock" => {
            if first == "vacuum" {
                return says(ChangesState, "works on the tables");
            }
            if matches!(first, "exec" | "execute" | "prepare" | "do" | "call")
                && DELETES_IN.is_match(statement)
            {
                return says(Destructive, "deletes rows");
            }
            if first == "system" {
                return says(Destructive, "runs a program or stops something");
            }
            says(ChangesState, "changes data or structure")
        }
        _ if first.contains(HOLE) => (Unknown, "the statement is not in the text".into()),
        _ => (
            Unknown,
            format!("the statement {} is not known", super::shell::show(first)),
        ),
    }
}

fn is_statement_word(word: &str) -> bool {
    matches!(
        word.to_ascii_lowercase().trim_start_matches('('),
        "select"
            | "with"
            | "insert"
            | "update"
            | "delete"
            | "merge"
            | "values"
            | "create"
            | "table"
            | "execute"
            | "declare"
            | "refresh"
    )
}

/// `psql` and `mysql` backslash commands.
fn meta_command(statement: &str, first: &str) -> (CommandClass, String) {
    use CommandClass::{ChangesState, Destructive, ReadOnly, Unknown};
    let command = first.trim_start_matches('\\');
    if command.starts_with('!') || statement.contains("\\!") || statement.contains('|') {
        return (Destructive, "the session runs a shell command".into());
    }
    match command {
        _ if command.starts_with('d')
            || command.starts_with('l') && !command.starts_with("lo_") =>
        {
            (ReadOnly, String::new())
        }
        "conninfo" | "x" | "timing" | "pset" | "t" | "a" | "q" | "h" | "echo" | "encoding"
        | "c" | "connect" | "z" | "sf" | "sv" | "g" | "gx" | "s" | "?" | "set" | "unset"
        | "errverbose" | "watch" => (ReadOnly, String::new()),
        "copy" if statement.to_ascii_lowercase().contains("to stdout") => (ReadOnly, String::new()),
        "copy" | "o" | "w" | "e" | "ef" | "password" | "lo_import" | "lo_export" => {
            (ChangesState, "writes a file or data".into())
        }
        "lo_unlink" => (Destructive, "deletes a large object".into()),
        _ => (Unknown, "a command of the session that is not known".into()),
    }
}

/// Blanks out comments and the content of quoted text, keeping statement marks inside them out of sight.
fn without_text_and_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\'' | '"' | '`' => {
                out.push(c);
                while let Some(inner) = chars.next() {
                    if inner == '\\' && c != '`' {
                        chars.next();
                    } else if inner == c {
                        break;
                    }
                }
                // An identifier keeps its place as one word.
                out.push('q');
                out.push(c);
            }
            '-' if chars.peek() == Some(&'-') => while chars.next_if(|c| *c != '\n').is_some() {},
            '/' if chars.peek() == Some(&'*') => {
                chars.next();
                // MySQL runs the content of /*! … */.
                if chars.peek() == Some(&'!') {
                    chars.next();
                    while chars.next_if(char::is_ascii_digit).is_some() {}
                    continue;
                }
                let mut last = ' ';
                for inner in chars.by_ref() {
                    if last == '*' && inner == '/' {
                        break;
                    }
                    last = inner;
                }
                out.push(' ');
            }
            '*' if chars.peek() == Some(&'/') => {
                chars.next();
            }
            _ => out.push(c),
        }
    }
    out
}

pattern!(
    MONGO_DESTROYS,
    r"(?i)\.(?:drop\w*|remove|delete\w*|deleteOne|deleteMany|findAndModify|findOneAndDelete|findOneAndReplace|replaceOne|shutdownServer|killOp|killAllSessions|logoutAll)\s*\(|\b(?:shutdown|dropDatabase|killOp|killCursors|killSessions|compact)\b|\$out\b"
);
pattern!(
    MONGO_CHANGES,
    r"(?i)\.(?:insert\w*|update\w*|save|create\w*|bulkWrite|renameCollection|initiate|add|addArb|reconfig|enableSharding|shardCollection|setProfilingLevel|setLogLevel|fsync\w*|grant\w*|changeUserPassword|startBalancer|stopBalancer|setBalancerState|moveChunk|resync\w*|syncFrom|stepDown|freeze|convertToCapped|reIndex|hideIndex)\s*\(|\$merge\b|setParameter|replSetStepDown"
);
pattern!(MONGO_CALLS, r"([A-Za-z_$][A-Za-z0-9_$]*)\s*\(");
const MONGO_READS: &[&str] = &[
    "find",
    "findOne",
    "count",
    "countDocuments",
    "estimatedDocumentCount",
    "stats",
    "status",
    "serverStatus",
    "currentOp",
    "getIndexes",
    "printReplicationInfo",
    "printSlaveReplicationInfo",
    "printSecondaryReplicationInfo",
    "getSiblingDB",
    "getDB",
    "getCollectionNames",
    "getCollectionInfos",
    "getCollection",
    "forEach",
    "print",
    "printjson",
    "limit",
    "sort",
    "skip",
    "toArray",
    "pretty",
    "explain",
    "aggregate",
    "isMaster",
    "hello",
    "hostInfo",
    "version",
    "getReplicationInfo",
    "dataSize",
    "storageSize",
    "totalSize",
    "totalIndexSize",
    "adminCommand",
    "runCommand",
    "stringify",
    "getMongo",
    "conf",
    "config",
    "printShardingStatus",
    "getProfilingStatus",
    "getProfilingLevel",
    "getName",
    "getUsers",
    "getUser",
    "getRoles",
    "distinct",
    "map",
    "filter",
    "hint",
    "maxTimeMS",
    "itcount",
    "buildInfo",
    "serverBuildInfo",
    "validate",
    "latencyStats",
    "getLogComponents",
    "readPref",
    "setReadPref",
    "setSecondaryOk",
    "slaveOk",
    "tojson",
    "EJSON",
    "ISODate",
    "ObjectId",
    "Date",
    "NumberLong",
    "getBalancerState",
    "isBalancerRunning",
    "listDatabases",
    "projection",
    "function",
    "if",
    "keys",
    "for",
    "hasNext",
    "next",
    "getShardDistribution",
    "getShardVersion",
    "isCapped",
    "secondaryOk",
    "toString",
    "toFixed",
    "JSON",
    "now",
    "join",
    "includes",
    "push",
    "entries",
    "values",
    "match",
    "cmdLineOpts",
];

/// The class of mongosh JavaScript.
pub(super) fn mongo_class(code: &str) -> CommandClass {
    if MONGO_DESTROYS.is_match(code) {
        return CommandClass::Destructive;
    }
    if MONGO_CHANGES.is_match(code) {
        return CommandClass::ChangesState;
    }
    let admin_writes = ["runCommand", "adminCommand"]
        .iter()
        .any(|call| code.contains(call))
        && ![
            "ping",
            "serverStatus",
            "replSetGetStatus",
            "getParameter",
            "listDatabases",
            "currentOp",
            "dbStats",
            "collStats",
            "hello",
            "isMaster",
            "buildInfo",
            "connPoolStats",
            "top",
            "getLog",
            "hostInfo",
            "replSetGetConfig",
            "connectionStatus",
            "getCmdLineOpts",
            "listCollections",
            "listIndexes",
            "explain",
            "usersInfo",
            "validate",
            "features",
            "balancerStatus",
            "listShards",
        ]
        .iter()
        .any(|command| code.contains(command));
    if admin_writes
        || code.contains("load(")
        || code.contains("eval")
        || code.contains("run(")
        || code.contains("Function")
        || code.contains(HOLE) && MONGO_CALLS.find(code).is_none()
    {
        return CommandClass::Unknown;
    }
    if MONGO_CALLS
        .captures_iter(code)
        .all(|call| MONGO_READS.contains(&&call[1]))
        && !code.contains("](")
    {
        CommandClass::ReadOnly
    } else {
        CommandClass::Unknown
    }
}

impl Judge {
    /// Database clients; `false` if `name` is none.
    pub(super) fn database(&mut self, name: &str, args: &[Arg], stdin: &Stdin) -> bool {
        let (values, flags): (&str, &[&str]) = match name {
            "psql" | "cockroach-sql" | "pgcli" => (
                "-c --command -f --file -d --dbname -h --host -p --port -U --username -v --set --variable -F --field-separator -R --record-separator -o --output -L --log-file -P --pset -T",
                &["-c", "--command"],
            ),
            "mysql" | "mariadb" | "mycli" => (
                "-e --execute -h --host -P --port -u --user -D --database -S --socket --defaults-file --defaults-extra-file --login-path --ssl-ca --ssl-mode --protocol --default-character-set --connect-timeout --tee",
                &["-e", "--execute"],
            ),
            "sqlcmd" | "osql" => ("-Q -q -S -U -P -d -i -o -s -W -h -t -l", &["-Q", "-q"]),
            "clickhouse-client" => (
                "-q --query --host -h --port -u --user --password -d --database --format -f",
                &["-q", "--query"],
            ),
            "cqlsh" => (
                "-e --execute -f --file -u --username -p --password -k --keyspace --cqlversion --request-timeout --connect-timeout",
                &["-e", "--execute"],
            ),
            "influx" => (
                "-execute -database -host -port -username -password -format -precision",
                &["-execute"],
            ),
            "sqlite3" | "duckdb" => ("-cmd -separator -init", &["-cmd", "-c"]),
            "bq" => return false,
            "mongosh" | "mongo" => (
                "--eval --host --port -u --username -p --password --authenticationDatabase --db -f --file",
                &["--eval"],
            ),
            "redis-cli" | "valkey-cli" | "keydb-cli" => return false,
            _ => return false,
        };
        let values = list(values);
        let one_dash = matches!(name, "influx" | "sqlite3");
        let parsed = parse(
            args,
            Style {
                values: &values,
                one_dash,
                stop_at_word: false,
            },
        );
        for path in ["-o", "--output", "-L", "--log-file", "--tee"] {
            if let Some(path) = parsed
                .value(&[path])
                .filter(|_| name == "psql" || path == "--tee" || name == "sqlcmd")
            {
                let path = Arg::new(path);
                if path.text.starts_with('|') {
                    self.destructive("the output goes into a command")
                } else {
                    self.writes_to(&path, false)
                }
            }
        }
        let mut texts: Vec<String> = parsed
            .flags
            .iter()
            .filter(|flag| flags.contains(&flag.name.as_str()))
            .filter_map(|flag| flag.value.clone())
            .collect();
        if matches!(name, "sqlite3" | "duckdb") {
            texts.extend(parsed.words.iter().skip(1).map(|word| word.text.clone()));
        }
        if name == "psql" && parsed.has(&["-l", "--list"])
            || parsed.has(&["--version", "-V"]) && texts.is_empty()
        {
            self.read_only();
            return true;
        }
        if parsed.has(&["-f", "--file", "-i", "--init"])
            && !matches!(name, "influx" | "mysql" | "clickhouse-client")
        {
            self.unknown("runs statements of a file that is not shown");
        }
        if texts.is_empty() {
            match stdin {
                Stdin::Text(text) => texts.push(text.clone()),
                Stdin::Piped => {
                    return {
                        self.unknown("runs statements that are not shown");
                        true
                    };
                }
                Stdin::None => {
                    return {
                        self.unknown("a bare database session");
                        true
                    };
                }
            }
        }
        for text in texts {
            if text.chars().all(|c| c == HOLE) {
                self.unknown("the statement is not in the text");
            } else if matches!(name, "mongosh" | "mongo") {
                let class = mongo_class(&text);
                self.add(class, "what the database is told");
            } else if matches!(name, "sqlite3" | "duckdb") && text.trim_start().starts_with('.') {
                match text.split_whitespace().next() {
                    Some(
                        ".tables" | ".schema" | ".databases" | ".indexes" | ".indices" | ".dbinfo"
                        | ".headers" | ".mode" | ".stats" | ".show" | ".width" | ".dump"
                        | ".fullschema" | ".timeout",
                    ) => self.read_only(),
                    Some(".shell" | ".system") => {
                        self.destructive("the session runs a shell command")
                    }
                    _ => self.changes("a command of the session that writes"),
                }
            } else {
                let (class, why) = sql_class(&text);
                self.add(class, why);
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements() {
        use CommandClass::{ChangesState, Destructive, ReadOnly, Unknown};
        for (sql, class) in [
            ("select * from pg_stat_activity", ReadOnly),
            ("SHOW PROCESSLIST;", ReadOnly),
            ("SELECT 'drop table x'; -- delete", ReadOnly),
            ("EXPLAIN DELETE FROM t", ReadOnly),
            ("EXPLAIN (ANALYZE, BUFFERS) SELECT 1", ReadOnly),
            ("EXPLAIN ANALYZE DELETE FROM t WHERE a=1", Destructive),
            ("select 1; drop table x", Destructive),
            ("/*!50000 drop table x */", Destructive),
            ("SELECT pg_terminate_backend(123)", Destructive),
            ("SELECT * INTO OUTFILE '/tmp/x' FROM t", ChangesState),
            ("select a into newtable from t", ChangesState),
            (
                "with d as (delete from t returning *) select * from d",
                Destructive,
            ),
            ("update t set a=1", Destructive),
            ("update t set a=1 where id=2", ChangesState),
            ("VACUUM ANALYZE t", ChangesState),
            ("alter table t drop column a", Destructive),
            ("\\dt+", ReadOnly),
            ("\\! rm -rf /", Destructive),
            ("frobnicate", Unknown),
            ("\\copy t to program 'rm x'", Destructive),
            ("KILL 12", Destructive),
            ("SET GLOBAL max_connections=1", ChangesState),
            ("copy (select 1) to program 'sh'", Destructive),
        ] {
            assert_eq!(sql_class(sql).0, class, "{sql}");
        }
    }

    #[test]
    fn mongo() {
        assert_eq!(mongo_class("rs.status()"), CommandClass::ReadOnly);
        assert_eq!(
            mongo_class("db.getSiblingDB('a').users.find({a: 1}).limit(5).toArray()"),
            CommandClass::ReadOnly
        );
        assert_eq!(mongo_class("db.users.drop()"), CommandClass::Destructive);
        assert_eq!(
            mongo_class("db.users.insertOne({})"),
            CommandClass::ChangesState
        );
        assert_eq!(
            mongo_class("db.adminCommand({shutdown: 1})"),
            CommandClass::Destructive
        );
        assert_eq!(mongo_class("db.frobnicate()"), CommandClass::Unknown);
    }
}
