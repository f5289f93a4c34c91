//! How a guard run ends.

use super::model::GuardReport;
use crate::error::ExitCode;

/// 7 when something blocks: a finding, or with `strict` a remark; else 0. An allowed finding never blocks.
pub fn exit(report: &GuardReport, strict: bool) -> ExitCode {
    if !report.findings.is_empty()
        || report.more_findings > 0
        || (strict && !report.remarks.is_empty())
    {
        ExitCode::SecretsFound
    } else {
        ExitCode::Done
    }
}
