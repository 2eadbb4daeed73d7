//! The zoo's files are embedded: a new one among them is a reason to build again.

fn main() {
    println!("cargo::rerun-if-changed=zoo");
}
