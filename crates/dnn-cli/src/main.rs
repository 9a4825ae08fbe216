//! The `dnn` program.
fn main() {}
