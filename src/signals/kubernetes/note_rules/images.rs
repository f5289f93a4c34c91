//! Pulling images.

use super::{Rule, rule, symptom};

const IMAGE: &[&str] = &[
    "Failed",
    "ErrImagePull",
    "ImagePullBackOff",
    "BackOff",
    "InspectFailed",
    "ImageInspectError",
    "InvalidImageName",
    "ErrImageNeverPull",
    "RegistryUnavailable",
    "SignatureValidationFailed",
];

/// The rules, special before general.
pub const RULES: &[Rule] = &[
    rule(
        "image-name-invalid",
        IMAGE,
        r"InvalidImageName|couldn't parse image (?:reference|name)|invalid reference format|failed to apply default image tag",
        "the image name {image} is invalid",
        0.93,
    ),
    rule(
        "image-never-pulled",
        IMAGE,
        r"ErrImageNeverPull|not present with pull policy of Never",
        "image {image} is not on the node and its pull policy is Never",
        0.93,
    ),
    rule(
        "image-registry-unresolvable",
        IMAGE,
        r"lookup (?P<host>[\w.-]+)[^,;]*: (?:no such host|server misbehaving|i/o timeout|Temporary failure|read udp)",
        "the registry host {host} does not resolve (no such host), so image {image} cannot be pulled",
        0.93,
    ),
    rule(
        "image-pull-rate-limited",
        IMAGE,
        r"toomanyrequests|rate limit|429 Too Many",
        "the registry refuses to serve image {image}: pull rate limit reached (toomanyrequests)",
        0.93,
    ),
    rule(
        "image-platform-mismatch",
        IMAGE,
        r"no match(?:ing)? (?:manifest )?for (?:platform|linux|windows)",
        "image {image} has no variant for the node's platform",
        0.93,
    ),
    rule(
        "image-pull-tls",
        IMAGE,
        r"pull.*(?:x509|tls: |certificate |server gave HTTP response to HTTPS client)",
        "the registry's TLS certificate is not accepted, so image {image} cannot be pulled",
        0.92,
    ),
    rule(
        "image-not-found",
        IMAGE,
        r"repository does not exist or may require|pull access denied",
        "image {image} cannot be pulled: the repository does not exist or access to it is denied",
        0.92,
    ),
    rule(
        "image-pull-unauthorized",
        IMAGE,
        r"pull.*(?:unauthorized|authentication required|authorization failed|access denied|denied:|403 Forbidden|401 Unauthorized|no basic auth|insufficient_scope|permission ['\x22]?artifactregistry)",
        "the registry refuses image {image}: authentication or authorization failed",
        0.92,
    ),
    rule(
        "image-not-found",
        IMAGE,
        r"(?:pull|manifest|image).*(?:manifest unknown|not found|does not exist|name unknown|NotFound)",
        "image {image} was not found in the registry",
        0.92,
    ),
    rule(
        "node-disk-full",
        IMAGE,
        r"(?:pull|image).*no space left on device",
        "the node's disk is full, so image {image} cannot be stored",
        0.9,
    ),
    rule(
        "image-registry-unreachable",
        IMAGE,
        r"pull.*(?:i/o timeout|connection refused|timed? ?out|deadline exceeded|no route to host|EOF|unreachable|connection reset|50[0234] )",
        "the registry cannot be reached, so image {image} cannot be pulled",
        0.9,
    ),
    symptom(
        "image-pull-failed",
        IMAGE,
        r"ErrImagePull|ImagePullBackOff|Back-off pulling image|Failed to pull image|ImageInspectError",
        "image {image} cannot be pulled",
        0.6,
    ),
];
