//! How Wasmtime is set up, in one place: `build.rs` compiles the guest with it and the program
//! loads the result with it, and Wasmtime refuses a module that was compiled with another setup.

use wasmtime::Config;

/// Most linear memory the guest may have, in bytes. It needs less than 2 MiB; a PAX header at its
/// limit takes a few more.
pub const GUEST_MEMORY_BYTES: u64 = 256 << 20;

/// Everything off that the guest does not use. Traps are explicit checks, not signals: no handler is
/// installed in the sealed process, for about 5 % of the guest's time. The address space is reserved once, exactly for
/// [`GUEST_MEMORY_BYTES`], so that a limit on the process's address space can be kept and growing
/// never maps anything new.
pub fn config() -> Config {
    let mut config = Config::new();
    config
        .consume_fuel(true)
        .signals_based_traps(false)
        .max_wasm_stack(512 << 10)
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_tail_call(false)
        .wasm_relaxed_simd(false)
        .wasm_backtrace_max_frames(None)
        .gc_support(false)
        .generate_address_map(false)
        .native_unwind_info(false)
        .memory_init_cow(false)
        .memory_may_move(false)
        .memory_reservation(GUEST_MEMORY_BYTES)
        .memory_reservation_for_growth(0)
        .memory_guard_size(0)
        .guard_before_linear_memory(false);
    config
}
