//! The helper alone: what the `overnight` binary is when it is started with the hidden first argument. The tests
//! of this crate and of its users start cells with it.

fn main() {
    overnight_sandbox::cell_main_if_asked();
    eprintln!("overnight-cell: started by the sandbox, not by hand");
    std::process::exit(2);
}
