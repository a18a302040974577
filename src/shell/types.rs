//! The numbers of the ABI (proxy-wasm 0.2.1) that this module uses.

/// How much a line in Envoy's log matters.
#[derive(Clone, Copy, Debug)]
#[repr(u32)]
pub(super) enum LogLevel {
    Info = 2,
    Warn = 3,
    Error = 4,
}

/// What the host does with what it has called for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Action {
    /// It goes on.
    Continue = 0,
    /// It is held.
    Pause = 1,
}

/// Which bytes.
#[derive(Clone, Copy, Debug)]
#[repr(u32)]
pub(super) enum BufferType {
    RequestBody = 0,
    ResponseBody = 1,
    CallResponseBody = 4,
    PluginConfiguration = 7,
}

/// Which headers.
#[derive(Clone, Copy, Debug)]
#[repr(u32)]
pub(super) enum MapType {
    RequestHeaders = 0,
    RequestTrailers = 1,
    ResponseHeaders = 2,
    CallResponseHeaders = 6,
}

/// What is measured.
#[derive(Clone, Copy, Debug)]
#[repr(u32)]
pub(super) enum MetricType {
    Counter = 0,
    Gauge = 1,
    Histogram = 2,
}
