//! Images and volumes on their way to a guest: no room to convert, targets that are not there, stores that are full.

use super::rule::{RULE, Rule};

/// The rules.
pub const RULES: &[Rule] = &[
    Rule {
        id: "openstack.image-space",
        cause: "image-space-exhausted",
        scope: &["cinder", "glance", "nova"],
        needs: &[
            "Insufficient free space",
            "Image storage media is full",
            "not enough disk space",
            "StorageFull",
            "Insufficient Storage",
        ],
        pattern: r"(?P<what>Insufficient free space on (?P<path>/\S+)[^\r\n]{0,60}|Image storage media is full[^\r\n]{0,80}|There is not enough disk space on the image storage media|StorageFull[^\r\n]{0,80}|Insufficient (?:free space|disk space)[^\r\n]{0,80})",
        strength: 0.84,
        title: "{daemon}: no room for an image: {what}",
        statement: "{daemon} has no space to store or convert an image ({what}){span}: images are written whole, uncompressed, to that directory first.",
        yes: &[
            "ERROR cinder.image.image_utils [req-1] Insufficient free space on /var/lib/cinder/conversion for image conversion",
            "ERROR glance.api.v2.image_data [req-1] Image storage media is full: There is not enough disk space on the image storage media.",
        ],
        no: &["INFO glance image saved"],
        ..RULE
    },
    Rule {
        id: "os-brick.device-not-found",
        cause: "volume-attach-failed",
        scope: &["nova", "cinder", "glance"],
        needs: &[
            "VolumeDeviceNotFound",
            "Volume device not found",
            "TargetPortalNotFound",
            "Unable to find target portal",
            "FailedISCSITargetPortalLogin",
            "NoFibreChannel",
            "VolumePathsNotFound",
            "VolumeAttachTimeout",
            "Could not login to any iSCSI portal",
        ],
        pattern: r"(?P<what>Volume device not found at (?P<device>[^\r\n]{3,120})|Unable to find target portal (?P<portal>[^\r\n]{3,60})|TargetPortalNotFound[^\r\n]{0,60}|FailedISCSITargetPortalLogin[^\r\n]{0,80}|Could not login to any iSCSI portal[^\r\n]{0,40}|NoFibreChannel\w+[^\r\n]{0,80}|(?:Could not find any|Volume) paths? (?:for the volume|not found)[^\r\n]{0,40})",
        strength: 0.8,
        title: "{daemon}: a volume cannot be attached: {what}",
        statement: "The host does not see a volume that was exported to it ({what}){span}: the storage network, the target's portal, zoning or the export to this host's initiator is wrong.",
        yes: &[
            "nova.exception.VolumeDeviceNotFound: Volume device not found at /dev/disk/by-path/ip-192.0.2.1:3260-iscsi-iqn.x-lun-1.",
            "os_brick.exception.TargetPortalNotFound: Unable to find target portal 192.0.2.9:3260.",
        ],
        no: &["Volume device found at /dev/sdc"],
        ..RULE
    },
    Rule {
        id: "nova.image-gone",
        cause: "nova-image-missing",
        scope: &["nova", "glance", "octavia"],
        needs: &[
            "No image found with ID",
            "ImageNotFound",
            "could not be found",
            "DiskNotFound",
            "No disk at",
        ],
        pattern: r"(?P<what>No image found with ID (?P<image>[0-9a-f-]{8,36})|ImageNotFound: [^\r\n]{0,100}|Image (?P<i2>[0-9a-f-]{36}) could not be found[^\r\n]{0,40}|DiskNotFound: [^\r\n]{0,120}|No disk at (?P<path>/\S+))",
        at_least: 2,
        strength: 0.74,
        kind: "Image",
        subject: "{image}{i2}{path}",
        title: "{daemon}: image or disk of an instance is gone: {what}",
        statement: "{daemon} needs an image or disk that no longer exists ({what}){span}: it was deleted while instances still depend on it, or the store is another one.",
        yes: &[
            "glanceclient.exc.HTTPNotFound: HTTP 404 Not Found: No image found with ID 3b0c2952-aaaa-2222-3333-444455556666",
        ],
        no: &["Image 3b0c2952 active"],
        ..RULE
    },
    Rule {
        id: "octavia.amphora-image",
        cause: "octavia-amphora-image",
        scope: &["octavia"],
        needs: &[
            "image with tag",
            "No Glance images are tagged",
            "ImageGetException",
            "GlanceNoTaggedImages",
        ],
        pattern: r"(?P<what>No Glance images are tagged with [^\r\n]{0,60}|Failed to retrieve image with tag [^\r\n]{0,60}|Glance image with tag [^\r\n]{0,60}|GlanceNoTaggedImages[^\r\n]{0,60})",
        strength: 0.88,
        title: "{daemon}: there is no amphora image: {what}",
        statement: "Octavia cannot build load balancers because it finds no amphora image by its tag ({what}){span}: it was not uploaded, has another tag or owner, or is not active.",
        yes: &[
            "octavia.common.exceptions.ImageGetException: Failed to retrieve image with tag octavia-amphora.",
        ],
        no: &["Using image with tag found"],
        ..RULE
    },
    Rule {
        id: "octavia.compute-build",
        cause: "octavia-compute-build",
        scope: &["octavia"],
        needs: &[
            "Failed to build compute instance",
            "ComputeNoResources",
            "ComputeBuildQueueTimeout",
            "Nova returned",
        ],
        pattern: r"(?P<what>Failed to build compute instance due to: (?P<why>[^\r\n]{4,200})|ComputeNoResources[^\r\n]{0,80}|ComputeBuildQueueTimeout[^\r\n]{0,60})",
        strength: 0.8,
        title: "{daemon}: Nova does not build the amphora: {what}",
        statement: "Octavia asks Nova for an amphora and is refused ({what}){span}: quota of the services project, flavor, network or free hosts.",
        yes: &[
            "octavia.common.exceptions.ComputeBuildException: Failed to build compute instance due to: {'message': \"Quota exceeded for cores\"}",
        ],
        no: &["Amphora compute instance is active"],
        ..RULE
    },
    Rule {
        id: "octavia.certificates",
        cause: "octavia-certificates",
        scope: &["octavia"],
        needs: &[
            "SSLError",
            "certificate",
            "CA Private Key",
            "CA Certificate",
            "unknown ca",
        ],
        pattern: r"(?P<what>Failed to load CA (?:Private Key|Certificate)[^\r\n]{0,100}|Could not sign the certificate request[^\r\n]{0,120}|port=9443[^\r\n]{0,120}?SSLError\([^\r\n]{0,120}|SSLError[^\r\n]{0,40}(?:unknown ca|certificate verify failed|bad certificate|expired)[^\r\n]{0,60})",
        strength: 0.86,
        title: "{daemon}: certificates between Octavia and its amphorae do not fit: {what}",
        statement: "Octavia and its amphorae do not accept each other's certificates, or Octavia cannot sign new ones ({what}){span}: the CA files or the passphrase were changed, are unreadable or have expired.",
        yes: &[
            "requests.exceptions.SSLError: HTTPSConnectionPool(host='fc00::1', port=9443): Max retries exceeded (Caused by SSLError(SSLError(1, '[SSL: TLSV1_ALERT_UNKNOWN_CA] tlsv1 alert unknown ca (_ssl.c:2633)')))",
            "octavia.certificates.common.exceptions.CertificateGenerationException: Could not sign the certificate request: Failed to load CA Private Key /etc/octavia/certs/issuing_ca_key.pem.",
        ],
        no: &["INFO octavia certificate rotation finished"],
        ..RULE
    },
    Rule {
        id: "manila.driver",
        cause: "manila-backend-failed",
        scope: &["manila"],
        needs: &[
            "ShareBackendException",
            "Driver initialization failed",
            "driver is not initialized",
            "DriverNotInitialized",
        ],
        pattern: r"(?P<what>(?:Driver initialization failed|ShareBackendException|DriverNotInitialized)[^\r\n]{0,160})",
        strength: 0.8,
        title: "{daemon}: a share backend does not start: {what}",
        statement: "The driver of a share backend is not initialised ({what}){span}, so shares on it can be neither made nor changed.",
        yes: &[
            "ERROR manila.share.manager [req-1] Driver initialization failed: manila.exception.ShareBackendException: Share backend is not accessible",
        ],
        no: &["INFO manila.share.manager Driver initialization completed"],
        ..RULE
    },
];
