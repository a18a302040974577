//! The host's functions (proxy-wasm ABI 0.2.1): any status but success is
//! `None` or `false`.
//!
//! Here and in `exports` is all of the crate's unsafe code.
#![allow(unsafe_code, reason = "the host is reached through foreign functions")]

use core::mem::MaybeUninit;
use core::ptr::null_mut;

use super::types::{BufferType, LogLevel, MapType, MetricType};

/// `WasmResult::Ok` of the ABI.
const OK: u32 = 0;
/// `WasmStreamType::Request` of the ABI.
const REQUEST_STREAM: u32 = 0;

unsafe extern "C" {
    fn proxy_log(level: u32, message: *const u8, size: usize) -> u32;
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_replace_header_map_value(
        map: u32,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_remove_header_map_value(map: u32, name: *const u8, name_size: usize) -> u32;
    fn proxy_get_buffer_bytes(
        buffer: u32,
        start: usize,
        max_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_set_buffer_bytes(
        buffer: u32,
        start: usize,
        size: usize,
        data: *const u8,
        data_size: usize,
    ) -> u32;
    fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
    fn proxy_http_call(
        cluster: *const u8,
        cluster_size: usize,
        headers: *const u8,
        headers_size: usize,
        body: *const u8,
        body_size: usize,
        trailers: *const u8,
        trailers_size: usize,
        timeout_ms: u32,
        call: *mut u32,
    ) -> u32;
    fn proxy_continue_stream(stream: u32) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;
    fn proxy_set_effective_context(context: u32) -> u32;
    fn proxy_get_property(
        path: *const u8,
        path_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_set_property(
        path: *const u8,
        path_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_define_metric(kind: u32, name: *const u8, name_size: usize, id: *mut u32) -> u32;
    fn proxy_increment_metric(id: u32, offset: i64) -> u32;
    fn proxy_record_metric(id: u32, value: u64) -> u32;
    fn proxy_register_shared_queue(name: *const u8, name_size: usize, id: *mut u32) -> u32;
    fn proxy_enqueue_shared_queue(id: u32, value: *const u8, value_size: usize) -> u32;
    fn proxy_dequeue_shared_queue(id: u32, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_call_foreign_function(
        name: *const u8,
        name_size: usize,
        arguments: *const u8,
        arguments_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
}

/// Takes over what the host has written into memory that it asked this
/// module for.
fn take(status: u32, data: *mut u8, size: usize) -> Option<Vec<u8>> {
    if status != OK {
        return None;
    }
    if data.is_null() {
        return Some(Vec::new());
    }
    // SAFETY: the host got `data` from `allocate`, for `size` bytes, and has
    // filled them.
    Some(unsafe { Vec::from_raw_parts(data, size, size) })
}

/// Memory of this size, which belongs to nobody until `take` has it.
pub(super) fn allocate(size: usize) -> *mut u8 {
    let bytes: Box<[MaybeUninit<u8>]> = Box::new_uninit_slice(size);
    Box::into_raw(bytes).cast()
}

/// Writes to Envoy's log.
pub(super) fn log(level: LogLevel, message: &str) {
    // SAFETY: the host reads `message.len()` bytes.
    let _ = unsafe { proxy_log(level as u32, message.as_ptr(), message.len()) };
}

/// Nanoseconds since 1970.
pub(super) fn current_time_ns() -> Option<u64> {
    let mut time = 0;
    // SAFETY: the host writes one `u64`.
    let status = unsafe { proxy_get_current_time_nanoseconds(&raw mut time) };
    (status == OK).then_some(time)
}

/// A whole header map, serialized.
pub(super) fn header_map(map: MapType) -> Option<Vec<u8>> {
    let (mut data, mut size) = (null_mut(), 0);
    // SAFETY: the host writes one pointer and one size.
    let status = unsafe { proxy_get_header_map_pairs(map as u32, &raw mut data, &raw mut size) };
    take(status, data, size)
}

/// Sets a header, in place of all of that name.
pub(super) fn set_header(map: MapType, name: &str, value: &str) -> bool {
    // SAFETY: the host reads both texts.
    let status = unsafe {
        proxy_replace_header_map_value(
            map as u32,
            name.as_ptr(),
            name.len(),
            value.as_ptr(),
            value.len(),
        )
    };
    status == OK
}

/// Removes a header.
pub(super) fn remove_header(map: MapType, name: &[u8]) -> bool {
    // SAFETY: the host reads the name.
    let status = unsafe { proxy_remove_header_map_value(map as u32, name.as_ptr(), name.len()) };
    status == OK
}

/// Bytes of a body, from its start.
pub(super) fn buffer(buffer: BufferType, max_size: usize) -> Option<Vec<u8>> {
    let (mut data, mut size) = (null_mut(), 0);
    // SAFETY: the host writes one pointer and one size.
    let status =
        unsafe { proxy_get_buffer_bytes(buffer as u32, 0, max_size, &raw mut data, &raw mut size) };
    take(status, data, size)
}

/// Puts bytes in place of a whole body, which has this many bytes.
pub(super) fn replace_buffer(buffer: BufferType, size: usize, bytes: &[u8]) -> bool {
    // SAFETY: the host reads the bytes.
    let status =
        unsafe { proxy_set_buffer_bytes(buffer as u32, 0, size, bytes.as_ptr(), bytes.len()) };
    status == OK
}

/// Has the root context called so often.
pub(super) fn set_tick_period(milliseconds: u32) -> bool {
    // SAFETY: no memory is shared.
    unsafe { proxy_set_tick_period_milliseconds(milliseconds) == OK }
}

/// Makes an HTTP request to a cluster, and gives the number that its answer
/// will have.
pub(super) fn http_call(
    cluster: &str,
    headers: &[(&str, &str)],
    body: &[u8],
    timeout_ms: u32,
) -> Option<u32> {
    let headers = serialized(headers);
    let trailers = serialized(&[]);
    let mut call = 0;
    // SAFETY: the host reads all of these and writes one `u32`.
    let status = unsafe {
        proxy_http_call(
            cluster.as_ptr(),
            cluster.len(),
            headers.as_ptr(),
            headers.len(),
            body.as_ptr(),
            body.len(),
            trailers.as_ptr(),
            trailers.len(),
            timeout_ms,
            &raw mut call,
        )
    };
    (status == OK).then_some(call)
}

/// Lets a held request go on.
pub(super) fn continue_request() -> bool {
    // SAFETY: no memory is shared.
    unsafe { proxy_continue_stream(REQUEST_STREAM) == OK }
}

/// Answers the request of the effective context. `details` is what access
/// logs show as `%RESPONSE_CODE_DETAILS%`.
pub(super) fn send_local_response(
    status: u16,
    details: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> bool {
    let headers = serialized(headers);
    // SAFETY: the host reads the details, the headers and the body.
    let status = unsafe {
        proxy_send_local_response(
            status.into(),
            details.as_ptr(),
            details.len(),
            body.as_ptr(),
            body.len(),
            headers.as_ptr(),
            headers.len(),
            -1,
        )
    };
    status == OK
}

/// Makes another context the one that calls are for.
pub(super) fn set_effective_context(context: u32) -> bool {
    // SAFETY: no memory is shared.
    unsafe { proxy_set_effective_context(context) == OK }
}

/// An attribute of the stream.
pub(super) fn property(path: &[&str]) -> Option<Vec<u8>> {
    let path = path.join("\0");
    let (mut data, mut size) = (null_mut(), 0);
    // SAFETY: the host reads the path and writes one pointer and one size.
    let status =
        unsafe { proxy_get_property(path.as_ptr(), path.len(), &raw mut data, &raw mut size) };
    take(status, data, size)
}

/// Sets an entry of filter state; Envoy puts `wasm.` before the name.
pub(super) fn set_property(name: &str, value: &str) -> bool {
    // SAFETY: the host reads both texts.
    unsafe { proxy_set_property(name.as_ptr(), name.len(), value.as_ptr(), value.len()) == OK }
}

/// Defines a metric, or finds it.
pub(super) fn define_metric(kind: MetricType, name: &str) -> Option<u32> {
    let mut id = 0;
    // SAFETY: the host reads the name and writes one `u32`.
    let status =
        unsafe { proxy_define_metric(kind as u32, name.as_ptr(), name.len(), &raw mut id) };
    (status == OK).then_some(id)
}

/// Adds to a counter or a gauge.
pub(super) fn increment_metric(id: u32, by: i64) {
    // SAFETY: no memory is shared.
    let _ = unsafe { proxy_increment_metric(id, by) };
}

/// Adds a value to a histogram.
pub(super) fn record_metric(id: u32, value: u64) {
    // SAFETY: no memory is shared.
    let _ = unsafe { proxy_record_metric(id, value) };
}

/// Registers a queue whose entries this VM's root contexts are told of.
pub(super) fn register_queue(name: &str) -> Option<u32> {
    let mut id = 0;
    // SAFETY: the host reads the name and writes one `u32`.
    let status = unsafe { proxy_register_shared_queue(name.as_ptr(), name.len(), &raw mut id) };
    (status == OK).then_some(id)
}

/// Adds an entry to a queue.
pub(super) fn enqueue(id: u32) -> bool {
    const ENTRY: &[u8] = b"1";
    // SAFETY: the host reads the entry.
    unsafe { proxy_enqueue_shared_queue(id, ENTRY.as_ptr(), ENTRY.len()) == OK }
}

/// Takes an entry from a queue; `false` if it is empty.
pub(super) fn dequeue(id: u32) -> bool {
    let (mut data, mut size) = (null_mut(), 0);
    // SAFETY: the host writes one pointer and one size.
    let status = unsafe { proxy_dequeue_shared_queue(id, &raw mut data, &raw mut size) };
    take(status, data, size).is_some()
}

/// Calls a function that this host has beyond the ABI; `None` also if it does
/// not have it.
pub(super) fn call_foreign_function(name: &str, arguments: &[u8]) -> Option<Vec<u8>> {
    let (mut data, mut size) = (null_mut(), 0);
    // SAFETY: the host reads the name and the arguments, and writes one
    // pointer and one size.
    let status = unsafe {
        proxy_call_foreign_function(
            name.as_ptr(),
            name.len(),
            arguments.as_ptr(),
            arguments.len(),
            &raw mut data,
            &raw mut size,
        )
    };
    take(status, data, size)
}

/// Header pairs in the form of the ABI: their number, the sizes of names and
/// values, then these themselves, each with a zero byte behind it.
fn serialized(pairs: &[(&str, &str)]) -> Vec<u8> {
    let size = |text: &str| u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes();
    let length = pairs.iter().fold(4, |length: usize, (name, value)| {
        // Two sizes and two zero bytes.
        let pair = name.len().saturating_add(value.len()).saturating_add(10);
        length.saturating_add(pair)
    });
    let mut bytes = Vec::with_capacity(length);
    bytes.extend(u32::try_from(pairs.len()).unwrap_or(u32::MAX).to_le_bytes());
    for (name, value) in pairs {
        bytes.extend(size(name));
        bytes.extend(size(value));
    }
    for (name, value) in pairs {
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(value.as_bytes());
        bytes.push(0);
    }
    bytes
}
