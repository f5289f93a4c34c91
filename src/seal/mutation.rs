//! Dropping one layer on purpose, so that tests can show which probe turns red without it.

use super::plan::Layer;

/// Whether `layer` is to be skipped silently. Always false in a program that is built without
/// the feature `layer-mutation`; with it, the environment names the layer.
#[cfg(not(feature = "layer-mutation"))]
pub(super) const fn dropped(_layer: Layer) -> bool {
    false
}

/// Whether `layer` is to be skipped silently, named by `NARROWROOM_TEST_DROP_LAYER`.
#[cfg(feature = "layer-mutation")]
pub(super) fn dropped(layer: Layer) -> bool {
    std::env::var("NARROWROOM_TEST_DROP_LAYER").is_ok_and(|name| name == layer.name())
}

/// The Landlock ABI to work with on a kernel that has `real`: an older one if a test says so.
#[cfg(not(feature = "layer-mutation"))]
pub(super) const fn landlock_abi(real: u32) -> u32 {
    real
}

/// The Landlock ABI to work with on a kernel that has `real`: the smaller one of it and
/// `NARROWROOM_TEST_LANDLOCK_ABI`.
#[cfg(feature = "layer-mutation")]
pub(super) fn landlock_abi(real: u32) -> u32 {
    std::env::var("NARROWROOM_TEST_LANDLOCK_ABI")
        .ok()
        .and_then(|text| text.parse().ok())
        .map_or(real, |wanted: u32| wanted.min(real))
}
