//! Tasks of the workspace that plain cargo does not do.
fn main() {}
