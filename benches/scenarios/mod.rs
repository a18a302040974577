//! What the core does for one request, in parts and as a whole. Each scenario
//! is made ready once and then run as often as somebody likes.

pub(crate) mod parts;
pub(crate) mod requests;
pub(crate) mod setting;

use core::hint::black_box;

/// Something that is measured. `run` is one time.
pub(crate) struct Scenario {
    /// `group/case`.
    pub(crate) name: String,
    /// Does it once.
    pub(crate) run: Box<dyn FnMut()>,
}

impl Scenario {
    fn new<T>(name: impl Into<String>, mut run: impl FnMut() -> T + 'static) -> Self {
        Self {
            name: name.into(),
            run: Box::new(move || {
                black_box(run());
            }),
        }
    }
}

/// All of them.
pub(crate) fn all() -> Vec<Scenario> {
    let mut all = parts::all();
    all.extend(requests::all());
    all
}
