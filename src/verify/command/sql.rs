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

mod mongo;
mod plain;

use mongo::mongo_class;
use plain::{DIALECTS, Dialect, without_text_and_comments};

pattern!(
    STOPS,
    r"(?i)\bedit\s*\(|\b(?:pg_terminate_backend|pg_cancel_backend|pg_drop_replication_slot|lo_unlink|pg_stat\w*_reset\w*|pg_file_unlink|pg_file_rename|load_extension|dblink_exec|xp_cmdshell|sys_exec|sys_eval|pg_promote|pg_replication_slot_advance|to\s+program|from\s+program|utl_file|dbms_scheduler)\b"
);
pattern!(
    CHANGES,
    r"(?i)\b(?:into\s+outfile|into\s+dumpfile|writefile|pg_file_write|pg_reload_conf|pg_switch_wal|pg_switch_xlog|pg_rotate_logfile|pg_wal_replay_pause|pg_wal_replay_resume|pg_log_backend_memory_contexts|pg_export_snapshot|pg_logical_emit_message|txid_current|pg_current_xact_id|setval|nextval|pg_advisory_lock|pg_create_\w+|lo_import|lo_export|set_config|pg_start_backup|pg_backup_start|for\s+update|get_lock)\b"
);
pattern!(
    INTO_TABLE,
    r"(?is)^\s*(?:with\b.*)?select\b[^;]*\binto\s+(?:table\s+|temp\s+|temporary\s+|unlogged\s+)?[a-z_#\x22]"
);
pattern!(
    WRITES_IN_WITH,
    r"(?i)\b(?:insert\s+into|update\s+[\w\x22`\[]|delete\s+from|merge\s+into|drop\s+\w|truncate\s+[\w\x22`\[]|alter\s+\w|exec(?:ute)?\s+\w)"
);
pattern!(
    BLOCK,
    r"(?i)^\s*(?:do\s+\$|begin\b|declare\b|exec(?:ute)?\b)"
);
pattern!(
    DELETES_IN,
    r"(?i)\b(?:delete\s+from|drop\s+\w|truncate\s+[\w\x22`\[])"
);
// A command of the session behind a statement: it sends the result elsewhere or runs it.
pattern!(BEHIND, r"\\(?:!|gexec|[gow]x?\s*\|)");
pattern!(TO_FILE, r"\\gx?\s+[^\s;\\]");
pattern!(
    STATEMENT,
    r"(?i)\b(?:select|with|insert|update|delete|merge|replace|values|create|table|execute|declare|refresh)\b"
);
pattern!(
    SETS_SERVER,
    r"(?i)(?:^set|,)\s+(?:global|persist|persist_only)\b|@@(?:global|persist)"
);
pattern!(ANALYZE, r"(?i)\banaly[sz]e\b");
// What a pragma asks for with a name in brackets.
pattern!(
    PRAGMA_ASKS,
    r"(?i)^pragma\s+(?:[\w\x22]+\.)?(?:table_x?info|table_list|index_x?info|index_list|foreign_key_list|foreign_key_check|integrity_check|quick_check)\b"
);
pattern!(
    PRAGMA_ACTS,
    r"(?i)=|\(|\b(?:incremental_vacuum|optimize|wal_checkpoint|shrink_memory)\b"
);

/// The class of SQL text: the worst of what databases would take it for.
pub(super) fn sql_class(text: &str) -> (CommandClass, String) {
    DIALECTS
        .into_iter()
        .filter_map(|dialect| class_in(text, dialect))
        .reduce(|worst, judged| if judged.0 > worst.0 { judged } else { worst })
        .unwrap_or((CommandClass::Unknown, "there is no statement".into()))
}

