//! The thin shell around the core: Envoy's callbacks become inputs, steps
//! become host calls. The only place that knows proxy-wasm.

mod abi;
mod gate;
mod host;
mod injector;
mod meters;
mod registry;
mod root;
mod shared;

use proxy_wasm::traits::RootContext;

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|context| -> Box<dyn RootContext> { Box::new(root::Root::new(context)) });
}}
