//! Methods of .NET that PowerShell calls, by their names.

use crate::verify::command::Judge;

/// Methods of values that give another value.
pub(super) fn asks(method: &str) -> bool {
    const ASKING: &str = " adddays addhours addminutes addseconds addmilliseconds addmonths addyears addticks add subtract tostring toupper tolower trim trimstart trimend split substring replace startswith endswith contains containskey indexof lastindexof padleft padright insert equals compareto gettype getenumerator tolocaltime touniversaltime toshortdatestring tolongdatestring toshorttimestring tofiletime tounixtimeseconds getvalue getvaluenames getsubkeynames where foreach count item join normalize tochararray toarray hasflag ";
    ASKING.contains(&format!(" {method} "))
}

/// A call of a class itself, by the method's name.
pub(super) fn called(judge: &mut Judge, method: &str) {
    const ASKING: &str = " exists readalltext readalllines readallbytes readlines openread opentext getfiles getdirectories getfilesystementries enumeratefiles enumeratedirectories getlastwritetime getlastwritetimeutc getcreationtime getlastaccesstime getattributes getdrives getfilename getfilenamewithoutextension getextension getdirectoryname getfullpath combine gettemppath parse tryparse parseexact isnullorempty isnullorwhitespace format join concat compare equals round max min abs floor ceiling pow sqrt truncate getenvironmentvariable getenvironmentvariables expandenvironmentvariables getfolderpath gethostname gethostentry gethostaddresses getprocesses getprocessbyid getprocessesbyname getcurrentprocess getcurrent getservices toint32 toint64 todouble tostring todatetime tobase64string match matches ismatch escape split isdefined getnames getvalues fromunixtimeseconds fromfiletime now utcnow today getstring getbytes getbytecount create newguid getallnetworkinterfaces getisnetworkavailable getipglobalproperties getdomain getforest getcomputerdomain getcurrentdomain getcurrentforest ";
    const DESTROYING: &str = " delete deletesubkey deletesubkeytree deletevalue kill failfast exit shutdown restart move replace format clear remove ";
    let name = method.to_ascii_lowercase();
    let word = format!(" {name} ");
    if ASKING.contains(&word) {
        judge.read_only();
    } else if DESTROYING.contains(&word) {
        judge.destructive(format!("`{method}` of a class deletes or stops something"));
    } else if name.starts_with("write")
        || name.starts_with("append")
        || name.starts_with("set")
        || name.starts_with("copy")
        || name.starts_with("open")
        || name.starts_with("createdirectory")
        || matches!(
            name.as_str(),
            "start" | "encrypt" | "decrypt" | "createtext"
        )
    {
        judge.changes(format!("`{method}` of a class changes something"));
    } else {
        judge.unknown(format!("what `{method}` of a class does is not known"));
    }
}
