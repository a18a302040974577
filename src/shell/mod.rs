//! The thin shell around the core: Envoy's callbacks become inputs, steps
//! become host calls. The only place that knows proxy-wasm.

mod abi;
mod exports;
mod gate;
mod host;
mod injector;
mod memory;
mod meters;
mod registry;
mod root;
mod shared;
mod types;
