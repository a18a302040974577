//! What can be counted, and repeats where seconds do not:
//! `cargo bench --bench counts` prints the allocations of each scenario.
//! With the name of a scenario and a number it runs that so often and prints
//! nothing, for callgrind to count its instructions; with `names`, it prints
//! the names.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    reason = "a benchmark that cannot be made ready has nothing to measure"
)]

mod scenarios;

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::alloc::{GlobalAlloc, Layout, System};
use std::env;

/// Caches and tables have grown to their size after so many.
const WARM_UP: u64 = 50;
const TIMES: u64 = 200;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

#[global_allocator]
static COUNTING: Counting = Counting;

/// The system's allocator, with a count of what it is asked for.
struct Counting;

#[expect(
    unsafe_code,
    reason = "an allocator is; it does nothing but count and pass on"
)]
// SAFETY: everything is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promises are the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are the same.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: the caller's promises are the same.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

fn count(bytes: usize) {
    ALLOCATIONS.fetch_add(1, Relaxed);
    BYTES.fetch_add(bytes as u64, Relaxed);
}

fn main() {
    // Cargo adds `--bench`.
    let arguments: Vec<String> = env::args()
        .skip(1)
        .filter(|each| each != "--bench")
        .collect();
    match arguments.as_slice() {
        [] => print_allocations(),
        [names] if names == "names" => {
            for scenario in scenarios::all() {
                println!("{}", scenario.name);
            }
        }
        [name, times] => {
            let times = times.parse().expect("how often");
            let scenario = scenarios::all()
                .into_iter()
                .find(|scenario| scenario.name == *name)
                .expect("the name of a scenario");
            run(&mut scenario.ready(), times);
        }
        _ => panic!("counts [names | SCENARIO TIMES]"),
    }
}

fn print_allocations() {
    println!("{:<32} {:>12} {:>12}", "each time", "allocations", "bytes");
    for scenario in scenarios::all() {
        let name = scenario.name.clone();
        let mut scenario = scenario.ready();
        run(&mut scenario, WARM_UP);
        let (allocations, bytes) = (ALLOCATIONS.load(Relaxed), BYTES.load(Relaxed));
        run(&mut scenario, TIMES);
        let allocations = (ALLOCATIONS.load(Relaxed) - allocations) / TIMES;
        let bytes = (BYTES.load(Relaxed) - bytes) / TIMES;
        println!("{name:<32} {allocations:>12} {bytes:>12}");
    }
}

fn run(scenario: &mut dyn FnMut(), times: u64) {
    for _ in 0..times {
        scenario();
    }
}
