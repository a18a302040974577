//! How long the parts of the core take: `cargo bench --bench core`.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    reason = "a benchmark that cannot be made ready has nothing to measure"
)]

mod scenarios;

use criterion::{Criterion, criterion_group, criterion_main};

fn all(criterion: &mut Criterion) {
    for scenario in scenarios::all() {
        let name = scenario.name.clone();
        let mut run = scenario.ready();
        criterion.bench_function(&name, |bencher| bencher.iter(&mut run));
    }
}

mod groups {
    #![allow(missing_docs, unreachable_pub, reason = "what the macro makes")]
    use super::{all, criterion_group};

    criterion_group!(core, all);
}

use groups::core;
criterion_main!(core);
