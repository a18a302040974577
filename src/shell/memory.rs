//! Where the module's memory comes from.
//!
//! Rust's standard library has it from wasi-libc on this platform, with four
//! functions between who wants memory and the one that finds it: more than a
//! third of all the calls that a request makes whose token is known. That
//! allocator is still there for what libc itself does when a panic looks for
//! its settings, after which the VM is not used any more.

use talc::base::binning::{
    Binning, linear_extent_then_linearly_divided_exponential_binning as bin_of,
};
use talc::cell::TalcSyncCell;
use talc::wasm::WasmGrowAndExtend;

#[global_allocator]
static MEMORY: TalcSyncCell<WasmGrowAndExtend, Bins> =
    TalcSyncCell::new_wasm(WasmGrowAndExtend::new());

/// Which free pieces are kept together: those of one size up to 256 bytes, and
/// two kinds for each doubling beyond. It is `talc::wasm::WasmBinning`, whose
/// function is not inlined where it is used.
struct Bins;

impl Binning for Bins {
    type AvailabilityBitField = u64;

    #[inline]
    fn size_to_bin(size: usize) -> u32 {
        bin_of::<2, 8>(size)
    }
}