/// The class of what stands in it as statements, if any does.
fn class_in(text: &str, dialect: Dialect) -> Option<(CommandClass, String)> {
    let plain = without_text_and_comments(text, dialect);
    if BLOCK.is_match(text) && DELETES_IN.is_match(text) {
        return Some((
            CommandClass::Destructive,
            "a block of it deletes or drops".into(),
        ));
    }
    let mut worst = (CommandClass::ReadOnly, String::new());
    let mut any = false;
    for statement in plain.split(';').flat_map(with_meta_lines_apart) {
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
    any.then_some(worst)
}

/// A command of `psql` is a line of its own, and the statement goes on behind it.
fn with_meta_lines_apart(text: &str) -> Vec<String> {
    let (meta, statement): (Vec<&str>, Vec<&str>) = text
        .lines()
        .partition(|line| line.trim_start().starts_with('\\'));
    let mut parts: Vec<String> = meta.into_iter().map(str::to_owned).collect();
    parts.push(statement.join("\n"));
    parts
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
    if BEHIND.is_match(statement) {
        return (Destructive, "the session runs a command".into());
    }
    if TO_FILE.is_match(statement) {
        return (ChangesState, "writes a file or data".into());
    }
    if first.starts_with('\\') {
        return meta_command(statement, first);
    }
    // SQL Server takes statements without a mark between them; a query can hold one that writes.
    let writes_too = || {
        WRITES_IN_WITH.is_match(statement).then(|| {
            if DELETES_IN.is_match(statement) {
                says(Destructive, "deletes rows")
            } else {
                says(ChangesState, "changes rows")
            }
        })
    };
    match first {
        "explain" | "desc" | "describe" if ANALYZE.is_match(before_statement(statement)) => {
            let rest = &statement[before_statement(statement).len()..];
            if rest.is_empty() {
                (Unknown, "EXPLAIN ANALYZE of nothing".into())
            } else {
                statement_class(rest)
            }
        }
        "pragma" => {
            if PRAGMA_ACTS.is_match(statement) && !PRAGMA_ASKS.is_match(statement) {
                says(ChangesState, "changes a setting")
            } else {
                (ReadOnly, String::new())
            }
        }
        "ping" => (ReadOnly, String::new()),
        "explain" | "desc" | "describe" | "show" | "values" | "table" | "help" | "use"
        | "status" | "begin" | "start" | "commit" | "end" | "rollback" | "fetch" | "declare"
        | "select" | "with" | "print" | "checksum" | "list" | "go" => {
            if first == "start" && word(1) != "transaction" {
                return says(ChangesState, "starts something");
            }
            if !matches!(first, "explain" | "desc" | "describe" | "show" | "help")
                && let Some(judged) = writes_too()
            {
                return judged;
            }
            if CHANGES.is_match(statement)
                || (matches!(first, "select" | "with") && INTO_TABLE.is_match(statement))
            {
                return says(ChangesState, "writes or locks");
            }
            (ReadOnly, String::new())
        }
        "set" => {
            if word(1) == "password" || SETS_SERVER.is_match(statement) {
                says(ChangesState, "changes the server")
            } else {
                writes_too().unwrap_or((ReadOnly, String::new()))
            }
        }
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
            match writes_too() {
                Some(judged) => judged,
                None if lower.contains("to stdout") => (ReadOnly, String::new()),
                None => says(ChangesState, "writes"),
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
            if matches!(
                first,
                "exec" | "execute" | "prepare" | "do" | "call" | "analyze"
            ) && DELETES_IN.is_match(statement)
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

/// What stands before the statement that is explained.
fn before_statement(text: &str) -> &str {
    let at = STATEMENT
        .find(text)
        .map_or(text.len(), |found| found.start());
    &text[..at]
}

/// `psql` and `mysql` backslash commands.
fn meta_command(statement: &str, first: &str) -> (CommandClass, String) {
    use CommandClass::{ChangesState, Destructive, ReadOnly, Unknown};
    let command = first.trim_start_matches('\\');
    if statement.contains(['|', '`']) {
        return (Destructive, "the session runs a shell command".into());
    }
    match command {
        _ if command.starts_with('d')
            || command.starts_with('l') && !command.starts_with("lo_") =>
        {
            (ReadOnly, String::new())
        }
        "conninfo" | "x" | "timing" | "pset" | "t" | "a" | "q" | "h" | "echo" | "encoding"
        | "c" | "connect" | "z" | "sf" | "sv" | "g" | "gx" | "?" | "set" | "unset" | "lo_list"
        | "errverbose" | "watch" => (ReadOnly, String::new()),
        "s" if statement.split_whitespace().count() == 1 => (ReadOnly, String::new()),
        "copy" if DELETES_IN.is_match(statement) => (Destructive, "deletes rows".into()),
        "copy"
            if statement.to_ascii_lowercase().contains("to stdout")
                && !WRITES_IN_WITH.is_match(statement) =>
        {
            (ReadOnly, String::new())
        }
        "copy" | "s" | "o" | "w" | "e" | "ef" | "password" | "lo_import" | "lo_export" => {
            (ChangesState, "writes a file or data".into())
        }
        _ => (Unknown, "a command of the session that is not known".into()),
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
                "-e --execute -h --host -P --port -u --user -D --database -S --socket --defaults-file --defaults-extra-file --login-path --ssl-ca --ssl-mode --protocol --default-character-set --connect-timeout --tee --init-command --init-command-add",
                &["-e", "--execute", "--init-command", "--init-command-add"],
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
                "-execute --execute -database -host -port -username -password -format -precision",
                &["-execute", "--execute"],
            ),
            "sqlite3" => (
                "-cmd --cmd -separator --separator -init --init -newline -nullvalue",
                &["-cmd", "--cmd"],
            ),
            "duckdb" => (
                "-cmd --cmd -c -s -f -separator --separator -init --init -newline -nullvalue",
                &["-cmd", "--cmd", "-c", "-s"],
            ),
            "mongosh" | "mongo" => (
                "--eval --host --port -u --username -p --password --authenticationDatabase --db -f --file",
                &["--eval"],
            ),
            _ => return false,
        };
        let values = list(values);
        let one_dash = matches!(name, "influx" | "sqlite3" | "duckdb");
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
        let script = |word: &Arg| {
            [".js", ".mjs", ".cjs", ".mongodb"]
                .iter()
                .any(|end| word.text.ends_with(end))
        };
        if parsed.has(&["-f", "--file", "-i", "--init", "-init"])
            && !matches!(name, "influx" | "mysql" | "clickhouse-client")
            || name.starts_with("mongo") && parsed.words.iter().any(script)
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
            } else if matches!(name, "sqlite3" | "duckdb") {
                self.dotted(&text);
            } else {
                let (class, why) = sql_class(&text);
                self.add(class, why);
            }
        }
        true
    }

    /// What `sqlite3` is told: lines that begin with a dot are commands of the session, the others are statements.
    fn dotted(&mut self, text: &str) {
        let (commands, statements): (Vec<&str>, Vec<&str>) = text
            .lines()
            .partition(|line| line.trim_start().starts_with('.'));
        for command in &commands {
            let name = command.split_whitespace().next().unwrap_or_default();
            match name {
                _ if command.contains(" |") || command.contains("\"|") => {
                    self.destructive("the session runs a shell command")
                }
                ".tables" | ".schema" | ".databases" | ".indexes" | ".indices" | ".dbinfo"
                | ".headers" | ".mode" | ".stats" | ".show" | ".width" | ".dump"
                | ".fullschema" | ".timeout" => self.read_only(),
                _ if ".shell".starts_with(name) && name.len() > 3
                    || ".system".starts_with(name) && name.len() > 2 =>
                {
                    self.destructive("the session runs a shell command")
                }
                _ => self.changes("a command of the session that writes"),
            }
        }
        let statements = statements.join("\n");
        if commands.is_empty() || !statements.trim().is_empty() {
            let (class, why) = sql_class(&statements);
            self.add(class, why);
        }
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
            ("select 1; select 2", ReadOnly),
            ("", Unknown),
            ("-- only a comment", Unknown),
            (
                "select * from t where a = 1 and b = 2 into outfile 'x'",
                ChangesState,
            ),
            ("REPLACE INTO t VALUES (1)", Destructive),
            ("STOP SLAVE", Destructive),
            ("copy t to stdout", ReadOnly),
            ("copy t from '/tmp/x'", ChangesState),
            ("copy (delete from t returning *) to stdout", Destructive),
            (
                "copy (update t set a=1 where b=2 returning *) to stdout",
                ChangesState,
            ),
            ("pragma table_info(t)", ReadOnly),
            ("pragma main.index_list(t)", ReadOnly),
            ("pragma user_version", ReadOnly),
            ("pragma user_version=5", ChangesState),
            ("pragma journal_mode(wal)", ChangesState),
            ("pragma wal_checkpoint", ChangesState),
            ("ping", ReadOnly),
            ("status", ReadOnly),
            ("flush status", ChangesState),
            ("flush privileges", ChangesState),
            ("flush tables", Destructive),
            ("check table t", ReadOnly),
            ("checkpoint", ChangesState),
            ("check constraint c", ChangesState),
            ("alter system kill session '1,2'", Destructive),
            ("alter system reset a", Destructive),
            ("alter system set a = 1", ChangesState),
            ("alter session kill x", ChangesState),
            ("alter table t discard tablespace", Destructive),
            ("alter table t add column a int", ChangesState),
            ("change master to master_host='a'", ChangesState),
            ("change replication source to source_host='a'", ChangesState),
            ("change frob", Unknown),
            ("start transaction", ReadOnly),
            ("start slave", ChangesState),
            (
                "update t\nset a=1, b=2, c=3, d=4, e=5, f=6, g=7\nwhere id=2",
                Destructive,
            ),
            (
                "update t set a=1, b=2, c=3, d=4, e=5, f=6, g=7 where id=2",
                ChangesState,
            ),
            ("set autocommit=0", ReadOnly),
            ("set @@global.a=1", ChangesState),
            ("set @@persist.a=1", ChangesState),
            ("set persist_only a=1", ChangesState),
            ("set session a=1, global b=2", ChangesState),
            ("set password = 'x'", ChangesState),
            ("set nocount on delete from t", Destructive),
            ("set nocount on update t set a=1", ChangesState),
            ("vacuum", ChangesState),
            ("prepare p as delete from t", Destructive),
            ("prepare p as select 1", ChangesState),
            ("insert into log values ('delete from t')", ChangesState),
            (
                "create rule r as on insert to t do also delete from u",
                ChangesState,
            ),
            ("analyze delete from t", Destructive),
            ("analyze table t", ChangesState),
            ("system drop replica 'a'", Destructive),
            ("do $$ begin delete from t; end $$", Destructive),
            ("do $$ begin truncate \"t\"; end $$", Destructive),
            ("do $$ begin update t set a=1; end $$", ChangesState),
            ("show create table t", ReadOnly),
            ("help drop table", ReadOnly),
            ("explain update t set a=1", ReadOnly),
            ("explain analyze", Unknown),
            ("desc orders", ReadOnly),
            ("explain (analyse) update t set a=1 where b=2", ChangesState),
            (
                "explain (costs off, verbose, buffers, settings, wal, timing off, summary, analyze) delete from t",
                Destructive,
            ),
            (
                "explain (analyze)delete from t where a in (select 1)",
                Destructive,
            ),
            ("explain select * from t where analyze = 1", ReadOnly),
            ("select 1 drop table t", Destructive),
            ("select 1\ngo\ndrop table t\ngo", Destructive),
            ("print 'x' exec sp_frob", ChangesState),
            (
                "with u as (update \"t\" set a=1 returning *) select * from u",
                ChangesState,
            ),
            ("with u as (select 1) select * from u", ReadOnly),
            ("select a from t for update", ChangesState),
            ("select pg_stat_statements_reset()", Destructive),
            ("select edit('', 'rm x')", Destructive),
            ("select writefile('x', 'y')", ChangesState),
            ("select load_extension('x')", Destructive),
        ] {
            assert_eq!(sql_class(sql).0, class, "{sql}");
        }
    }

    #[test]
    fn no_quotation_and_no_comment_hides_a_statement() {
        use CommandClass::{Destructive, ReadOnly};
        for (sql, class) in [
            // A backslash escapes in MySQL and stands for itself elsewhere.
            (r"select '\'; drop table t; --'", Destructive),
            (r"select '\'' ; drop table t; -- '", Destructive),
            (r"select 'it\'s fine'", ReadOnly),
            ("select 'it''s; drop table t'", ReadOnly),
            ("select \"a;drop table t\"", ReadOnly),
            ("select `a;drop table t`", ReadOnly),
            ("select $$'$$; drop table t; select $$'$$", Destructive),
            ("select $a$'$a$; drop table t; select $a$'$a$", Destructive),
            ("select $$ -- $$; drop table t", Destructive),
            ("select $1, 'x;drop table t', $2", ReadOnly),
            ("select [']; drop table t; select [']", Destructive),
            ("select 1 # '\n; drop table t; # '", Destructive),
            ("select a #> '{b}' from t", ReadOnly),
            ("select 1--1; drop table t", Destructive),
            ("select 1 -- ; drop table t", ReadOnly),
            ("--drop table t\nselect 1", ReadOnly),
            ("select 1; --drop table t", ReadOnly),
            ("select 1 /* ; drop table t */", ReadOnly),
            ("select 1 /* ' */; drop table t; -- '", Destructive),
            ("select 1 /* /* */ ' */; drop table t; -- '", Destructive),
            ("/*M!100000 drop table t */", Destructive),
            ("/*!50000 drop table t */", Destructive),
            ("select 1 */ 2", ReadOnly),
            ("select 4 - 1 / 2 * 3", ReadOnly),
            ("select 4-b ; drop table t", Destructive),
            ("select 4 / 2; drop table t", Destructive),
            ("select 2*'1; drop table t'", ReadOnly),
            ("select 2; /*!40000 select 1; */", ReadOnly),
            ("/*!40000 select 1; */", ReadOnly),
            ("select x$a, '; drop table t', y$b", ReadOnly),
            (
                "select $a_b$'$a_b$; drop table t; select $a_b$'$a_b$",
                Destructive,
            ),
            ("select 1 /* never closed; drop table t", ReadOnly),
        ] {
            assert_eq!(sql_class(sql).0, class, "{sql}");
        }
    }

    #[test]
    fn commands_of_the_session() {
        use CommandClass::{ChangesState, Destructive, ReadOnly, Unknown};
        for (sql, class) in [
            ("\\l", ReadOnly),
            ("\\conninfo", ReadOnly),
            ("\\timing on\nselect 1;", ReadOnly),
            ("\\timing on\ndrop table t;", Destructive),
            ("select 1\n\\gx", ReadOnly),
            ("select 1\\G", ReadOnly),
            ("\\lo_list", ReadOnly),
            ("\\lo_unlink 5", Destructive),
            ("\\lo_import x", ChangesState),
            ("\\o out.txt", ChangesState),
            ("\\o | sh", Destructive),
            ("\\s", ReadOnly),
            ("\\s history.txt", ChangesState),
            ("\\i fix.sql", Unknown),
            ("\\echo `id`", Destructive),
            ("\\copy t to stdout", ReadOnly),
            ("\\copy t from x.csv", ChangesState),
            ("\\copy (delete from t returning *) to stdout", Destructive),
            (
                "\\copy (update t set a=1 returning *) to stdout",
                ChangesState,
            ),
            ("select 'drop table t' \\gexec", Destructive),
            ("select 1 \\g | sh", Destructive),
            ("select 1 \\g out.txt", ChangesState),
            ("select 1 \\! id", Destructive),
        ] {
            assert_eq!(sql_class(sql).0, class, "{sql}");
        }
    }
}
