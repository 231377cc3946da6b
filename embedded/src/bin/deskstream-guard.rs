//! The guard process: see [`deskstream_embedded::guard`].

fn main() -> std::process::ExitCode {
    deskstream_embedded::guard::main(std::env::args_os().skip(1))
}
