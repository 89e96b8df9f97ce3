//! Output of containers → bounded rings with marks for what is gone.
