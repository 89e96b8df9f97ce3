//! Containers that attack whoever makes them: one test for each class of what has gone wrong in other
//! runtimes, many of them in one machine.

mod bundles;
mod images;
mod load;
mod naive_is_apart;
mod race;
