//! What MongoDB's shell is told, in JavaScript.

use crate::report::CommandClass;
use crate::verify::command::words::HOLE;
use regex::Regex;
use std::sync::LazyLock;

pattern!(
    MONGO_DESTROYS,
    r"(?i)\.(?:drop\w*|remove|delete\w*|deleteOne|deleteMany|findAndModify|findOneAndDelete|findOneAndReplace|replaceOne|shutdownServer|killOp|killAllSessions|logoutAll)\s*\(|\b(?:shutdown|dropDatabase|killOp|killCursors|killSessions|compact)\b|\$out\b"
);
pattern!(
    MONGO_CHANGES,
    r"(?i)\.(?:insert\w*|update\w*|save|create\w*|bulkWrite|renameCollection|initiate|add|addArb|reconfig|enableSharding|shardCollection|setProfilingLevel|setLogLevel|fsync\w*|grant\w*|changeUserPassword|startBalancer|stopBalancer|setBalancerState|moveChunk|resync\w*|syncFrom|stepDown|freeze|convertToCapped|reIndex|hideIndex)\s*\(|\$merge\b|setParameter|replSetStepDown"
);
pattern!(
    MONGO_COMMANDS,
    r#"(?:runCommand|adminCommand)\s*\(\s*(?:\{\s*)?["']?([A-Za-z]\w*)"#
);
// A method that is handed over to be called.
pattern!(
    MONGO_REFERS,
    r"\b(?:forEach|map|filter)\s*\(\s*[\w$]+(?:\.[\w$]+)+\s*[,)]"
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
    // The command is the first word of what `runCommand` is given.
    let admin = MONGO_COMMANDS
        .captures_iter(code)
        .map(|call| call[1].to_owned());
    let admin: Vec<String> = admin.collect();
    let told = |verbs: &[&str]| {
        admin
            .iter()
            .any(|command| verbs.iter().any(|verb| command.starts_with(verb)))
    };
    if told(&["delete", "drop", "kill"]) {
        return CommandClass::Destructive;
    }
    if told(&["insert", "update", "create"]) {
        return CommandClass::ChangesState;
    }
    let calls = code.matches("runCommand").count() + code.matches("adminCommand").count();
    let admin_writes = calls != admin.len()
        || !admin.iter().all(|command| {
            [
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
            .contains(&command.as_str())
        });
    if admin_writes
        || MONGO_REFERS.is_match(code)
        || code.contains("eval")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mongo() {
        use CommandClass::{ChangesState, Destructive, ReadOnly, Unknown};
        for (code, class) in [
            ("db.adminCommand('ping')", ReadOnly),
            ("db.adminCommand({ \"replSetGetStatus\": 1 })", ReadOnly),
            (
                "db.runCommand({dbStats: 1}); db.adminCommand({top: 1})",
                ReadOnly,
            ),
            (
                "db.runCommand({update: 'topics', updates: []})",
                ChangesState,
            ),
            (
                "db.runCommand({delete: 'laptops', deletes: []})",
                Destructive,
            ),
            ("db.runCommand({dropIndexes: 'ping'})", Destructive),
            ("db.runCommand({frob: 1, comment: 'ping'})", Unknown),
            ("db.runCommand(x); db.adminCommand('ping')", Unknown),
            ("db.t.find().forEach(printjson)", ReadOnly),
            ("[{}].map(db.t.deleteOne, db.t)", Unknown),
            ("db.t.find().forEach(db.t.insertOne)", Unknown),
            ("db['frob']()", Unknown),
            ("eval`x`", Unknown),
            ("Function`x`", Unknown),
            ("db.t.aggregate([{$out: 'x'}])", Destructive),
            ("db.t.aggregate([{$merge: 'x'}])", ChangesState),
            ("db.t.drop", ReadOnly),
            ("db.version()", ReadOnly),
            ("db", ReadOnly),
            ("x \u{E000}", Unknown),
            ("db.t.find('\u{E000}')", ReadOnly),
        ] {
            assert_eq!(mongo_class(code), class, "{code}");
        }
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
