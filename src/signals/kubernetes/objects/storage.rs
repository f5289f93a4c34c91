//! Claims, volumes, storage classes and quotas.

use super::super::model::*;
use super::super::value::Val;
use super::{Obj, push_condition};

pub fn claim(cluster: &mut Cluster, obj: &Obj) {
    let val = obj.val;
    let meta = val.get("metadata");
    let ns = meta.get("namespace").text().to_owned();
    let name = meta.get("name").text().to_owned();
    let spec = val.get("spec");
    let status = val.get("status");
    let class = spec.get("storageClassName");
    let class = (!class.is_null()).then(|| obj.loc(class));
    cluster.pvcs.push(Pvc {
        ns: ns.clone(),
        name: name.clone(),
        src: obj.name_src(),
        phase: obj.loc(status.get("phase")),
        class,
    });
    let conditions = obj.conditions(status.get("conditions"));
    conditions.into_iter().for_each(|condition| {
        push_condition(cluster, "PersistentVolumeClaim", &ns, &name, condition)
    });
}

pub fn volume(cluster: &mut Cluster, obj: &Obj) {
    let val = obj.val;
    let meta = val.get("metadata");
    let name = meta.get("name").text().to_owned();
    let spec = val.get("spec");
    let status = val.get("status");
    let claim = spec.get("claimRef");
    let claim = if claim.is_null() {
        String::new()
    } else {
        format!(
            "{}/{}",
            claim.get("namespace").text(),
            claim.get("name").text()
        )
    };
    cluster.pvs.push(Pv {
        name,
        phase: obj.loc(status.get("phase")),
        claim,
        message: obj.loc(status.get("message")),
        src: obj.name_src(),
    });
}

pub fn class(cluster: &mut Cluster, obj: &Obj) {
    let val = obj.val;
    let meta = val.get("metadata");
    let name = meta.get("name").text().to_owned();
    let notes = meta.get("annotations");
    let default = [
        "storageclass.kubernetes.io/is-default-class",
        "storageclass.beta.kubernetes.io/is-default-class",
    ]
    .iter()
    .any(|key| notes.get(key).text() == "true");
    let (provisioner, binding) = (
        obj.loc(val.get("provisioner")),
        val.get("volumeBindingMode").text().to_owned(),
    );
    cluster.classes.push(StorageClass {
        name,
        provisioner,
        default,
        binding,
        src: obj.name_src(),
    });
}

pub fn quota(cluster: &mut Cluster, obj: &Obj) {
    let val = obj.val;
    let meta = val.get("metadata");
    let ns = meta.get("namespace").text().to_owned();
    let name = meta.get("name").text().to_owned();
    let spec = val.get("spec");
    let status = val.get("status");
    let hard = if status.get("hard").is_null() {
        spec.get("hard")
    } else {
        status.get("hard")
    };
    let item = |(resource, limit): &(String, Val)| QuotaItem {
        resource: resource.clone(),
        used: obj.loc(status.get("used").get(resource)),
        hard: obj.loc(limit),
    };
    cluster.quotas.push(Quota {
        ns,
        name,
        items: hard.members().iter().map(item).collect(),
    });
}
