#![no_main]

#[path = "../checks/headers.rs"]
mod check;
#[path = "../checks/lines.rs"]
mod lines;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check::check(bytes));
