//! Maps from iterators, in few bytes of code.

/// What `collect` does, by one insertion after the other. A map's own `collect` sorts all entries first, by a sort that is
/// compiled for this kind of entry alone: 4 KiB for each kind, and there are thirty.
pub trait Ordered: Iterator + Sized {
    fn ordered<C: Default + Extend<Self::Item>>(self) -> C {
        let mut all = C::default();
        all.extend(self);
        all
    }
}

impl<I: Iterator> Ordered for I {}
