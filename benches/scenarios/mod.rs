//! What the core does for one request, in parts and as a whole. Each scenario
//! is made ready once and then run as often as somebody likes.

pub(crate) mod parts;
pub(crate) mod requests;
pub(crate) mod setting;

use core::hint::black_box;

/// Something that is measured.
pub(crate) struct Scenario {
    /// `group/case`.
    pub(crate) name: String,
    make: Box<dyn FnOnce() -> Run>,
}

/// Does it once.
type Run = Box<dyn FnMut()>;

impl Scenario {
    /// `make` makes it ready, and gives what is measured.
    fn new<T, F>(name: impl Into<String>, make: impl FnOnce() -> F + 'static) -> Self
    where
        F: FnMut() -> T + 'static,
    {
        Self {
            name: name.into(),
            make: Box::new(move || {
                let mut run = make();
                Box::new(move || {
                    black_box(run());
                })
            }),
        }
    }

    /// Makes it ready. What is given does it once.
    pub(crate) fn ready(self) -> Run {
        (self.make)()
    }
}

/// All of them.
pub(crate) fn all() -> Vec<Scenario> {
    let mut all = parts::all();
    all.extend(requests::all());
    all
}
